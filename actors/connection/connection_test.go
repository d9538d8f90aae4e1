package connection_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"pgregory.net/rapid"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// socket writes down what a client would see.
type socket struct {
	k       *testkit.Kit
	pid     *actor.PID
	said    []string
	pending int
	bound   int
	asked   bool // to be told when drained
	heard   actors.Instant
	ended   string
	panics  bool
}

func (s *socket) say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}
func (s *socket) Connected()                 { s.say("connected") }
func (s *socket) Pong()                      { s.say("pong") }
func (s *socket) Error(text string)          { s.say("error: %s", text) }
func (s *socket) Cursor(p messages.Position) { s.say("cursor %d", p) }
func (s *socket) Ping()                      { s.say("ping") }
func (s *socket) Silence() time.Duration     { return s.k.Clock.Elapsed() - s.heard }
func (s *socket) Pending() int               { return s.pending }
func (s *socket) NotifyDrained()             { s.asked = true }
func (s *socket) Subscribed(c *messages.ClientSubscribed) {
	s.say("subscribed %s", strings.Join(append(c.GetKite().GetKeywords(), c.GetNewsrank().GetKeywords()...), ","))
}

func (s *socket) Deliver(ds []*messages.Delivery, _, _ bool) bool {
	if s.panics {
		panic("a bug in a codec")
	}
	for _, d := range ds {
		if s.bound > 0 && s.pending >= s.bound {
			return false
		}
		if s.bound > 0 {
			s.pending += 1 << 10
		}
		s.say("%d.%d", d.GetPosition(), d.GetK())
	}
	return true
}

func (s *socket) End(reason messages.EndReason, _ string) { s.ended = reason.String() }

// drain is the client taking everything.
func (s *socket) drain() {
	s.pending = 0
	if s.asked {
		s.asked = false
		s.k.Tell(s.pid, &messages.SocketDrained{})
	}
}

// take returns what was said since it was last asked, pings left out.
func (s *socket) take() []string {
	said := slices.DeleteFunc(s.said, func(x string) bool { return x == "ping" })
	s.said = nil
	return said
}

// history is a log in which every event matches the query k, as often as it is asked for.
type history struct {
	kit        *testkit.Kit
	deliveries []*messages.Delivery
	lost       []messages.Lost
	first      messages.Position
	last       uint64 // sequence of the newest frame
	fail       int
	unheld     int    // so often it cannot say what it holds
	refuse     string // the keyword that is no query
	requests   []follow.Request
}

func (h *history) Held(context.Context) (connection.Held, error) {
	if h.unheld > 0 {
		h.unheld--
		return connection.Held{}, errors.New("no answer")
	}
	return connection.Held{Epoch: "e", First: h.first.Sequence(), Last: h.last}, nil
}

func (h *history) Replay(_ context.Context, r follow.Request) (follow.Result, error) {
	h.requests = append(h.requests, r)
	if h.fail > 0 {
		h.fail--
		return follow.Result{}, errors.New("no answer")
	}
	if h.refuse != "" && slices.Contains(r.Queries[0].GetKite().GetKeywords(), h.refuse) {
		return follow.Result{}, fmt.Errorf("replay: %w", &follow.QueryError{Err: errors.New("no such word")})
	}
	if r.From() < h.first {
		return follow.Result{}, fmt.Errorf("replay: %w", &messages.TrimmedError{First: h.first.Sequence()})
	}
	result := follow.Result{Through: r.Through}
	for _, d := range h.deliveries {
		p := messages.Position(d.GetPosition())
		if p <= r.From() || p > r.Through {
			continue
		}
		if len(result.Deliveries) >= r.Found && p > result.Through {
			break
		}
		result.Deliveries = append(result.Deliveries, d)
		if len(result.Deliveries) >= r.Found {
			result.Through = p
		}
	}
	for _, l := range h.lost {
		if l.From > r.From() && l.To <= result.Through {
			result.Lost = append(result.Lost, l)
		}
	}
	return result, nil
}

func (h *history) add(p messages.Position, k ...uint32) {
	if len(k) == 0 {
		k = []uint32{0}
	}
	for _, k := range k {
		h.deliveries = append(h.deliveries, &messages.Delivery{Position: uint64(p), K: k, Event: &messages.Event{}})
	}
	slices.SortStableFunc(h.deliveries, func(a, b *messages.Delivery) int {
		return cmp.Or(cmp.Compare(a.GetPosition(), b.GetPosition()), cmp.Compare(a.GetK(), b.GetK()))
	})
}

type rig struct {
	*testkit.Kit
	socket      *socket
	history     *history
	router, key *testkit.Probe
	lane        *testkit.Probe // the router of semantic filters
	owner       *actor.PID     // of the key, as the connection knows it: key's
	pid         *actor.PID

	join, number uint64 // what the owner that the test plays numbers by
	head         uint64 // of the log
}

func config(k *testkit.Kit, router, key *testkit.Probe, log connection.Replays) connection.Config {
	return connection.Config{
		Router: router.PID(), Replays: log,
		Owners: actors.OwnersFunc(func(string) *actor.PID { return key.PID() }),
		Clock:  k.Clock, Rand: k.Rand, Reads: func(string) actors.Worker { return k.Worker }, Props: k.Props, Logger: k.Log,
	}
}

func run(t *testing.T, begin connection.Begin, test func(r *rig), before ...func(h *history)) {
	t.Helper()
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, socket: &socket{k: k, heard: k.Clock.Elapsed()}, history: &history{kit: k, last: 1 << 30}, router: k.Probe(), lane: k.Probe(), key: k.Probe(), head: 1 << 40}
		for _, change := range before {
			change(r.history)
		}
		begin.ID, begin.KeyID, begin.Socket = "c1", "key-1", r.socket
		cfg := config(k, r.router, r.key, r.history)
		r.owner = r.key.PID()
		cfg.Owners = actors.OwnersFunc(func(string) *actor.PID { return r.owner })
		cfg.Semantic = r.lane.PID()
		cfg.Head = func() uint64 { return r.head }
		r.pid = k.SpawnProps("connection", connection.Props(cfg))
		k.Tell(r.pid, &begin)
		r.socket.pid = r.pid
		k.Settle()
		if r.history.unheld > 0 {
			k.Advance(10 * time.Second)
		}
		test(r)
	})
}

// joined answers the Join that the owner was asked, and says what it asked for.
func (r *rig) joined(owner *testkit.Probe, at messages.Position) *messages.Join {
	join := testkit.FishFor[*messages.Join](owner)
	r.join = join.GetJoin()
	m := &messages.Joined{Join: r.join, Position: uint64(at), Number: r.number}
	if owner == r.key {
		m.Term = 3
	}
	owner.Reply(m)
	r.Settle()
	return join
}

// deliver has the owner send a message, the next of its numbering.
func (r *rig) deliver(at ...string) {
	m := deliveries(at...)
	m.Join, m.Previous = r.join, r.number
	r.number++
	m.Number = r.number
	r.Tell(r.pid, m)
}

// post is deliver by a key.
func (r *rig) post(at ...string) {
	m := deliveries(at...)
	m.Term, m.Previous = 3, r.number
	r.number++
	m.Number = r.number
	r.Tell(r.pid, m)
}

func deliveries(at ...string) *messages.Deliveries {
	m := &messages.Deliveries{}
	for _, a := range at {
		var p uint64
		var k uint32
		if _, err := fmt.Sscanf(a, "%d.%d", &p, &k); err != nil {
			panic(err)
		}
		m.Deliveries = append(m.Deliveries, &messages.Delivery{Position: p, K: k, Event: &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{}}}})
	}
	return m
}

func (r *rig) want(t *testing.T, want ...string) {
	t.Helper()
	r.Settle()
	if got := r.socket.take(); !slices.Equal(got, want) {
		t.Fatalf("the client saw %q, want %q", got, want)
	}
}

// answerVoids lets the log be read up to through.
func (r *rig) answerVoids(through messages.Position) {
	ask := testkit.FishFor[*messages.AskVoids](r.router)
	r.router.Reply(&messages.VoidsKnown{From: ask.GetFrom(), Through: uint64(through), Ask: ask.GetAsk()})
	r.Settle()
}

// answerQueries says which queries the key has.
func (r *rig) answerQueries() {
	ask := testkit.FishFor[*messages.AskQueries](r.key)
	r.key.Reply(&messages.Queries{Ask: ask.GetAsk(), Position: ask.GetThrough(), Queries: []*messages.Query{{K: 1}}})
	r.Settle()
}

func kite(words ...string) *messages.ClientSubscribed {
	return &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{Keywords: words, Supplied: []string{"keywords"}}}}
}

func newsrank(words ...string) *messages.ClientSubscribed {
	return &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{Keywords: words}}}
}

func TestKiteFlowsAtOnceAndFiltersChangeAtOnePlace(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_KITE}, func(r *rig) {
		if join := r.joined(r.router, 100); len(join.GetQuery().GetKite().GetKeywords()) != 0 {
			t.Fatalf("joined with %v", join.GetQuery())
		}
		r.deliver("101.0")
		r.want(t, "connected", "101.0")

		r.Tell(r.pid, kite("gold"))
		r.Settle()
		r.deliver("102.0")
		r.joined(r.router, 102)
		r.deliver("105.0")
		r.want(t, "102.0", "subscribed gold", "105.0")

		r.Tell(r.pid, &messages.ClientUnsubscribed{})
		r.joined(r.router, 105)
		r.want(t, "subscribed ")
	})
}

// semantic is a subscribe with a filter that only the other lane compares.
func semantic(words ...string) *messages.ClientSubscribed {
	s := newsrank(words...)
	s.GetNewsrank().EmbeddingFilters = []*messages.EmbeddingFilter{{Label: "x"}}
	return s
}

// Between the last event that the old lane has decided and the first of the
// new one's, nothing is lost, repeated or decided twice.
func TestAChangeOfLanesHasOnePlace(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_NEWSRANK, Filters: newsrank("old")}, func(r *rig) {
		r.joined(r.router, 100)
		r.deliver("101.0")
		r.Tell(r.pid, semantic("new"))
		r.Tell(r.pid, newsrank("newer"))
		r.Settle()
		r.deliver("104.0")
		leave := testkit.FishFor[*messages.Leave](r.router)
		if leave.GetJoin() != r.join {
			t.Fatalf("leaves %v", leave)
		}
		r.router.Reply(&messages.Left{Join: leave.GetJoin(), Position: 106, Number: r.number})
		r.deliver("107.0") // late: it was the old lane's
		r.number = 50
		r.joined(r.lane, 103) // it is not so far yet
		r.deliver("105.0", "108.0")
		r.want(t, "subscribed old", "101.0", "104.0", "subscribed new", "108.0")
		leave = testkit.FishFor(r.lane, func(m *messages.Leave) bool { return m.GetJoin() == r.join }) // on behalf of the third subscribe
		r.lane.Reply(&messages.Left{Join: leave.GetJoin(), Position: 109, Number: r.number})
		r.joined(r.router, 110)
		r.history.add(110)
		r.answerVoids(110)
		r.want(t, "subscribed newer", "110.0")
	})
}

func TestNewsrankIsSilentBeforeSubscribe(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_NEWSRANK}, func(r *rig) {
		r.router.ExpectNoMessage(time.Minute - time.Second)
		r.want(t)
		r.Tell(r.pid, newsrank("fed"))
		r.joined(r.router, 7)
		r.want(t, "subscribed fed")
	})
}

func TestNothingComesTwiceAndOrderHolds(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		r.number = 8
		r.joined(r.key, 100)
		r.post("100.2", "101.1", "101.4")
		late := deliveries("103.1") // of an owner that was replaced
		late.Term, late.Number, late.Previous = 2, 10, 9
		r.Tell(r.pid, late)
		r.post("102.1")
		r.want(t, "connected", "101.1", "101.4", "102.1")
	})
}

func TestALostMessageIsReadFromTheLog(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		r.number = 8
		r.joined(r.key, 100)
		r.post("101.1")
		r.number++ // one is lost
		r.history.add(101, 1, 2)
		r.history.add(102, 1)
		r.post("103.1")
		r.answerVoids(110)
		r.answerQueries()
		r.post("104.1")
		r.want(t, "connected", "101.1", "101.2", "102.1", "103.1", "104.1")
		if last := r.history.requests[len(r.history.requests)-1]; last.Through != 102 {
			t.Fatalf("read through %d, want 102", last.Through)
		}
		r.key.ExpectNoMessage(0) // it was joined all the time
	})
}

func TestResumeBetweenTwoFramesOfOnePost(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_TWITTER, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: 50, K: 2}}
	run(t, cfg, func(r *rig) {
		r.history.add(49, 1)
		r.history.add(50, 1, 2, 3)
		r.history.add(60, 1)
		r.answerVoids(70)
		r.answerQueries()
		r.want(t, "connected", "50.3", "60.1")
	})
}

func TestTheSeamLosesAndRepeatsNothing(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: 10}, Filters: kite("x")}
	run(t, cfg, func(r *rig) {
		for p := messages.Position(11); p <= 20; p++ {
			r.history.add(p)
		}
		r.answerVoids(15)
		r.deliver("19.0") // live already, and in the log as well
		r.joined(r.router, 18)
		r.deliver("19.0", "20.0")
		r.answerVoids(21)
		r.want(t, "connected", "subscribed x", "11.0", "12.0", "13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0", "20.0")
		if last := r.history.requests[len(r.history.requests)-1]; last.Through != 18 {
			t.Fatalf("read through %d, want Q = 18", last.Through)
		}
	})
}

func TestReplayWaitsForTheSocket(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursor: &messages.Cursor{Epoch: "e", Position: 10}, Filters: kite()}
	run(t, cfg, func(r *rig) {
		r.socket.bound = 1 << 20
		for p := range messages.Position(2000) {
			r.history.add(11 + p)
		}
		r.answerVoids(11 + 2000)
		seen := 0
		for range 100 {
			r.Settle()
			if r.socket.pending > 512<<10 {
				t.Fatalf("%d bytes queued: the replay does not wait", r.socket.pending)
			}
			seen += len(r.socket.take())
			if !r.socket.asked {
				break
			}
			r.socket.drain()
		}
		if seen != 2000+2 {
			t.Fatalf("the client saw %d frames, want 2,002", seen)
		}
		testkit.FishFor[*messages.Join](r.router)
	})
}

func TestTrimmedCursorIsToldAndGoesLive(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true, Cursor: &messages.Cursor{Epoch: "e", Position: 10}, Filters: kite()}
	run(t, cfg, func(r *rig) {
		r.history.first = messages.At(1, 0)
		r.answerVoids(5000)
		r.joined(r.router, 5000)
		r.deliver("5001.0")
		r.want(t, "connected", "subscribed ",
			"error: cursor is older than what is kept; the first position still held is 4096; live events follow", "cursor 5000", "5001.0")
	})
}

func TestReplayFailuresAreRetriedThenSaid(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursor: &messages.Cursor{Epoch: "e", Position: 10}, Filters: kite()}
	run(t, cfg, func(r *rig) {
		r.history.fail = 3
		r.history.add(11)
		r.answerVoids(12)
		r.Advance(5 * time.Second)
		r.want(t, "connected", "subscribed ", "11.0")
	})
	run(t, cfg, func(r *rig) {
		r.history.fail = 1000
		r.answerVoids(12)
		r.Advance(time.Minute)
		if r.socket.ended != "END_INTERNAL" {
			t.Fatalf("ended %q", r.socket.ended)
		}
	})
}

func TestCreditIsNeverOverdrawn(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_NEWSRANK, Metered: true, Filters: newsrank()}
	run(t, cfg, func(r *rig) {
		r.joined(r.router, 1)
		r.deliver("2.0", "3.0", "4.0")
		r.want(t, "subscribed ")
		ask := testkit.Expect[*messages.AskCredit](r.key)
		if ask.GetWant() != 16 || ask.GetAccount() != 0 || ask.GetAfter() != 1 {
			t.Fatalf("asked %v", ask)
		}
		r.Advance(2 * time.Second) // the answer was lost
		again := testkit.Expect[*messages.AskCredit](r.key)
		if again.GetQuestion() != ask.GetQuestion() {
			t.Fatalf("asked again by another number: %v", again)
		}
		for range 2 { // one that comes twice grants nothing more
			r.key.Reply(&messages.CreditGranted{Account: 9, Granted: 2, Question: ask.GetQuestion()})
		}
		r.want(t, "2.0", "3.0")
		ask = testkit.Expect[*messages.AskCredit](r.key)
		if ask.GetUsed() != 2 || ask.GetAccount() != 9 || ask.GetQuestion() == again.GetQuestion() {
			t.Fatalf("asked %v, want 2 used of account 9", ask)
		}
		r.Tell(r.pid, newsrank("later"))
		r.joined(r.router, 4)
		r.deliver("5.0")
		r.want(t)
		r.key.Request(r.pid, &messages.CreditGranted{Account: 8, Granted: 100}) // of an instance before
		r.key.Request(r.pid, &messages.CreditGranted{Account: 9, Granted: 3})
		r.want(t, "4.0", "subscribed later")
		r.key.Request(r.pid, &messages.CreditExhausted{Account: 9, Granted: 3, Question: ask.GetQuestion() - 1}) // late
		r.want(t)
		if r.socket.ended != "" {
			t.Fatalf("ended %q by a late word", r.socket.ended)
		}
		r.key.Request(r.pid, &messages.CreditExhausted{Account: 9, Granted: 3, Question: ask.GetQuestion(), Used: 3, Limit: 3})
		r.Settle()
		if r.socket.ended != "END_CREDITS" {
			t.Fatalf("ended %q, want that it has no credit", r.socket.ended)
		}
		report := testkit.Expect[*messages.ReportCredit](r.key)
		if report.GetUsed() != 3 || report.GetReturned() != 0 || !report.GetClosed() || report.GetAccount() != 9 {
			t.Fatalf("reported %v at the end", report)
		}
		testkit.FishFor(r.key, func(m *messages.Release) bool { return m.GetConnectionId() == "c1" })
	})
}

// A question that reached nobody, because its owner failed a moment ago, or that
// reached one who is not the owner, is asked again at once and not after the
// patience for an answer.
func TestAQuestionThatReachedNobodyIsAskedAgainSoon(t *testing.T) {
	for name, word := range map[string]any{"nobody": &actor.DeadLetterResponse{}, "another": &messages.NotOwner{}} {
		t.Run(name, func(t *testing.T) {
			cfg := connection.Begin{API: messages.Api_API_NEWSRANK, Metered: true, Filters: newsrank()}
			run(t, cfg, func(r *rig) {
				join := testkit.Expect[*messages.Join](r.router)
				r.router.Reply(word)
				r.Advance(250 * time.Millisecond)
				if again := testkit.Expect[*messages.Join](r.router); again.GetJoin() != join.GetJoin() {
					t.Errorf("joins by %d, asked by %d before", again.GetJoin(), join.GetJoin())
				}
				r.join = join.GetJoin()
				r.router.Reply(&messages.Joined{Join: r.join, Position: 1})
				r.deliver("2.0")
				r.want(t, "subscribed ")
				ask := testkit.Expect[*messages.AskCredit](r.key)
				for range 3 {
					r.key.Reply(word)
					r.key.ExpectNoMessage(200 * time.Millisecond)
					r.Advance(50 * time.Millisecond)
					if again := testkit.Expect[*messages.AskCredit](r.key); again.GetQuestion() != ask.GetQuestion() {
						t.Errorf("asked again by another number: %v", again)
					}
				}
				r.key.Reply(&messages.CreditGranted{Account: 9, Granted: 16, Question: ask.GetQuestion()})
				r.want(t, "2.0")
				r.key.Request(r.pid, word) // late: nothing is open
				r.key.ExpectNoMessage(3 * time.Second)
			})
		})
	}
}

// A recall takes what is unspent, and nothing is asked for until an event needs it.
func TestCreditIsRecalled(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_NEWSRANK, Metered: true, Filters: newsrank()}
	run(t, cfg, func(r *rig) {
		r.joined(r.router, 1)
		r.deliver("2.0")
		ask := testkit.Expect[*messages.AskCredit](r.key)
		r.key.Reply(&messages.CreditGranted{Account: 9, Granted: 16, Question: ask.GetQuestion()})
		r.want(t, "subscribed ", "2.0")
		for range 2 {
			r.key.Request(r.pid, &messages.RecallCredit{Account: 9})
			if got := testkit.Expect[*messages.ReportCredit](r.key); got.GetUsed() != 1 || got.GetReturned() != 15 || got.GetClosed() {
				t.Fatalf("reported %v", got)
			}
		}
		r.key.ExpectNoMessage(3 * time.Second)
		r.deliver("3.0")
		r.want(t)
		ask = testkit.Expect[*messages.AskCredit](r.key)
		r.key.Reply(&messages.CreditGranted{Account: 9, Granted: 20, Question: ask.GetQuestion()})
		r.want(t, "3.0")
		// A new instance of the key: nothing of the old account may be spent.
		r.key.Request(r.pid, &messages.RecallCredit{Account: 10})
		if got := testkit.Expect[*messages.ReportCredit](r.key); got.GetAccount() != 10 || got.GetUsed() != 0 || got.GetReturned() != 0 {
			t.Fatalf("reported %v", got)
		}
		r.deliver("4.0")
		r.want(t)
	})
}

// While a key moves its owner is one that has lent nothing: who has is told what was
// used, and not only what a client's connections return when they are asked to.
func TestWhoHasLentIsToldOfTheEnd(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_NEWSRANK, Metered: true, Filters: newsrank()}
	run(t, cfg, func(r *rig) {
		former := r.Probe() // of another node
		pid := actor.NewPID("n2@1", former.PID().GetId())
		r.System.ProcessRegistry.RegisterAddressResolver(func(to *actor.PID) (actor.Process, bool) {
			return r.System.ProcessRegistry.GetLocal(to.GetId())
		})
		r.joined(r.router, 1)
		r.deliver("2.0")
		ask := testkit.Expect[*messages.AskCredit](r.key)
		r.System.Root.RequestWithCustomSender(r.pid, &messages.CreditGranted{Account: 9, Granted: 16, Question: ask.GetQuestion()}, pid)
		r.System.Root.RequestWithCustomSender(r.pid, &messages.CreditGranted{Account: 8, Granted: 16}, r.key.PID()) // of an instance before
		r.want(t, "subscribed ", "2.0")
		r.Tell(r.pid, &messages.SocketClosed{})
		r.Settle()
		for _, of := range []*testkit.Probe{former, r.key} {
			if got := testkit.FishFor[*messages.ReportCredit](of); got.GetAccount() != 9 || got.GetUsed() != 1 || got.GetReturned() != 15 || !got.GetClosed() {
				t.Errorf("reported %v", got)
			}
		}
	})
}

// The grant of who was asked last may be lost, and the key have moved on: the connection
// has not heard of it, and returns it all the same.
func TestWhoWasAskedIsToldOfTheEnd(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_NEWSRANK, Metered: true, Filters: newsrank()}
	run(t, cfg, func(r *rig) {
		former := r.Probe() // of another node
		r.System.ProcessRegistry.RegisterAddressResolver(func(to *actor.PID) (actor.Process, bool) {
			return r.System.ProcessRegistry.GetLocal(to.GetId())
		})
		r.owner = actor.NewPID("n2@1", former.PID().GetId())
		r.joined(r.router, 1)
		r.deliver("2.0")
		testkit.FishFor[*messages.AskCredit](former)
		r.owner = r.key.PID()
		r.Tell(r.pid, &messages.SocketClosed{})
		r.Settle()
		for _, of := range []*testkit.Probe{former, r.key} {
			if got := testkit.FishFor[*messages.ReportCredit](of); got.GetAccount() != 0 || got.GetUsed() != 0 || !got.GetClosed() {
				t.Errorf("reported %v", got)
			}
		}
	})
}

func TestASlowConsumerIsEndedAndGivesItsSlotBack(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_KITE}, func(r *rig) {
		r.joined(r.router, 1)
		r.socket.bound = 1
		r.deliver("2.0", "3.0")
		r.Settle()
		if r.socket.ended != "END_SLOW" {
			t.Fatalf("ended %q", r.socket.ended)
		}
		testkit.FishFor(r.key, func(m *messages.Release) bool { return true })
		testkit.FishFor(r.router, func(m *messages.Leave) bool { return m.GetConnectionId() == "c1" })
	})
}

func TestNoPongForTwoIntervalsEndsTheConnection(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		r.joined(r.key, 100)
		for range 10 { // a client that answers stays, with no post at all
			r.Advance(30 * time.Second)
			ask := testkit.FishFor[*messages.AskThrough](r.key)
			r.key.Reply(&messages.Through{Position: 100, Join: ask.GetJoin(), Term: 3})
			r.socket.heard = r.Clock.Elapsed()
		}
		if r.socket.ended != "" {
			t.Fatalf("ended %q though pongs came", r.socket.ended)
		}
		r.Advance(91 * time.Second)
		if r.socket.ended != "END_DEAD" {
			t.Fatalf("ended %q", r.socket.ended)
		}
	})
}

// A step of the wall clock, as a time server or a person makes it, neither ends
// a connection whose client answers nor keeps one whose client does not.
func TestTheWallClockEndsNobody(t *testing.T) {
	const year = 366 * 24 * time.Hour
	for _, step := range []time.Duration{70 * time.Second, -70 * time.Second, 5 * time.Minute, -5 * time.Minute, year, -year} {
		run(t, connection.Begin{API: messages.Api_API_TWITTER, Cursors: true}, func(r *rig) {
			r.joined(r.key, 100)
			lives := func(steps int) {
				for range steps {
					r.Clock.Step(step)
					r.Advance(15 * time.Second)
					for _, m := range r.key.Messages() {
						if ask, ok := m.(*messages.AskThrough); ok {
							r.Tell(r.pid, &messages.Through{Position: 100, Join: ask.GetJoin(), Term: 3})
						}
					}
				}
			}
			for range 10 {
				lives(1)
				r.socket.heard = r.Clock.Elapsed()
				r.Tell(r.pid, &messages.Probe{WithinMs: 3000})
				lives(1)
				r.socket.heard = r.Clock.Elapsed()
			}
			if r.socket.ended != "" {
				t.Errorf("steps of %v: ended %q though pongs came", step, r.socket.ended)
			}
			lives(7)
			if r.socket.ended != "END_DEAD" {
				t.Errorf("steps of %v: ended %q though no pong came", step, r.socket.ended)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		r.Advance(time.Second)
		r.Tell(r.pid, &messages.Probe{WithinMs: 3000})
		r.Advance(time.Second)
		r.socket.heard = r.Clock.Elapsed()
		r.Advance(3 * time.Second)
		if r.socket.ended != "" {
			t.Fatal("ended though it answered")
		}
		r.Tell(r.pid, &messages.Probe{WithinMs: 3000})
		r.Advance(3 * time.Second)
		if r.socket.ended != "END_DEAD" {
			t.Fatalf("ended %q", r.socket.ended)
		}
	})
}

func TestTwentyInvalidMessagesInAMinuteEndNewsrankOnly(t *testing.T) {
	send := func(r *rig, n int) {
		for range n {
			r.Tell(r.pid, &messages.ClientInvalid{Error: "no"})
		}
		r.Settle()
	}
	run(t, connection.Begin{API: messages.Api_API_NEWSRANK}, func(r *rig) {
		send(r, 19)
		r.Advance(61 * time.Second)
		r.socket.heard = r.Clock.Elapsed()
		send(r, 1)
		if r.socket.ended != "" {
			t.Fatal("ended for 20 in more than a minute")
		}
		send(r, 19)
		if r.socket.ended != "END_ABUSE" {
			t.Fatalf("ended %q", r.socket.ended)
		}
	})
	run(t, connection.Begin{API: messages.Api_API_KITE}, func(r *rig) {
		send(r, 100)
		if r.socket.ended != "" {
			t.Fatal("kite's connections stay open")
		}
	})
}

func TestIdleCursorKeepsAPlaceNearTheHead(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Cursors: true}
	run(t, cfg, func(r *rig) {
		r.joined(r.router, 100)
		r.deliver("101.0")
		r.want(t, "connected", "cursor 100", "101.0")
		r.Advance(29 * time.Second)
		r.socket.heard = r.Clock.Elapsed()
		r.want(t)
		r.Advance(time.Second)
		r.prove(900)
		r.want(t, "cursor 900")
		r.deliver("850.0", "901.0")
		r.want(t, "901.0")
	})
}

// While the log hardly moves, a proof would tell next to nothing: a client hears where
// it is all the same, and the owner is asked now and then, in case that something was
// lost.
func TestOfALogThatHardlyMovesAnOwnerIsAskedSeldom(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_KITE, Cursors: true}, func(r *rig) {
		r.joined(r.router, at(10))
		r.deliver("45056.0") // at(11)
		r.want(t, "connected", fmt.Sprint("cursor ", at(10)), "45056.0")
		idle := func(d time.Duration) {
			r.Advance(d)
			r.socket.heard = r.Clock.Elapsed()
		}
		r.head = 12
		idle(30 * time.Second)
		r.prove(at(11)) // where it is was not proved before
		here := fmt.Sprint("cursor ", at(11))
		r.want(t, here)
		for range 4 { // it is told with its pings from now on
			r.head += 10
			idle(30 * time.Second)
			r.want(t, here)
		}
		for _, m := range r.router.Messages() {
			if _, asked := m.(*messages.AskThrough); asked {
				t.Error("the owner was asked")
			}
		}
		idle(30 * time.Second)
		r.prove(at(41))
		r.want(t, fmt.Sprint("cursor ", at(41)))
		r.head = 200
		idle(30 * time.Second)
		r.prove(at(199))
		r.want(t, fmt.Sprint("cursor ", at(199)))
	})
}

// A word of the owner's that nobody asked for proves the place as well.
func TestAnOwnerThatSaysHowFarItIsIsNotAsked(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_KITE, Cursors: true}, func(r *rig) {
		r.joined(r.router, at(10))
		r.head = 11
		r.Advance(30 * time.Second)
		r.prove(at(10))
		for minute := range 10 {
			r.Advance(time.Minute)
			r.socket.heard = r.Clock.Elapsed()
			if minute%2 == 0 {
				r.Tell(r.pid, &messages.Through{Position: uint64(at(10)), Join: 1})
			}
		}
		for _, m := range r.router.Messages() {
			if _, asked := m.(*messages.AskThrough); asked {
				t.Error("the owner was asked")
			}
		}
	})
}

// An idle client is told where it is every thirty seconds, whenever it became idle, and
// pinged as often: mostly both at once. A busy one is not told.
func TestAnIdleClientIsToldItsPlaceInTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		run(t, connection.Begin{API: messages.Api_API_KITE, Cursors: true}, func(r *rig) {
			r.joined(r.router, at(10))
			r.head = 11
			r.socket.said = nil
			const late = 31 * time.Second
			head := uint64(20)
			var idle, unsaid, unpinged time.Duration
			second := func() {
				r.Advance(time.Second)
				r.socket.heard = r.Clock.Elapsed()
				for _, m := range r.router.Messages() {
					if ask, ok := m.(*messages.AskThrough); ok {
						head++
						r.Tell(r.pid, &messages.Through{Position: uint64(at(head)), Join: ask.GetJoin(), Number: r.number})
						r.Settle()
					}
				}
				idle, unsaid, unpinged = idle+time.Second, unsaid+time.Second, unpinged+time.Second
				for _, said := range r.socket.said {
					switch {
					case said == "ping":
						unpinged = 0
					case idle < 30*time.Second:
						rt.Fatalf("one that was idle for %v was told %s", idle, said)
					default:
						unsaid = 0
					}
				}
				r.socket.said = nil
				if unsaid > late || unpinged > late {
					rt.Fatalf("nothing was said for %v, no ping came for %v", unsaid, unpinged)
				}
			}
			for range rapid.IntRange(1, 4).Draw(rt, "events") {
				for range rapid.IntRange(1, 100).Draw(rt, "seconds") {
					second()
				}
				head++
				r.deliver(fmt.Sprint(uint64(at(head)), ".0"))
				r.Settle()
				idle, unsaid, r.socket.said = 0, 0, nil
			}
		})
	})
}

// at is the first position of the frame with the sequence.
func at(sequence uint64) messages.Position { return messages.Position(sequence << messages.FrameBits) }

// prove has the owner answer how far it is, which it was asked.
func (r *rig) prove(at messages.Position) {
	ask := testkit.FishFor[*messages.AskThrough](r.router)
	r.router.Reply(&messages.Through{Position: uint64(at), Join: ask.GetJoin(), Number: r.number})
	r.Settle()
}

func TestAFailureReleasesEverything(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		router, key := k.Probe(), k.Probe()
		s := &socket{k: k, heard: k.Clock.Elapsed()}
		parent := k.Supervisor(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
		pid := parent.SpawnProps("connection", connection.Props(config(k, router, key, &history{})))
		k.Tell(pid, &connection.Begin{ID: "c1", KeyID: "key-1", API: messages.Api_API_KITE, Socket: s})
		r := &rig{Kit: k, router: router, pid: pid}
		r.joined(router, 1)
		s.panics = true
		r.deliver("2.0")
		k.Settle()
		testkit.FishFor(router, func(m *messages.Leave) bool { return m.GetConnectionId() == "c1" })
		testkit.FishFor(key, func(m *messages.Release) bool { return m.GetConnectionId() == "c1" })
		if s.ended != "END_INTERNAL" || len(k.Panics()) != 1 {
			t.Fatalf("ended %q", s.ended)
		}
	})
}

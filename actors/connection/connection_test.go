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

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/connection"
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
	heard   time.Time
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
func (s *socket) LastHeard() time.Time       { return s.heard }
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
	deliveries []*messages.Delivery
	first      messages.Position
	fail       int
	requests   []connection.ReplayRequest
}

func (h *history) Replay(_ context.Context, r connection.ReplayRequest) (connection.ReplayResult, error) {
	h.requests = append(h.requests, r)
	if h.fail > 0 {
		h.fail--
		return connection.ReplayResult{}, errors.New("no answer")
	}
	if r.From < h.first {
		return connection.ReplayResult{}, &connection.TrimmedError{First: h.first}
	}
	result := connection.ReplayResult{Through: r.Through}
	for _, d := range h.deliveries {
		p := messages.Position(d.GetPosition())
		if p <= r.From || p > r.Through {
			continue
		}
		result.Deliveries = append(result.Deliveries, d)
		if len(result.Deliveries) >= r.Deliveries {
			result.Through = p
			break
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
	pid         *actor.PID
}

func config(k *testkit.Kit, router, key *testkit.Probe, log connection.Replays) connection.Config {
	return connection.Config{
		Router: router.PID(), Replays: log,
		Owners: actors.OwnersFunc(func(string) *actor.PID { return key.PID() }),
		Clock:  k.Clock, Rand: k.Rand, Reads: func(string) actors.Worker { return k.Worker }, Props: k.Props, Logger: k.Log,
	}
}

func run(t *testing.T, begin connection.Begin, test func(r *rig)) {
	t.Helper()
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, socket: &socket{k: k, heard: k.Clock.Now()}, history: &history{}, router: k.Probe(), lane: k.Probe(), key: k.Probe()}
		begin.ID, begin.KeyID, begin.Socket = "c1", "key-1", r.socket
		cfg := config(k, r.router, r.key, r.history)
		cfg.Semantic = r.lane.PID()
		r.pid = k.SpawnProps("connection", connection.Props(cfg))
		k.Tell(r.pid, &begin)
		r.socket.pid = r.pid
		k.Settle()
		test(r)
	})
}

func deliveries(term, number uint64, at ...string) *messages.Deliveries {
	m := &messages.Deliveries{Term: term, Number: number}
	for _, a := range at {
		var p uint64
		var k uint32
		if _, err := fmt.Sscanf(a, "%d.%d", &p, &k); err != nil {
			panic(err)
		}
		m.Deliveries = append(m.Deliveries, &messages.Delivery{Position: p, K: k, Event: &messages.Event{}})
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

// answerVoids lets one stretch of a replay go up to through.
func (r *rig) answerVoids(through messages.Position) {
	ask := testkit.Expect[*messages.AskVoids](r.router)
	r.router.Reply(&messages.VoidsKnown{From: ask.GetFrom(), Through: uint64(through)})
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
		join := testkit.Expect[*messages.Join](r.router)
		if len(join.GetQuery().GetKite().GetKeywords()) != 0 {
			t.Fatalf("joined with %v", join.GetQuery())
		}
		r.router.Reply(&messages.Joined{Position: 100})
		r.Tell(r.pid, deliveries(0, 0, "101.0"))
		r.want(t, "connected", "101.0")

		r.Tell(r.pid, kite("gold"))
		testkit.Expect[*messages.Join](r.router)
		r.Tell(r.pid, deliveries(0, 0, "102.0"))
		r.router.Reply(&messages.Joined{Position: 102})
		r.Tell(r.pid, deliveries(0, 0, "105.0"))
		r.want(t, "102.0", "subscribed gold", "105.0")

		r.Tell(r.pid, &messages.ClientUnsubscribed{})
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 105})
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
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 100})
		r.Settle()
		r.Tell(r.pid, deliveries(0, 0, "101.0"))
		r.Tell(r.pid, semantic("new"))
		r.Tell(r.pid, newsrank("newer"))
		r.Tell(r.pid, deliveries(0, 0, "104.0"))
		testkit.Expect[*messages.AskThrough](r.router)
		for p := messages.Position(100); p < 120; p++ {
			r.history.add(p)
		}
		r.router.Reply(&messages.Through{Position: 106})
		r.Tell(r.pid, deliveries(0, 0, "107.0")) // the old lane's, sent before it heard Leave
		testkit.Expect[*messages.Leave](r.router)

		ask := testkit.Expect[*messages.AskVoids](r.lane)
		r.lane.Reply(&messages.VoidsKnown{From: ask.GetFrom(), Through: 103}) // it is behind
		testkit.Expect[*messages.Join](r.lane)
		r.lane.Reply(&messages.Joined{Position: 103})
		r.Tell(r.pid, deliveries(0, 0, "105.0", "108.0"))
		r.want(t, "subscribed old", "101.0", "104.0", "subscribed new", "108.0")
		testkit.Expect[*messages.AskThrough](r.lane) // on behalf of the third subscribe
	})
}

func TestNewsrankIsSilentBeforeSubscribe(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_NEWSRANK}, func(r *rig) {
		r.router.ExpectNoMessage(time.Minute - time.Second)
		r.want(t)
		r.Tell(r.pid, newsrank("fed"))
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 7})
		r.want(t, "subscribed fed")
	})
}

func TestNothingComesTwiceAndOrderHolds(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		testkit.Expect[*messages.Join](r.key)
		r.key.Reply(&messages.Joined{Position: 100, Term: 3, Number: 8})
		r.Tell(r.pid, deliveries(3, 9, "100.2", "101.1", "101.4"))
		r.Tell(r.pid, deliveries(2, 10, "103.1")) // an owner that was replaced
		r.Tell(r.pid, deliveries(3, 10, "102.1"))
		r.want(t, "connected", "101.1", "101.4", "102.1")
	})
}

func TestALostMessageIsReadFromTheLog(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		testkit.Expect[*messages.Join](r.key)
		r.key.Reply(&messages.Joined{Position: 100, Term: 3, Number: 8})
		r.Tell(r.pid, deliveries(3, 9, "101.1"))
		r.history.add(101, 1, 2)
		r.history.add(102, 1)
		r.history.add(103, 1)
		r.Tell(r.pid, deliveries(3, 11, "103.1")) // 10 is missing
		r.Settle()
		testkit.Expect[*messages.AskQueries](r.key)
		r.key.Reply(&messages.Queries{Queries: []*messages.Query{{K: 1}}})
		r.answerVoids(103)
		testkit.Expect[*messages.Join](r.key)
		r.key.Reply(&messages.Joined{Position: 103, Term: 3, Number: 11})
		r.Tell(r.pid, deliveries(3, 12, "104.1"))
		r.want(t, "connected", "101.1", "101.2", "102.1", "103.1", "104.1")
	})
}

func TestResumeBetweenTwoFramesOfOnePost(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_TWITTER, Resume: true, Cursors: true, From: 50, FromK: 2}
	run(t, cfg, func(r *rig) {
		r.history.add(49, 1)
		r.history.add(50, 1, 2, 3)
		r.history.add(60, 1)
		testkit.Expect[*messages.AskQueries](r.key)
		r.key.Reply(&messages.Queries{})
		r.answerVoids(70)
		r.want(t, "connected", "50.3", "60.1")
	})
}

func TestTheSeamLosesAndRepeatsNothing(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Resume: true, Cursors: true, From: 10, Filters: kite("x")}
	run(t, cfg, func(r *rig) {
		for p := messages.Position(11); p <= 20; p++ {
			r.history.add(p)
		}
		r.answerVoids(15)
		testkit.Expect[*messages.Join](r.router)
		r.Tell(r.pid, deliveries(0, 0, "19.0")) // live already, and behind Q as well
		r.router.Reply(&messages.Joined{Position: 18})
		r.Tell(r.pid, deliveries(0, 0, "19.0", "20.0"))
		r.answerVoids(21)
		r.want(t, "connected", "subscribed x", "11.0", "12.0", "13.0", "14.0", "15.0", "16.0", "17.0", "18.0", "19.0", "20.0")
		if last := r.history.requests[len(r.history.requests)-1]; last.Through != 18 {
			t.Fatalf("read through %d, want Q = 18", last.Through)
		}
	})
}

func TestReplayWaitsForTheSocket(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Resume: true, From: 10, Filters: kite()}
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
		testkit.Expect[*messages.Join](r.router)
	})
}

func TestTrimmedCursorIsToldAndGoesLive(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Resume: true, Cursors: true, From: 10, Filters: kite()}
	run(t, cfg, func(r *rig) {
		r.history.first = 500
		r.answerVoids(1000)
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 1000})
		r.Tell(r.pid, deliveries(0, 0, "1001.0"))
		r.want(t, "connected", "subscribed ",
			"error: cursor is older than what is kept; the first position still held is 500; live events follow", "1001.0")
	})
}

func TestReplayFailuresAreRetriedThenSaid(t *testing.T) {
	cfg := connection.Begin{API: messages.Api_API_KITE, Resume: true, From: 10, Filters: kite()}
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
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 1})
		r.Settle()
		r.Tell(r.pid, deliveries(0, 0, "2.0", "3.0", "4.0"))
		r.want(t, "subscribed ")
		testkit.Expect[*messages.AskCredit](r.key)
		r.key.Reply(&messages.CreditGranted{Amount: 2})
		r.want(t, "2.0", "3.0")
		ask := testkit.Expect[*messages.AskCredit](r.key)
		if ask.GetUsed() != 2 {
			t.Fatalf("reported %d used, want 2", ask.GetUsed())
		}
		r.Tell(r.pid, newsrank("later"))
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 4})
		r.Tell(r.pid, deliveries(0, 0, "5.0"))
		r.want(t)
		r.key.Request(r.pid, &messages.CreditGranted{Amount: 1})
		r.want(t, "4.0", "subscribed later")
		r.key.Request(r.pid, &messages.CreditExhausted{Used: 3, Limit: 3})
		r.Settle()
		if r.socket.ended != "END_CREDITS" {
			t.Fatalf("ended %q, want for want of credit", r.socket.ended)
		}
		if ask := testkit.Expect[*messages.AskCredit](r.key); ask.GetUsed() != 1 {
			t.Fatalf("reported %d used, want 1", ask.GetUsed())
		}
		report := testkit.Expect[*messages.ReportCredit](r.key)
		if report.GetUsed() != 0 || report.GetReturned() != 0 {
			t.Fatalf("reported %v at the end: all was reported before", report)
		}
		testkit.FishFor(r.key, func(m *messages.Release) bool { return m.GetConnectionId() == "c1" })
	})
}

func TestASlowConsumerIsEndedAndGivesItsSlotBack(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_KITE}, func(r *rig) {
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 1})
		r.Settle()
		r.socket.bound = 1
		r.Tell(r.pid, deliveries(0, 0, "2.0", "3.0"))
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
		for range 10 { // a client that answers stays, with no post at all
			r.Advance(30 * time.Second)
			r.socket.heard = r.Clock.Now()
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

func TestProbe(t *testing.T) {
	run(t, connection.Begin{API: messages.Api_API_TWITTER}, func(r *rig) {
		r.Advance(time.Second)
		r.Tell(r.pid, &messages.Probe{WithinMs: 3000})
		r.Advance(time.Second)
		r.socket.heard = r.Clock.Now()
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
		r.socket.heard = r.Clock.Now()
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
		testkit.Expect[*messages.Join](r.router)
		r.router.Reply(&messages.Joined{Position: 100})
		r.Settle()
		r.Tell(r.pid, deliveries(0, 0, "101.0"))
		r.Advance(29 * time.Second)
		r.socket.heard = r.Clock.Now()
		r.want(t, "connected", "101.0")
		r.Advance(31 * time.Second)
		testkit.FishFor(r.router, func(*messages.AskThrough) bool { return true })
		r.router.Reply(&messages.Through{Position: 900})
		r.want(t, "cursor 900")
		r.Tell(r.pid, deliveries(0, 0, "850.0", "901.0"))
		r.want(t, "901.0")
	})
}

func TestAFailureReleasesEverything(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		router, key := k.Probe(), k.Probe()
		s := &socket{k: k, heard: k.Clock.Now()}
		parent := k.Supervisor(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
		pid := parent.SpawnProps("connection", connection.Props(config(k, router, key, &history{})))
		k.Tell(pid, &connection.Begin{ID: "c1", KeyID: "key-1", API: messages.Api_API_KITE, Socket: s})
		testkit.Expect[*messages.Join](router)
		router.Reply(&messages.Joined{Position: 1})
		k.Settle()
		s.panics = true
		k.Tell(pid, deliveries(0, 0, "2.0"))
		k.Settle()
		testkit.FishFor(router, func(m *messages.Leave) bool { return m.GetConnectionId() == "c1" })
		testkit.FishFor(key, func(m *messages.Release) bool { return m.GetConnectionId() == "c1" })
		if s.ended != "END_INTERNAL" || len(k.Panics()) != 1 {
			t.Fatalf("ended %q", s.ended)
		}
	})
}

package router_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// plainLog is a log in memory; sequences that map to nil are gone for good.
type plainLog struct {
	frames map[uint64]*messages.Frame
	last   uint64
	empty  map[uint64]bool // of those, where nothing was lost
	fail   int
	reads  int
}

func newLog() *plainLog { return &plainLog{frames: map[uint64]*messages.Frame{}} }

func (l *plainLog) append(events ...*messages.Event) *messages.FrameAppended {
	l.last++
	l.frames[l.last] = &messages.Frame{Number: l.last, Events: events}
	return &messages.FrameAppended{Sequence: l.last, Frame: l.frames[l.last]}
}

func (l *plainLog) Bounds(context.Context) (uint64, uint64, error) { return 1, l.last, nil }

func (l *plainLog) Read(_ context.Context, from uint64) (replay.Frames, error) {
	l.reads++
	if l.fail > 0 {
		l.fail--
		return nil, errors.New("no leader")
	}
	return &reading{l, max(from, 1)}, nil
}

type reading struct {
	log  *plainLog
	next uint64
}

func (r *reading) Next(context.Context) (replay.Entry, error) {
	if r.next > r.log.last {
		return replay.Entry{}, io.EOF
	}
	r.next++
	entry := replay.Entry{From: r.next - 1, Sequence: r.next - 1, Frame: r.log.frames[r.next-1]}
	if entry.Frame == nil {
		entry.Loss = messages.Damaged
		if r.log.empty[r.next-1] {
			entry.Loss = messages.NotLost
		}
	}
	return entry, nil
}

func (r *reading) Close() error { return nil }

type rig struct {
	*testkit.Kit
	clock    *slowClock
	log      *plainLog
	pid      *actor.PID
	state    *router.State
	journal  *testkit.Probe
	owner    *testkit.Probe // of every key
	seen     []router.Observation
	boom     bool                     // the next frame's observer fails
	alone    bool                     // it has no journal to slow
	fail     bool                     // the next look at the log's end does
	observed func(router.Observation) // as soon as it is seen
	spoil    func(answer any)         // of the worker that compiles
}

func run(t *testing.T, test func(r *rig)) {
	t.Helper()
	testkit.Run(t, func(k *testkit.Kit) {
		r := &rig{Kit: k, clock: &slowClock{Clock: k.Clock}, log: newLog(), journal: k.Probe(), owner: k.Probe()}
		r.start(t)
		test(r)
	})
}

func (r *rig) start(t *testing.T) {
	t.Helper()
	state, err := router.Begin(context.Background(), r.log, index.Config{})
	if err != nil {
		t.Fatal(err)
	}
	r.state = state
	r.pid = r.SpawnProps("router", router.Props(router.Config{
		Log: r.log, State: state, Clock: r.clock, Worker: r.Worker, Props: r.Props, Logger: r.Log,
		Owners: actors.OwnersFunc(func(string) *actor.PID { return r.owner.PID() }),
		Journal: func() *actor.PID {
			if r.alone {
				return nil
			}
			return r.journal.PID()
		},
		Compile: func(string) actors.Worker { return spoiler{r} },
		Lagging: func(time.Duration) {
			if r.fail {
				r.fail = false
				panic("a bug")
			}
		},
		Observe: func(o router.Observation) {
			r.seen = append(r.seen, o)
			if r.observed != nil {
				r.observed(o)
			}
			if r.boom {
				r.boom = false
				panic("a bug")
			}
		},
	}))
	r.Settle()
}

// spoiler is the kit's worker, whose answers a test may spoil.
type spoiler struct{ *rig }

func (s spoiler) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	return s.Worker.Do(to, timeout, func(ctx context.Context) any {
		answer := work(ctx)
		if s.spoil != nil {
			s.spoil(answer)
		}
		return answer
	})
}

func post(id, text string) *messages.Event {
	return &messages.Event{Id: "post:" + id, Body: &messages.Event_Post{Post: &messages.Post{
		Id: id, Text: text, Author: &messages.Author{Id: "7", Username: "NASA"},
	}}}
}

func article(id, title string) *messages.Event {
	return &messages.Event{Id: "article:" + id, Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Action: messages.ArticleAction_ARTICLE_CREATED, Revision: 1,
		Article: &messages.Article{Id: id, Title: title, Category: "business", SourceName: "Wire", SourceId: "wire"},
	}}}
}

// subscribe joins a kite connection that wants the keywords.
func (r *rig) subscribe(p *testkit.Probe, id string, keywords ...string) *messages.Joined {
	p.Request(r.pid, &messages.Join{ConnectionId: id, Connection: actors.RefOf(p.PID()), Query: &messages.Query{
		Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Keywords: keywords}},
	}})
	return testkit.Expect[*messages.Joined](p)
}

// got drains what the probe was delivered.
func got(p *testkit.Probe) (positions []messages.Position) {
	for _, m := range p.Messages() {
		if ds, ok := m.(*messages.Deliveries); ok {
			for _, d := range ds.GetDeliveries() {
				positions = append(positions, messages.Position(d.GetPosition()))
			}
		}
	}
	return positions
}

func want(t *testing.T, p *testkit.Probe, positions ...messages.Position) {
	t.Helper()
	if have := got(p); !slices.Equal(have, positions) {
		t.Fatalf("delivered %v, want %v", have, positions)
	}
}

func TestFramesAreHandledInSequence(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		one, two, three := r.log.append(article("1", "a")), r.log.append(article("2", "b")), r.log.append(article("3", "c"), article("4", "d"))
		r.Tell(r.pid, three)
		r.Tell(r.pid, one)
		r.Tell(r.pid, one)
		r.Settle()
		want(t, c, messages.At(1, 0))
		r.Tell(r.pid, two)
		r.Settle()
		want(t, c, messages.At(2, 0), messages.At(3, 0), messages.At(3, 1))
	})
}

func TestAHoleIsReadFromTheLog(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.log.append(article("1", "a"))
		r.log.fail = 1
		r.Tell(r.pid, r.log.append(article("2", "b")))
		r.Advance(49 * time.Millisecond)
		want(t, c)
		r.Advance(time.Second) // the first reading fails, the next does not
		want(t, c, messages.At(1, 0), messages.At(2, 0))
	})
}

func TestALostLastFrameIsFound(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		for i := range 1000 { // more than one reading takes
			r.log.append(article(fmt.Sprint(i), "a"))
		}
		r.Advance(250 * time.Millisecond)
		if n := len(got(c)); n != 1000 {
			t.Fatalf("%d of 1,000 frames were found", n)
		}
	})
}

func TestWhatIsGoneForGoodIsCountedAndPassed(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.log.append(article("1", "a"))
		r.log.append(article("2", "b"))
		r.log.append(article("3", "c"))
		r.log.append(article("4", "d"))
		r.log.append(article("5", "e"))
		r.log.frames[2], r.log.frames[4], r.log.empty = nil, nil, map[uint64]bool{4: true}
		r.Advance(time.Second)
		want(t, c, messages.At(1, 0), messages.At(3, 0), messages.At(5, 0))
		skipped := uint64(0)
		for _, o := range r.seen {
			skipped += o.Skipped
		}
		if skipped != 1 {
			t.Fatalf("%d frames counted as skipped, want 1", skipped)
		}
	})
}

func TestRepeatsAreDroppedAndKnownByPosition(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.Tell(r.pid, r.log.append(article("1", "a"), article("2", "b"), article("1", "a")))
		r.Tell(r.pid, r.log.append(article("2", "b"), article("3", "c")))
		r.Settle()
		want(t, c, messages.At(1, 0), messages.At(1, 1), messages.At(2, 1))
		c.Request(r.pid, &messages.AskVoids{From: uint64(messages.At(1, 0))})
		known := testkit.Expect[*messages.VoidsKnown](c)
		if !slices.Equal(known.GetPositions(), []uint64{uint64(messages.At(1, 2)), uint64(messages.At(2, 0))}) {
			t.Fatalf("voids %v", known.GetPositions())
		}
		if known.GetThrough() != uint64(messages.EndOf(2)) || known.GetSince() != 0 {
			t.Fatalf("known %v", known)
		}
	})
}

// A router that starts later must call the same events repeats as one that saw
// them all.
func TestARouterThatBeginsLaterDecidesAlike(t *testing.T) {
	run(t, func(r *rig) {
		for i := range 3 * repeat.Size / 256 {
			var events []*messages.Event
			for j := range 256 {
				n := i*256 + j
				if n%5 == 4 {
					n -= 1001 // came before
				}
				events = append(events, article(fmt.Sprint(n), "a"))
			}
			r.log.append(events...)
		}
		r.Advance(10 * time.Second)
		first := r.Probe()
		first.Request(r.pid, &messages.AskVoids{})
		all := testkit.Expect[*messages.VoidsKnown](first).GetPositions()

		r.Stop(r.pid)
		r.start(t)
		first.Request(r.pid, &messages.AskVoids{})
		later := testkit.Expect[*messages.VoidsKnown](first)
		i := slices.IndexFunc(all, func(p uint64) bool { return p > later.GetSince() })
		if later.GetSince() == 0 || i <= 0 {
			t.Fatalf("since %d: the log was short enough to be read whole, and the test shows nothing", later.GetSince())
		}
		if !slices.Equal(all[i:], later.GetPositions()) {
			t.Fatalf("%d repeats after %d, want %d", len(later.GetPositions()), later.GetSince(), len(all[i:]))
		}
	})
}

func TestFiltersChangeAtOnePlace(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c", "gold")
		r.Tell(r.pid, r.log.append(article("1", "gold up"), article("2", "oil up")))
		joined := r.subscribe2(c, "c", "oil")
		if joined != uint64(messages.EndOf(1)) {
			t.Fatalf("joined at %d", joined)
		}
		r.Tell(r.pid, r.log.append(article("3", "gold up"), article("4", "oil up")))
		r.Settle()
		want(t, c, messages.At(2, 1))
	})
}

// subscribe2 joins again, where deliveries of the old filters come before the answer.
func (r *rig) subscribe2(p *testkit.Probe, id string, keywords ...string) uint64 {
	p.Request(r.pid, &messages.Join{ConnectionId: id, Connection: actors.RefOf(p.PID()), Query: &messages.Query{
		Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Keywords: keywords}},
	}})
	old := testkit.Expect[*messages.Deliveries](p)
	if len(old.GetDeliveries()) != 1 || old.GetDeliveries()[0].GetPosition() != uint64(messages.At(1, 0)) {
		panic(fmt.Sprint("by the old filters: ", old))
	}
	return testkit.Expect[*messages.Joined](p).GetPosition()
}

func TestConnectionsThatAreSentTheSameShareOneMessage(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.Probe(), r.Probe(), r.Probe()
		r.subscribe(a, "a", "gold")
		r.subscribe(b, "b", "gold")
		r.subscribe(c, "c", "gold", "oil")
		r.Tell(r.pid, r.log.append(article("1", "gold"), article("2", "oil"), article("3", "gold")))
		first, second, third := testkit.Expect[*messages.Deliveries](a), testkit.Expect[*messages.Deliveries](b), testkit.Expect[*messages.Deliveries](c)
		if first != second {
			t.Error("two connections were sent the same events in two messages")
		}
		if len(first.GetDeliveries()) != 2 || len(third.GetDeliveries()) != 3 {
			t.Errorf("delivered %v and %v", first, third)
		}
	})
}

func TestAConnectionThatEndedIsForgotten(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.Tell(r.pid, &messages.Leave{ConnectionId: "c"})
		r.Tell(r.pid, r.log.append(article("1", "a")))
		c.ExpectNoMessage(time.Second)
	})
}

// A failure in the middle of a frame must not lose it silently: everyone is
// sent to the log, and the next frame is handled.
func TestAFailureSendsEveryoneToTheLog(t *testing.T) {
	run(t, func(r *rig) {
		c := r.Probe()
		r.subscribe(c, "c")
		r.boom = true
		r.Tell(r.pid, r.log.append(article("1", "a")))
		r.Settle()
		if n := len(r.Panics()); n != 0 {
			t.Fatalf("%d panics: a frame must not cost a restart", n)
		}
		if m := testkit.FishFor[*messages.Through](c); m.GetNumber() != end(1) || m.GetPosition() != end(1) {
			t.Fatalf("told %v", m)
		}
		r.Tell(r.pid, r.log.append(article("x", "a")))
		m := testkit.Expect[*messages.Deliveries](c)
		if m.GetPrevious() != end(1) || m.GetNumber() != end(2) || len(m.GetDeliveries()) != 1 {
			t.Fatalf("then came %v", m)
		}
	})
}

package router_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// This file has source, journal and two routers together, with every message
// between them lost, doubled and late in turn, and each of them restarted.

// Append makes plainLog the journal's log: a frame once under its name.
func (l *plainLog) Append(_ context.Context, f *messages.Frame) (uint64, error) {
	for sequence := l.last; sequence > 0 && sequence+4 > l.last; sequence-- {
		if l.frames[sequence].GetNumber() == f.GetNumber() {
			return sequence, nil
		}
	}
	l.last++
	l.frames[l.last] = f
	return l.last, nil
}

type fault string

const (
	lost    fault = "lost"
	doubled fault = "doubled"
	late    fault = "late"
)

// network carries messages between actors and does one of them harm.
type network struct {
	clock   actors.Clock
	carried []string // the type of each message so far
	at      int      // of carried, the one that comes to harm; -1: none
	harm    fault
	cut     bool // frames are lost, all of them
}

// link is an actor that a takes for b, and b for a.
type link struct {
	net  *network
	a, b func() *actor.PID
}

type delayed struct {
	to      *actor.PID
	message any
}

func (l *link) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *delayed:
		ctx.Request(m.to, m.message)
	case *messages.Offer, *messages.SlowDown, *messages.SpeedUp:
		l.carry(ctx, l.b(), m)
	case *messages.FrameAppended:
		if !l.net.cut {
			l.carry(ctx, l.a(), m)
		}
	case *messages.Appended, *messages.OfferRefused:
		l.carry(ctx, l.a(), m)
	}
}

func (l *link) carry(ctx actor.Context, to *actor.PID, message any) {
	n := len(l.net.carried)
	l.net.carried = append(l.net.carried, fmt.Sprintf("%T", message))
	if n != l.net.at {
		ctx.Request(to, message)
		return
	}
	switch l.net.harm {
	case lost:
	case doubled:
		ctx.Request(to, message)
		ctx.Request(to, message)
	case late:
		l.net.clock.After(3*time.Second, ctx.Self(), &delayed{to, message})
	}
}

// whole is a node's way of a post, as far as its key.
type whole struct {
	*testkit.Kit
	clock   *slowClock
	net     *network
	log     *plainLog
	pusher  *testkit.Probe
	owner   *testkit.Probe
	push    *actor.PID
	routers []*actor.PID // the second one slows nobody
	offers  uint64

	answered map[uint64]bool // offers, and whether they were taken
	ticks    int             // of the first router
	failAt   int             // the tick in which it fails; 0: none
	appends  int
	breakAt  int // the append after which the journal fails; 0: none
}

func newWhole(t *testing.T, k *testkit.Kit) *whole {
	w := &whole{
		Kit: k, clock: &slowClock{Clock: k.Clock}, net: &network{clock: k.Clock, at: -1}, log: newLog(),
		pusher: k.Probe(), owner: k.Probe(), answered: map[uint64]bool{},
	}
	state, err := router.Begin(context.Background(), w.log, index.Config{})
	if err != nil {
		t.Fatal(err)
	}
	states := []*router.State{state, state.Fork(index.Config{})}
	window := state.Window()
	var journalPID *actor.PID
	links := make([]*actor.PID, 2)
	for i := range states {
		links[i] = k.Spawn("link", func() actor.Actor {
			return &link{w.net, func() *actor.PID { return w.routers[i] }, func() *actor.PID { return journalPID }}
		})
	}
	for i, state := range states {
		cfg := router.Config{
			Log: w.log, State: state, Clock: w.clock, Worker: k.Worker, Props: k.Props, Logger: k.Log,
			Owners: actors.OwnersFunc(func(string) *actor.PID { return w.owner.PID() }),
		}
		if i == 0 {
			cfg.Journal = func() *actor.PID { return links[0] }
			cfg.Lagging = func(time.Duration) {
				if w.ticks++; w.ticks == w.failAt {
					panic("a bug in a router")
				}
			}
		}
		w.routers = append(w.routers, k.SpawnProps("router", router.Props(cfg)))
	}
	journalPID = k.SpawnProps("journal", journal.Props(journal.Config{
		Node: "n", Incarnation: 1, Log: w.log, State: journal.NewState(window), Clock: w.clock, Worker: k.Worker, Props: k.Props,
		Logger: k.Log, Routers: func() []*actor.PID { return links },
		Observe: func(journal.Observation) {
			if w.appends++; w.appends == w.breakAt {
				panic("a bug in a journal")
			}
		},
	}))
	toJournal := k.Spawn("link", func() actor.Actor {
		return &link{w.net, func() *actor.PID { return w.push }, func() *actor.PID { return journalPID }}
	})
	w.push = k.SpawnProps("push", source.PushProps(source.Config{
		ID: "push", Clock: w.clock, Rand: k.Rand, Worker: k.Worker, Props: k.Props, Journal: toJournal, Logger: k.Log,
	}))
	for _, router := range w.routers[:1] {
		w.owner.Request(router, &messages.PutQueries{KeyId: "key-1", Term: 1, Put: []*messages.Query{{K: 1, Want: &messages.Query_Rule{Rule: "moon"}}}})
		testkit.Expect[*messages.QueriesPut](w.owner)
	}
	return w
}

// pushing pushes a post every half a second of d, as a client does.
func (w *whole) pushing(d time.Duration) {
	for range int(d / (500 * time.Millisecond)) {
		w.offers++
		w.pusher.Request(w.push, &messages.Offer{Id: w.offers, Events: []*messages.Event{post(fmt.Sprint("p", w.offers), "the moon")}})
		w.Advance(500 * time.Millisecond)
	}
	for _, m := range w.pusher.Messages() {
		switch m := m.(type) {
		case *messages.Appended:
			w.answered[m.GetId()] = true
		case *messages.OfferRefused:
			w.answered[m.GetId()] = w.answered[m.GetId()]
		}
	}
}

// story is what befalls them: a pause of the process with a frame under way, and
// a log that cannot be read for a time, while frames are lost.
func (w *whole) story() {
	w.pushing(2 * time.Second)
	w.net.cut = true
	w.pushing(500 * time.Millisecond)
	w.net.cut = false
	w.pushing(500 * time.Millisecond)
	w.clock.paused += 4 * time.Second
	w.pushing(4 * time.Second)
	w.net.cut, w.log.fail = true, 1<<20
	w.pushing(time.Second)
	w.net.cut = false
	w.pushing(5 * time.Second)
	w.log.fail = 0
	w.pushing(4 * time.Second)
}

// matched is what the key was told, and how many stretches it was told that it
// has missed.
func (w *whole) matched() (positions []messages.Position, missed int) {
	number := uint64(0)
	for _, m := range w.owner.Messages() {
		switch m := m.(type) {
		case *messages.Matched:
			if m.GetNumber() != number+1 {
				missed++
			}
			number = m.GetNumber()
			for _, h := range m.GetHits() {
				positions = append(positions, messages.Position(h.GetPosition()))
			}
		case *messages.Through:
			if m.GetNumber() != number {
				missed++
			}
			number = m.GetNumber()
		}
	}
	return positions, missed
}

// check: pushes are taken again soon after the last trouble, what was
// acknowledged is in the log once, and the key is told all of it, in order.
func (w *whole) check(t *testing.T) {
	t.Helper()
	before := w.offers
	w.pushing(2 * time.Second)
	for id := before + 1; id <= w.offers; id++ {
		if !w.answered[id] {
			t.Errorf("push %d of %d was not taken: %s", id, w.offers, w.last(id))
			break
		}
	}
	held := map[string]int{}
	var all []messages.Position
	for sequence := uint64(1); sequence <= w.log.last; sequence++ {
		for i, e := range w.log.frames[sequence].GetEvents() {
			held[e.GetId()]++
			all = append(all, messages.At(sequence, i))
		}
	}
	for id, taken := range w.answered {
		if n := held[post(fmt.Sprint("p", id), "").GetId()]; n > 1 || taken && n == 0 {
			t.Errorf("push %d, taken %v, is %d times in the log", id, taken, n)
		}
	}
	told, missed := w.matched()
	if !slices.IsSorted(told) || len(slices.Compact(slices.Clone(told))) != len(told) {
		t.Errorf("the key was told %v", told)
	}
	if missed > 0 || !slices.Equal(told, all) {
		t.Errorf("the key was told %d of %d, %d missed", len(told), len(all), missed)
	}
}

func (w *whole) last(id uint64) string {
	if _, answered := w.answered[id]; !answered {
		return "not answered"
	}
	return "refused"
}

func TestTheWholeWayTakesPushesAgain(t *testing.T) {
	var carried []string
	testkit.Run(t, func(k *testkit.Kit) {
		w := newWhole(t, k)
		w.story()
		refused := 0
		for _, taken := range w.answered {
			if !taken {
				refused++
			}
		}
		if refused == 0 || refused > 12 {
			t.Errorf("%d of %d pushes were refused: the story slows nobody, or for too long", refused, w.offers)
		}
		carried = w.net.carried
		w.check(t)
	})
	if !slices.Contains(carried, "*messages.SlowDown") || !slices.Contains(carried, "*messages.SpeedUp") {
		t.Fatal("nobody was slowed: the test shows nothing")
	}
	for n, what := range carried {
		for _, harm := range []fault{lost, doubled, late} {
			t.Run(fmt.Sprintf("%d-%s-%s", n, what, harm), func(t *testing.T) {
				testkit.Run(t, func(k *testkit.Kit) {
					w := newWhole(t, k)
					w.net.at, w.net.harm = n, harm
					w.story()
					w.check(t)
				})
			})
		}
	}
}

func TestTheWholeWayWithARouterOrTheJournalRestarted(t *testing.T) {
	for at := 2; at < 65; at += 3 {
		t.Run(fmt.Sprintf("router-%d", at), func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				w := newWhole(t, k)
				w.failAt = at
				w.story()
				if n := len(k.Panics()); n != 1 {
					t.Fatalf("%d panics", n)
				}
				w.check(t)
			})
		})
	}
	for at := 1; at < 25; at++ {
		t.Run(fmt.Sprintf("journal-%d", at), func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				w := newWhole(t, k)
				w.breakAt = at
				w.story()
				if n := len(k.Panics()); n != 1 {
					t.Fatalf("%d panics", n)
				}
				w.check(t)
			})
		})
	}
}

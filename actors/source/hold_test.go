package source_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// bounded is a push source that takes three events at a time.
func bounded(t *testing.T, k *testkit.Kit) (*world, *actor.PID) {
	w := newWorld(t, k)
	w.cfg.ID, w.cfg.Kind, w.cfg.MaxUnacked = "push", "push", 3
	return w, w.SpawnProps("push", source.PushProps(w.cfg))
}

func offerOf(call, id uint64, posts ...string) *messages.Offer {
	o := &messages.Offer{Id: id, Call: call, Continues: id > 1}
	for _, name := range posts {
		o.Events = append(o.Events, readyPost(name))
	}
	return o
}

func names(o *messages.Offer) string {
	var all []string
	for _, e := range o.GetEvents() {
		all = append(all, e.GetPost().GetId())
	}
	return strings.Join(all, " ")
}

// What continues a body waits for room, in order; a new body is refused
// in that time, and taken when nothing waits any more.
func TestTheRestOfABodyWaits(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid := bounded(t, k)
		p, other := k.Probe(), k.Probe()
		p.Request(pid, offerOf(1, 1, "a"))
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		testkit.Expect[*messages.Appended](p)
		for id := uint64(2); id <= 5; id++ {
			p.Request(pid, offerOf(1, id, fmt.Sprint("b", id), fmt.Sprint("c", id)))
		}
		other.Request(pid, offerOf(2, 1, "x", "y"))
		if r := testkit.Expect[*messages.OfferRefused](other); r.GetReason() != messages.RefuseReason_REFUSE_BUSY {
			t.Errorf("a new body that does not fit: %v", r)
		}
		for id := uint64(2); id <= 5; id++ {
			o := testkit.Expect[*messages.Offer](w.journal)
			if want := fmt.Sprintf("b%d c%d", id, id); names(o) != want {
				t.Fatalf("offered %q, want %q", names(o), want)
			}
			w.journal.ExpectNoMessage(0)
			w.ack(o)
			if a := testkit.Expect[*messages.Appended](p); a.GetId() != id {
				t.Fatalf("answered %v, want %d", a, id)
			}
		}
		other.Request(pid, offerOf(2, 1, "x"))
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		testkit.Expect[*messages.Appended](other)
	})
}

// A journal that refuses for a while is asked again, in order.
func TestTheRestOfABodyWaitsForTheJournal(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		p.Request(pid, offerOf(1, 1, "a"))
		w.ack(testkit.Expect[*messages.Offer](w.journal))
		testkit.Expect[*messages.Appended](p)
		p.Request(pid, offerOf(1, 2, "b"))
		p.Request(pid, offerOf(1, 3, "c"))
		k.Settle()
		o := testkit.Expect[*messages.Offer](w.journal) // one of a body at a time: none overtakes another
		w.journal.ExpectNoMessage(0)
		w.journal.Request(pid, &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 2000, Detail: "slow"})
		p.ExpectNoMessage(1900 * time.Millisecond)
		w.journal.ExpectNoMessage(0)
		if s := w.describe(pid).GetStatus(); s != "waiting" {
			t.Errorf("status %q", s)
		}
		other := k.Probe()
		other.Request(pid, offerOf(2, 1, "x"))
		if r := testkit.Expect[*messages.OfferRefused](other); r.GetReason() != messages.RefuseReason_REFUSE_BUSY {
			t.Errorf("a new body before those that were begun: %v", r)
		}
		k.Advance(100 * time.Millisecond)
		for _, want := range []string{"b", "c"} {
			o := testkit.Expect[*messages.Offer](w.journal)
			if names(o) != want {
				t.Fatalf("offered %q, want %q", names(o), want)
			}
			w.ack(o)
			testkit.Expect[*messages.Appended](p)
		}
	})
}

// A body that waits for too long is given up whole: no part of it is taken
// after a part that was not.
func TestABodyIsGivenUpWhole(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid := bounded(t, k)
		p, other := k.Probe(), k.Probe()
		for probe, call := range map[*testkit.Probe]uint64{p: 1, other: 2} {
			probe.Request(pid, offerOf(call, 1, "a", "b"))
			w.ack(testkit.Expect[*messages.Offer](w.journal))
			testkit.Expect[*messages.Appended](probe)
		}
		p.Request(pid, offerOf(1, 2, "c", "d"))
		stuck := testkit.Expect[*messages.Offer](w.journal)
		p.Request(pid, offerOf(1, 3, "e", "f"))
		k.Advance(10 * time.Second)
		other.Request(pid, offerOf(2, 2, "x", "y"))
		p.Request(pid, offerOf(1, 4, "g"))
		p.ExpectNoMessage(19 * time.Second)
		k.Advance(time.Second) // the journal never answers for "c d", and "e f" has waited for 30 s
		var refused []uint64
		for _, m := range p.Messages() {
			r, ok := m.(*messages.OfferRefused)
			if !ok {
				t.Fatalf("%v", m)
			}
			refused = append(refused, r.GetId())
		}
		slices.Sort(refused)
		if fmt.Sprint(refused) != "[2 3 4]" {
			t.Errorf("refused %v", refused)
		}
		p.Request(pid, offerOf(1, 5, "h")) // on its way when the body was given up
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetId() != 5 {
			t.Errorf("%v", r)
		}
		w.journal.Request(pid, &messages.Appended{Id: stuck.GetId()}) // too late
		o := testkit.Expect[*messages.Offer](w.journal)
		if names(o) != "x y" {
			t.Errorf("offered %q: the other body goes on", names(o))
		}
		w.ack(o)
		testkit.Expect[*messages.Appended](other)
	})
}

// An offer of which the journal took a part is refused with that part named,
// or goes on with the rest.
func TestAPartOfAnOffer(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		p.Request(pid, offerOf(1, 1, "a", "b", "c", "d"))
		o := testkit.Expect[*messages.Offer](w.journal)
		w.journal.Request(pid, &messages.OfferRefused{
			Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 100, Taken: 2, Duplicates: []uint32{1},
		})
		p.ExpectNoMessage(0)
		k.Advance(100 * time.Millisecond)
		o = testkit.Expect[*messages.Offer](w.journal)
		if names(o) != "c d" {
			t.Fatalf("offered %q again", names(o))
		}
		w.journal.Request(pid, &messages.Appended{Id: o.GetId(), Duplicates: []uint32{0}})
		if a := testkit.Expect[*messages.Appended](p); fmt.Sprint(a.GetDuplicates()) != "[1 2]" {
			t.Errorf("%v", a)
		}
		p.Request(pid, offerOf(1, 2, "e", "f", "g"))
		o = testkit.Expect[*messages.Offer](w.journal)
		w.journal.Request(pid, &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_DISK_FULL, Taken: 2, Duplicates: []uint32{0}})
		if r := testkit.Expect[*messages.OfferRefused](p); r.GetTaken() != 2 || fmt.Sprint(r.GetDuplicates()) != "[0]" || r.GetReason() != messages.RefuseReason_REFUSE_DISK_FULL {
			t.Errorf("%v", r)
		}
		if d := w.describe(pid); d.GetEvents() != 3 || d.GetDuplicates() != 3 {
			t.Errorf("%v", d)
		}
	})
}

// Articles wait as posts do, and what was appended in an earlier try is no
// duplicate for that.
func TestTheRestOfABodyOfArticlesWaits(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid, p := pushWorld(t, k)
		offer := func(id uint64, names ...string) *messages.Offer {
			o := &messages.Offer{Id: id, Call: 1, Continues: id > 1}
			for _, n := range names {
				o.Events = append(o.Events, pushed(n, "s", n))
			}
			return o
		}
		p.Request(pid, offer(1, "a"))
		w.offer()
		testkit.Expect[*messages.Appended](p)
		p.Request(pid, offer(2, "b", "c"))
		o := testkit.Expect[*messages.Offer](w.journal)
		w.journal.Request(pid, &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 500})
		p.ExpectNoMessage(0)
		k.Advance(time.Second)
		wantLines(t, summary(w.offer()), "create b 1", "create c 1")
		if a := testkit.Expect[*messages.Appended](p); a.GetId() != 2 || len(a.GetDuplicates()) != 0 {
			t.Errorf("%v", a)
		}
	})
}

// pusher is a body on its way, as package push sends it: the first offer alone,
// then at most four, none after a refusal.
type pusher struct {
	probe   *testkit.Probe
	call    uint64
	size    int // offers
	next    uint64
	open    int
	begun   bool
	refused uint64 // the first offer that was refused; 0: none
	busy    int    // first offers refused
	taken   map[uint64]bool
}

func (u *pusher) done() bool {
	return u.open == 0 && (u.refused != 0 || int(u.next) > u.size)
}

func (u *pusher) step(pid *actor.PID) {
	for _, m := range u.probe.Messages() {
		u.open--
		switch m := m.(type) {
		case *messages.Appended:
			u.begun, u.taken[m.GetId()] = true, true
		case *messages.OfferRefused:
			if m.GetId() == 1 {
				u.next, u.busy = 1, u.busy+1 // the client comes again
			} else if u.refused == 0 || m.GetId() < u.refused {
				u.refused = m.GetId()
			}
		}
	}
	for u.refused == 0 && int(u.next) <= u.size && (u.open == 0 || u.begun && u.open < 4) {
		u.probe.Request(pid, offerOf(u.call, u.next, fmt.Sprintf("%d.%d", u.call, u.next)))
		u.next, u.open = u.next+1, u.open+1
	}
}

// TestBodiesAreTakenInOrderOrGivenUp: many bodies against a journal that is
// late, refuses, or does not answer. What is durable of a body is its
// beginning, in order; only what nobody answered may be durable and not said to be.
func TestBodiesAreTakenInOrderOrGivenUp(t *testing.T) {
	for seed := range uint64(60) {
		testkit.Run(t, func(k *testkit.Kit) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, k)
			w.cfg.ID, w.cfg.Kind, w.cfg.MaxUnacked, w.cfg.OfferTimeout, w.cfg.HoldMost = "push", "push", 4, 5*time.Second, 10*time.Second
			pid := w.SpawnProps("push", source.PushProps(w.cfg))
			var pushers []*pusher
			for call := range uint64(8) {
				pushers = append(pushers, &pusher{probe: k.Probe(), call: call + 1, size: 1 + rnd.IntN(12), next: 1, taken: map[uint64]bool{}})
			}
			log := map[uint64][]uint64{} // what is durable of each body, in order
			silent := map[uint64]bool{}  // bodies of which an offer was never answered
			var late []*messages.Offer
			for round := 0; slices.ContainsFunc(pushers, func(u *pusher) bool { return !u.done() }); round++ {
				if round > 5000 {
					t.Fatalf("seed %d: it does not end", seed)
				}
				for _, u := range pushers {
					u.step(pid)
				}
				k.Settle()
				for _, m := range w.journal.Messages() {
					late = append(late, m.(*messages.Offer))
				}
				slow := round/20%3 == 1
				for len(late) > 0 && rnd.IntN(3) > 0 {
					o := late[0]
					late = late[1:]
					var call, id uint64
					_, _ = fmt.Sscanf(names(o), "%d.%d", &call, &id)
					switch {
					case slow:
						w.journal.Request(pid, &messages.OfferRefused{Id: o.GetId(), Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: 500})
					case rnd.IntN(60) == 0:
						silent[call] = true
					default:
						log[call] = append(log[call], id)
						w.journal.Request(pid, &messages.Appended{Id: o.GetId()})
					}
				}
				k.Advance(time.Duration(rnd.IntN(300)) * time.Millisecond)
			}
			for _, u := range pushers {
				whole := slices.Clone(log[u.call])
				slices.Sort(whole)
				if !slices.Equal(whole, log[u.call]) {
					t.Errorf("seed %d: body %d is out of order: %v", seed, u.call, log[u.call])
				}
				for n, id := range slices.Compact(whole) {
					if int(id) != n+1 && !silent[u.call] {
						t.Errorf("seed %d: of body %d %v is durable", seed, u.call, whole)
					}
					if !u.taken[id] && !silent[u.call] {
						t.Errorf("seed %d: offer %d of body %d is durable and was not said to be", seed, id, u.call)
					}
				}
				if u.refused == 0 && len(slices.Compact(whole)) != u.size && !silent[u.call] {
					t.Errorf("seed %d: of body %d with %d offers %v is durable", seed, u.call, u.size, whole)
				}
			}
		})
	}
}

// Nothing is held for longer than it may be, however much is held before it:
// whoever asked waits for a word, and takes silence for a loss.
func TestNothingIsHeldForLonger(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		w, pid := bounded(t, k)
		w.cfg.HoldMost = 30 * time.Second // the default
		var pushers []*testkit.Probe
		for call := range uint64(4) {
			p := k.Probe()
			p.Request(pid, offerOf(call+1, 1, "a"))
			w.ack(testkit.Expect[*messages.Offer](w.journal))
			testkit.Expect[*messages.Appended](p)
			pushers = append(pushers, p)
		}
		// A new body that the journal does not answer takes all the room, and
		// every other waits for it.
		k.Probe().Request(pid, offerOf(9, 1, "x", "y", "z"))
		testkit.Expect[*messages.Offer](w.journal)
		for n, p := range pushers {
			p.Request(pid, offerOf(uint64(n)+1, 2, "b", "c"))
			p.Request(pid, offerOf(uint64(n)+1, 3, "d"))
		}
		k.Advance(w.cfg.HoldMost + time.Second)
		for n, p := range pushers {
			if refused := p.Messages(); len(refused) != 2 {
				t.Errorf("after %v the pusher of body %d has heard %v", w.cfg.HoldMost, n+1, refused)
			}
		}
	})
}

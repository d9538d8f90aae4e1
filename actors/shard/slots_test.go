package shard_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func (r *rig) want(want ...string) {
	r.t.Helper()
	if got := r.answers(); !slices.Equal(got, want) {
		r.t.Errorf("answers %v, want %v", got, want)
	}
}

func TestASlotIsTakenOnceItIsDurable(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.answers()
		k.Worker.Hold()
		r.ask(slot(keyID, "c1"), 1)
		k.Advance(4 * time.Millisecond)
		r.ask(slot(keyID, "c2"), 1) // counts what is on its way
		r.want("full c2")
		k.Advance(time.Second)
		r.want()
		k.Worker.Release()
		r.want("taken c1")
		if !connections(r.record())["c1"] {
			t.Error("not in the record")
		}
		r.ask(slot(keyID, "c1"), 1) // asked again: the same slot
		r.want("taken c1")
	})
}

func TestChangesAreWrittenInGroups(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.answers()
		before := records(k).Calls(memory.ControlCAS)
		for i := range 100 {
			r.ask(slot(keyID, fmt.Sprint("a", i)), 1000)
		}
		k.Worker.Hold()
		k.Advance(5 * time.Millisecond)
		for i := range 100 { // while the first group is written
			r.ask(slot(keyID, fmt.Sprint("b", i)), 1000)
		}
		k.Worker.Release()
		if got := len(r.answers()); got != 200 {
			t.Errorf("%d answers", got)
		}
		if n := records(k).Calls(memory.ControlCAS) - before; n != 2 {
			t.Errorf("%d writes", n)
		}
	})
}

func TestAFreedSlotMakesRoomAtOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.take(keyID, "c1", 1)
		r.free(keyID, "c1")
		r.take(keyID, "c2", 1)
		r.want("taken c1", "taken c2")
		if got := connections(r.record()); len(got) != 1 || !got["c2"] {
			t.Errorf("record has %v", got)
		}
	})
}

func TestLimitsCountByKeyAndAPI(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.running(otherKey)
		r.answers()
		news := slot(keyID, "news")
		news.Api = messages.Api_API_NEWSRANK
		r.ask(slot(keyID, "a"), 1)
		r.ask(news, 1)
		r.ask(slot(otherKey, "b"), 1)
		r.ask(slot(keyID, "c"), 0)
		k.Advance(5 * time.Millisecond)
		got := r.answers()
		slices.Sort(got) // the two keys are told in no order
		if !slices.Equal(got, []string{"full c", "taken a", "taken b", "taken news"}) {
			t.Errorf("answers %v", got)
		}
	})
}

// A key is said to be in use only where that is known: what a node holds that may
// have failed is either free soon or in use after all.
func TestSlotsThatMayBeDeadAreNoLimit(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		doubtful := map[string]bool{}
		r := newRig(t, k, func(c *shard.Config) {
			c.Doubtful = func(s *messages.Slot) bool { return doubtful[s.GetConnectionId()] }
		}).start()
		r.running(keyID)
		r.answers()
		r.ask(slot(keyID, "a"), 2)
		r.ask(slot(keyID, "b"), 2)
		k.Advance(5 * time.Millisecond)
		r.ask(slot(keyID, "c"), 2)
		doubtful["a"] = true
		r.ask(slot(keyID, "d"), 2)
		r.ask(slot(keyID, "e"), 1) // of a plan that allows less now: b alone is too many
		r.want("taken a", "taken b", "full c", "retry d", "full e")
	})
}

func TestDeadSlotsMakeRoom(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		ended := false
		r := newRig(t, k, func(c *shard.Config) {
			c.Dead = func(s *messages.Slot) bool { return ended && s.GetNode() == "n2" }
		}).start()
		r.running(keyID)
		r.answers()
		far := slot(keyID, "far")
		far.Node = "n2"
		r.ask(far, 1)
		k.Advance(5 * time.Millisecond)
		r.ask(slot(keyID, "near"), 1)
		r.want("taken far", "full near")
		ended = true
		r.take(keyID, "near", 1)
		r.want("taken near")
		if got := connections(r.record()); len(got) != 1 || !got["near"] {
			t.Errorf("record has %v", got)
		}
	})
}

// A slot of a process that is taken for dead would be freed at any moment.
func TestADeadProcessTakesNoSlot(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		dead := true
		r := newRig(t, k, func(c *shard.Config) {
			c.Dead = func(*messages.Slot) bool { return dead }
		}).start()
		r.running(keyID)
		r.answers()
		r.ask(slot(keyID, "c1"), 1)
		r.want("retry c1")
		dead = false
		r.take(keyID, "c1", 1)
		r.want("taken c1")
	})
}

func TestAReleaseDuringTheWriteLeavesNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.answers()
		k.Worker.Hold()
		r.ask(slot(keyID, "c1"), 1)
		k.Advance(5 * time.Millisecond)
		r.free(keyID, "c1")
		k.Worker.Release()
		r.want("retry c1")
		if got := connections(r.record()); len(got) != 0 {
			t.Errorf("record has %v", got)
		}
	})
}

// Whoever gives a slot back is told so when the record holds it no more, and not
// before: after that nobody says it again.
func TestAReleaseIsAnsweredOnceItIsDurable(t *testing.T) {
	for name, down := range map[string][]memory.RecordFault{
		"at once":               nil,
		"three times in doubt":  {{Op: memory.ControlCAS, Err: errDown}, {Op: memory.ControlCAS, Err: errDown}, {Op: memory.ControlCAS, Err: errDown}},
		"happened, never known": {{Op: memory.ControlCAS, Ambiguous: true}, {Op: memory.ControlGet, Err: errDown}, {Op: memory.ControlGet, Err: errDown}, {Op: memory.ControlGet, Err: errDown}},
		"disk full":             {{Op: memory.ControlCAS, Err: messages.ErrFull}},
	} {
		for _, idle := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, key is there %v", name, !idle), func(t *testing.T) {
				testkit.Run(t, func(k *testkit.Kit) {
					r := newRig(t, k)
					r.cfg.Logger = nil // failures are warnings
					r.start()
					r.running(keyID)
					r.take(keyID, "c1", 1)
					if idle {
						r.goIdle(keyID)
					}
					asks := k.Probe()
					k.Worker.Hold()
					asks.Request(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"})
					k.Advance(5 * time.Millisecond)
					asks.Request(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"}) // while it is written
					asks.ExpectNoMessage(0)
					for _, f := range down {
						records(k).Inject(f)
					}
					k.Worker.Release()
					if n := len(asks.Messages()); n != 0 && len(down) > 0 {
						t.Fatalf("answered %d times, and the write is not certain", n)
					} else if n != 2 && len(down) == 0 {
						t.Fatalf("answered %d times", n)
					}
					k.Advance(2 * time.Second) // until what was in doubt has been written again
					if got := len(r.record().GetSlots()); got != 0 {
						t.Errorf("%d slots are in the record", got)
					}
					if n := len(asks.Messages()); n != 2 && len(down) > 0 {
						t.Errorf("answered %d times", n)
					}
					asks.Request(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"})
					if m := testkit.Expect[*messages.Released](asks); m.GetConnectionId() != "c1" {
						t.Errorf("answered %v", m)
					}
				})
			})
		}
	}
}

// One that gives its shard up answers nobody what it has not written: the next owner
// is asked.
func TestAnOwnerThatLeavesAnswersNoRelease(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.take(keyID, "c1", 1)
		asks := k.Probe()
		k.Worker.Hold()
		asks.Request(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"})
		k.Tell(r.pid, &messages.Deactivate{})
		k.Advance(time.Second)
		k.Worker.Release()
		k.Advance(10 * time.Second)
		asks.ExpectNoMessage(0)
	})
}

var errDown = errors.New("down")

// A lost answer is found out by reading back; the slot is neither lost nor twice.
func TestUncertainWrites(t *testing.T) {
	for name, c := range map[string]struct {
		faults []memory.RecordFault
		want   []string
	}{
		"happened":              {[]memory.RecordFault{{Op: memory.ControlCAS, Ambiguous: true}}, []string{"taken c1"}},
		"did not happen":        {[]memory.RecordFault{{Op: memory.ControlCAS, Err: messages.ErrAmbiguous}}, []string{"taken c1"}},
		"happened, get fails":   {[]memory.RecordFault{{Op: memory.ControlCAS, Ambiguous: true}, {Op: memory.ControlGet, Err: errDown}}, []string{"taken c1"}},
		"three times in doubt":  {[]memory.RecordFault{{Op: memory.ControlCAS, Err: errDown}, {Op: memory.ControlCAS, Err: errDown}, {Op: memory.ControlCAS, Err: errDown}}, []string{"retry c1"}},
		"happened, never known": {[]memory.RecordFault{{Op: memory.ControlCAS, Ambiguous: true}, {Op: memory.ControlGet, Err: errDown}, {Op: memory.ControlGet, Err: errDown}, {Op: memory.ControlGet, Err: errDown}}, []string{"retry c1"}},
		"disk full":             {[]memory.RecordFault{{Op: memory.ControlCAS, Err: messages.ErrFull}}, []string{"retry c1"}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k)
				r.cfg.Logger = nil // failures are warnings
				r.start()
				r.running(keyID)
				r.answers()
				for _, f := range c.faults {
					records(k).Inject(f)
				}
				r.take(keyID, "c1", 1)
				r.want(c.want...)
				k.Advance(time.Second) // whatever was in doubt has been written again
				taken := c.want[0] == "taken c1"
				if got := connections(r.record())["c1"]; got != taken {
					t.Errorf("in the record: %v", got)
				}
				if !taken {
					r.take(keyID, "c2", 1)
					r.want("taken c2")
				}
			})
		})
	}
}

// TestLimitIsExact lets many connections come and go in any order, with
// uncertain writes and restarts, and looks at every record ever written.
func TestLimitIsExact(t *testing.T) {
	const limit = 3
	testkit.RunSeeds(t, 60, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		r.running(keyID)
		r.answers()
		held := map[string]bool{} // admitted and not released
		look := func() {
			for _, m := range r.seen.Messages() {
				switch m := m.(*got).message.(type) {
				case *messages.SlotTaken:
					held[m.GetConnectionId()] = true
				case *messages.KeyOwned:
					// A key begins from what is in the record: slots whose answer was lost are
					// given back, as the gateway does when it has waited in vain.
					for _, s := range m.GetSlots() {
						if !held[s.GetConnectionId()] {
							r.free(keyID, s.GetConnectionId())
						}
					}
				}
			}
		}
		for i := range 120 {
			switch id := fmt.Sprint("c", i); k.Rand.Uint64N(8) {
			case 0, 1, 2, 3:
				r.ask(slot(keyID, id), limit)
			case 4:
				for c := range held {
					delete(held, c)
					r.release(keyID, c)
					break
				}
			case 5:
				records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: messages.ErrAmbiguous, Ambiguous: k.Rand.Uint64N(2) == 0})
			case 6:
				k.Advance(time.Duration(k.Rand.Uint64N(8)) * time.Millisecond)
			case 7:
				if k.Rand.Uint64N(3) == 0 {
					k.Tell(r.pid, &actors.WorkPanicked{Reason: "boom"})
					k.Panics()
					k.Advance(10 * time.Second)
				}
			}
			look()
			record := r.record()
			if len(held) > limit || len(record.GetSlots()) > limit {
				t.Fatalf("%d admitted, %d in the record, limit %d", len(held), len(record.GetSlots()), limit)
			}
			for c := range held {
				if !connections(record)[c] {
					t.Fatalf("%s is admitted and not in the record", c)
				}
			}
		}
		k.Advance(10 * time.Minute) // every fault has been met
		look()
		for c := range held {
			r.release(keyID, c)
		}
		k.Advance(10 * time.Minute) // every fault has been met
		if got := r.record(); len(got.GetSlots()) != 0 {
			t.Errorf("left: %v", got.GetSlots())
		}
	})
}

func TestSlotsSurviveTheProcess(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.take(keyID, "c1", 5)
		far := slot(keyID, "far")
		far.Node = "n2"
		r.ask(far, 5)
		k.Advance(5 * time.Millisecond)
		k.Stop(r.pid)
		before := r.record()
		r.cfg.Incarnation = 8
		r.start()
		if got := connections(r.record()); len(before.GetSlots()) != 2 || len(got) != 1 || !got["far"] || r.record().GetTerm() != before.GetTerm()+1 {
			t.Errorf("before %v, after %v", before, r.record())
		}
	})
}

func TestRecordIsCanonical(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		s := slot(keyID, "c1")
		s.TakenMs = 12345
		r.ask(s, 1)
		k.Advance(5 * time.Millisecond)
		want := &messages.Shard{Term: 1, Node: "n1", Incarnation: 7, Slots: []*messages.Slot{s}}
		if got := r.record(); !proto.Equal(got, want) {
			t.Errorf("record %v, want %v", got, want)
		}
	})
}

// A write given up for lost lands late, under a write that it does not hold:
// what waits for that one is told nothing before it is written.
func TestALateWriteAdmitsNobodyElse(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		down := errors.New("down")
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		r.running(keyID)
		r.answers()
		for range 3 {
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: down})
		}
		r.take(keyID, "c1", 1)
		r.want("retry c1")
		late := r.record()
		late.Slots = append(late.Slots, slot(keyID, "c1"))
		put(t, k, actors.ShardRecord(number), late)
		records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: messages.ErrConflict})
		for range 3 {
			records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: down})
		}
		r.ask(slot(keyID, "c2"), 1)
		k.Advance(100 * time.Millisecond)
		r.want("retry c2")
		k.Advance(time.Minute)
		if got := r.record(); len(got.GetSlots()) != 0 {
			t.Errorf("left: %v", got.GetSlots())
		}
	})
}

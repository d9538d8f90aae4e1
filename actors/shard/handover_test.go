package shard_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// heldBy is a shard that another process, the probe, has under term 4.
func heldBy(t *testing.T, k *testkit.Kit, holder *testkit.Probe, alive *bool) *rig {
	put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 4, Node: "n2", Incarnation: 3, Slots: []*messages.Slot{slot(keyID, "c1")}})
	r := newRig(t, k, func(c *shard.Config) {
		c.Holder = func(_ context.Context, n int, node string, incarnation uint64) (*actor.PID, error) {
			if n != number || node != "n2" || incarnation != 3 || !*alive {
				return nil, nil
			}
			return holder.PID(), nil
		}
	})
	r.cfg.Logger = nil // a holder that is slow is a warning
	return r
}

// A shard that another process holds is asked for, until it is given; then the
// term is taken, with the slots that were left.
func TestAShardIsAskedForFirst(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		holder, alive := k.Probe(), true
		r := heldBy(t, k, holder, &alive).start()
		for range 3 { // the first two are lost
			if m := testkit.Expect[*messages.Deactivate](holder); m.GetShard() != uint32(number) {
				t.Fatalf("asked %v", m)
			}
			if got := r.record(); got.GetTerm() != 4 {
				t.Fatalf("the term was taken: %v", got)
			}
			k.Advance(2 * time.Second)
		}
		put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 4, Slots: []*messages.Slot{slot(keyID, "c1")}})
		holder.Reply(&messages.Deactivated{Shard: uint32(number), Term: 4})
		holder.Reply(&messages.Deactivated{Shard: uint32(number), Term: 4})
		k.Settle()
		if got := r.record(); got.GetNode() != "n1" || got.GetTerm() != 5 || !connections(got)["c1"] {
			t.Errorf("record %v", got)
		}
		holder.Messages()
		holder.ExpectNoMessage(time.Minute)
		if got := r.record(); got.GetTerm() != 5 {
			t.Errorf("taken twice: %v", got)
		}
	})
}

// A holder that does not answer, or ends meanwhile, does not keep the shard. One
// that is not reached may serve others: it is waited for just as long.
func TestAHolderIsNotWaitedForEver(t *testing.T) {
	for name, test := range map[string]struct {
		after time.Duration // in which it is taken
		do    func(k *testkit.Kit, holder *testkit.Probe, alive *bool)
	}{
		"silent":      {20 * time.Second, func(*testkit.Kit, *testkit.Probe, *bool) {}},
		"not reached": {20*time.Second + 500*time.Millisecond, func(_ *testkit.Kit, h *testkit.Probe, _ *bool) { h.Reply(&actor.DeadLetterResponse{}) }},
		"ended":       {2 * time.Second, func(_ *testkit.Kit, _ *testkit.Probe, alive *bool) { *alive = false }},
		"not reached, and ended": {500 * time.Millisecond, func(_ *testkit.Kit, h *testkit.Probe, alive *bool) {
			h.Reply(&actor.DeadLetterResponse{})
			*alive = false
		}},
		"of another kind": {20 * time.Second, func(_ *testkit.Kit, h *testkit.Probe, _ *bool) {
			h.Reply(&messages.Deactivated{Shard: uint32(number) + 1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				holder, alive := k.Probe(), true
				r := heldBy(t, k, holder, &alive).start()
				testkit.Expect[*messages.Deactivate](holder)
				test.do(k, holder, &alive)
				k.Settle()
				if test.after > 0 {
					k.Advance(test.after - time.Millisecond)
					if got := r.record(); got.GetTerm() != 4 {
						t.Fatalf("taken before its time: %v", got)
					}
					k.Advance(time.Millisecond)
				}
				if got := r.record(); got.GetNode() != "n1" || got.GetTerm() != 5 {
					t.Errorf("record %v", got)
				}
			})
		})
	}
}

// A process that this one takes for dead may be back, and have slots by an owner that
// knew: the shard is not served before it is known here too.
func TestTheSlotsOfOneThatIsBackAreKept(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 4, Slots: []*messages.Slot{slot(keyID, "c1")}})
		dead, behind, down := true, false, true
		r := newRig(t, k, func(c *shard.Config) {
			c.Logger = nil // that the store is down is a warning
			c.Dead = func(*messages.Slot) bool { return dead }
			c.Behind = func(context.Context, string, uint64) (bool, error) {
				if down {
					return false, errDown
				}
				return behind, nil
			}
		}).start()
		if got := r.record(); got.GetTerm() != 4 {
			t.Fatalf("taken while nothing is known: %v", got)
		}
		down, behind = false, true
		k.Advance(5 * time.Second)
		if got := r.record(); got.GetTerm() != 4 {
			t.Fatalf("taken by what was known before: %v", got)
		}
		behind, dead = false, false
		k.Advance(5 * time.Second)
		if got := r.record(); got.GetNode() != "n1" || !connections(got)["c1"] {
			t.Errorf("record %v", got)
		}
	})
}

// What is wanted last counts while a holder is asked, too.
func TestAShardThatIsNotWantedAnyMoreIsNotTaken(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		holder, alive := k.Probe(), true
		r := heldBy(t, k, holder, &alive).start()
		testkit.Expect[*messages.Deactivate](holder)
		mover := k.Probe()
		mover.Request(r.pid, &messages.Deactivate{Shard: uint32(number)})
		testkit.Expect[*messages.Deactivated](mover)
		holder.Reply(&messages.Deactivated{Shard: uint32(number), Term: 4})
		holder.ExpectNoMessage(time.Minute)
		if got := r.record(); got.GetTerm() != 4 || got.GetNode() != "n2" {
			t.Errorf("record %v", got)
		}
		r.notOwner(4)
	})
}

// A taking whose answer never came may happen after the shard was given up: whoever
// asks for it since the record names this process is not asked to wait for ever.
func TestATermThatWasTakenLate(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		k.Tell(r.pid, &messages.Deactivate{Shard: uint32(number)})
		r.routes()
		put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 9, Node: "n1", Incarnation: r.cfg.Incarnation, Slots: []*messages.Slot{slot(keyID, "c1")}})
		k.System.Root.RequestWithCustomSender(r.pid, &messages.Deactivate{Shard: uint32(number)}, actor.NewPID("n2@3", "node/shard/1"))
		r.routes()
		if got := r.record(); got.GetNode() != "" || got.GetTerm() != 9 || !connections(got)["c1"] {
			t.Errorf("record %v", got)
		}
		r.notOwner(9)
	})
}

// A holder that could not be asked goes on under a term that has ended, until it
// writes: it is told who has taken the shard.
func TestAFormerHolderIsTold(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		holder, alive := k.Probe(), true
		heldBy(t, k, holder, &alive).start()
		k.Advance(time.Minute) // it does not answer
		var told []uint64
		for _, m := range holder.Messages() {
			if m, ok := m.(*messages.NotOwner); ok && m.GetShard() == uint32(number) {
				told = append(told, actors.ShardTerm(m.GetTerm()))
			}
		}
		if !slices.Equal(told, []uint64{5}) {
			t.Errorf("told that it is owned under terms %v", told)
		}
	})
}

// An owner whose connections have known a later one, which has given the shard up
// since, stops serving: they would not hear it. The term that is taken next is
// later than any that they know, also where the record has forgotten it.
func TestAnOwnerThatWasReplacedHearsOfItFromConnections(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil // that it was replaced is an error
		r.start()
		r.running(keyID)
		connection := k.Probe()
		connection.Request(r.pid, &messages.AskCredit{KeyId: keyID, ConnectionId: "c1", Account: actors.KeyTerm(9, 2)})
		if m := testkit.Expect[*messages.NotOwner](connection); m.GetTerm() != 9 {
			t.Errorf("answered %v", m)
		}
		k.Tell(r.pid, &messages.Activate{Shard: uint32(number)})
		r.routes()
		if got := r.record(); got.GetTerm() != 10 || got.GetNode() != "n1" {
			t.Errorf("record %v", got)
		}
	})
}

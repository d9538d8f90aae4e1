package shard_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// questions are one of each kind that is asked from outside.
func questions() []any {
	credential := &messages.Credential{KeyId: keyID}
	return []any{
		&messages.Admit{Credential: credential}, &messages.Authorize{Credential: credential}, &messages.CreateKey{Key: &messages.Key{Id: keyID}},
		&messages.CreateRule{KeyId: keyID}, &messages.Join{KeyId: keyID}, &messages.AskQueries{KeyId: keyID}, &messages.AskThrough{KeyId: keyID},
		&messages.AskCredit{KeyId: keyID},
	}
}

// notOwner wants that the shard serves nobody.
func (r *rig) notOwner(term uint64) {
	r.t.Helper()
	client := r.k.Probe()
	for _, m := range questions() {
		client.Request(r.pid, m)
		if got := testkit.Expect[*messages.NotOwner](client); got.GetKeyId() != keyID || got.GetShard() != uint32(number) || got.GetTerm() != term {
			r.t.Errorf("%T: %v, want term %d", m, got, term)
		}
	}
	r.k.Tell(r.pid, &messages.Matched{KeyId: keyID}) // and nobody waits for an answer
	r.seen.ExpectNoMessage(0)
}

// asked for a change of ownership, the shard answers.
func (r *rig) own(m any) any {
	r.t.Helper()
	p := r.k.Probe()
	p.Request(r.pid, m)
	r.k.Settle()
	for range 3 { // the router may have lost something
		if all := p.Messages(); len(all) > 0 {
			return all[len(all)-1]
		}
		r.k.Advance(2 * time.Second)
	}
	return nil
}

// routes has the router answer, as it does, and says how often it was asked to drop the shard.
func (r *rig) routes() (drops int) {
	r.t.Helper()
	r.k.Settle()
	for _, m := range r.router.Messages() {
		switch m := m.(type) {
		case *messages.PutQueries:
			r.k.Tell(r.pid, &messages.QueriesPut{Id: m.GetId(), KeyId: m.GetKeyId()})
		case *messages.DropShard:
			drops++
			r.k.Tell(r.pid, &messages.ShardDropped{Shard: m.GetShard(), Term: m.GetTerm()})
		}
	}
	r.k.Settle()
	return drops
}

func TestAShardWhosePlaceIsElsewhereOwnsNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *shard.Config) { c.Owns = func(n int) bool { return n != number } }).start()
		r.notOwner(0)
		if len(records(k).All()) != 0 {
			t.Errorf("wrote %v", records(k).All())
		}
		if got, ok := r.own(&messages.Activate{}).(*messages.Activated); !ok || got.GetTerm() != 1 || got.GetShard() != uint32(number) {
			t.Errorf("activated %v", got)
		}
		r.running(keyID)
		if got, ok := r.own(&messages.Activate{}).(*messages.Activated); !ok || got.GetTerm() != 1 {
			t.Errorf("activated twice: %v", got)
		}
	})
}

// A key that cannot settle what it owes, because the store does not answer, does
// not keep the shard.
func TestAShardDoesNotWaitForKeysForEver(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.owing = true
		r.running(keyID)
		r.answers()
		r.seen.Watch(r.stubs[keyID])
		mover := k.Probe()
		mover.Request(r.pid, &messages.Deactivate{})
		r.routes()
		k.Advance(5*time.Second - 1)
		r.routes()
		mover.ExpectNoMessage(0)
		k.Advance(1)
		testkit.FishFor(r.seen, func(*actor.Terminated) bool { return true })
		testkit.Expect[*messages.Deactivated](mover)
	})
}

// A connection that ends while its shard is given up leaves no slot, and its
// key hears what it used.
func TestAConnectionThatEndsMeanwhile(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.owing = true
		r.running(keyID)
		r.take(keyID, "c1", 5)
		r.take(keyID, "c2", 5)
		r.answers()
		k.Tell(r.pid, &messages.Deactivate{})
		k.Tell(r.pid, &messages.ReportCredit{KeyId: keyID, ConnectionId: "c1"})
		k.Tell(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"})
		k.Settle()
		if got := r.answers(); !slices.Equal(got, []string{"*messages.ReportCredit", "*messages.Release"}) {
			t.Errorf("handed on: %v", got)
		}
		k.Advance(5 * time.Second) // the key is stopped
		k.Tell(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c2"})
		k.Settle()
		r.routes()
		k.Advance(time.Second)
		if got := r.record(); got.GetNode() != "" || len(got.GetSlots()) != 0 {
			t.Errorf("record %v", got)
		}
	})
}

func TestAShardThatIsGivenUp(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		put(t, k, actors.KeyRecord(keyID), &messages.Key{Id: keyID, State: messages.KeyState_KEY_ACTIVE})
		put(t, k, actors.RuleRecord(keyID, "rule-1"), &messages.Rule{Id: "rule-1", K: 1, Query: "q", Status: "active"})
		r := newRig(t, k).start()
		r.routes()
		first := r.running(keyID)
		r.take(keyID, "c1", 5)
		r.answers()
		r.seen.Watch(r.stubs[keyID])
		r.ask(slot(keyID, "c2"), 5) // waits for its write

		mover := k.Probe()
		mover.Request(r.pid, &messages.Deactivate{})
		testkit.FishFor(r.seen, func(*actor.Terminated) bool { return true })
		client := k.Probe()
		client.Request(r.pid, &messages.Admit{Credential: &messages.Credential{KeyId: keyID}})
		testkit.Expect[*messages.NotOwner](client)
		mover.ExpectNoMessage(0) // the router has not answered
		if r.routes() != 1 {
			t.Error("the router was not asked to drop the shard's queries")
		}
		if got := testkit.Expect[*messages.Deactivated](mover); got.GetTerm() != 1 || got.GetShard() != uint32(number) {
			t.Errorf("deactivated %v", got)
		}
		if got := r.record(); got.GetNode() != "" || got.GetTerm() != 1 || !connections(got)["c1"] || len(got.GetSlots()) != 1 {
			t.Errorf("record %v", got)
		}
		r.notOwner(1)
		if n := k.Clock.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		k.Advance(time.Hour)
		if got := r.own(&messages.Deactivate{}); got.(*messages.Deactivated).GetTerm() != 1 {
			t.Errorf("deactivated twice: %v", got)
		}

		mover.Request(r.pid, &messages.Activate{})
		k.Settle()
		client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}}) // is held
		r.routes()
		if got := testkit.Expect[*messages.Activated](mover); got.GetTerm() != 2 {
			t.Errorf("activated %v", got)
		}
		owned := testkit.FishFor(r.seen, func(g *got) bool { _, ok := g.message.(*messages.KeyOwned); return ok }).message.(*messages.KeyOwned)
		if owned.GetTerm() <= first.GetTerm() || len(owned.GetSlots()) != 1 {
			t.Errorf("the key owned at %v, before it at %v", owned, first)
		}
		if got := r.record(); got.GetNode() != "n1" || got.GetTerm() != 2 || !connections(got)["c1"] {
			t.Errorf("record %v", got)
		}
		k.Tell(r.pid, &messages.Deactivate{Shard: uint32(number)})
		k.Settle()
		r.routes()
		if got := r.record(); got.GetNode() != "" || len(got.GetSlots()) != 1 {
			t.Errorf("given up again, it left %v", got)
		}
	})
}

// What was asked last counts, whatever the shard is doing.
func TestOwnershipChangesInAnyState(t *testing.T) {
	testkit.RunSeeds(t, 150, func(t *testing.T, k *testkit.Kit) {
		put(t, k, actors.KeyRecord(keyID), &messages.Key{Id: keyID, State: messages.KeyState_KEY_ACTIVE})
		put(t, k, actors.RuleRecord(keyID, "rule-1"), &messages.Rule{Id: "rule-1", K: 1, Query: "q", Status: "active"})
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		wanted, trace := true, ""
		for range 30 {
			n := k.Rand.Uint64N(11)
			trace += fmt.Sprint(n, " ")
			switch n {
			case 0, 1, 2:
				wanted = true
				k.Tell(r.pid, &messages.Activate{})
			case 3, 4, 5:
				wanted = false
				k.Tell(r.pid, &messages.Deactivate{})
			case 6:
				k.Tell(r.pid, &messages.Matched{KeyId: keyID})
			case 7:
				records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Err: messages.ErrAmbiguous, Ambiguous: k.Rand.Uint64N(2) == 0})
			case 8:
				r.router.Messages() // lost
			case 9:
				r.routes()
			case 10:
				k.Tell(r.pid, &actors.WorkPanicked{Reason: "boom"})
				k.Panics()
				wanted = true // the place is here, and what was said before is forgotten
			}
			if k.Rand.Uint64N(2) == 0 {
				k.Advance(time.Duration(k.Rand.Uint64N(3000)) * time.Millisecond)
			}
		}
		for range 60 {
			k.Advance(2 * time.Second)
			r.routes()
		}
		r.seen.Messages()
		client := k.Probe()
		client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}})
		k.Settle()
		switch {
		case wanted && len(r.seen.Messages()) == 0:
			t.Errorf("%s: does not serve; answered %v", trace, client.Messages())
		case wanted && r.record().GetNode() != "n1":
			t.Errorf("%s: serves without its record: %v", trace, r.record())
		case !wanted && len(client.Messages()) != 1:
			t.Errorf("%s: serves", trace)
		case !wanted && r.record().GetNode() != "":
			t.Errorf("%s: has not released its record: %v", trace, r.record())
		}
	})
}

// An owner that others may take for dead serves nobody, and goes on when its
// lease is live again.
func TestALapsedLease(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		lease := &lease{live: true}
		r := newRig(t, k, func(c *shard.Config) { c.Lease = lease }).start()
		r.running(keyID)
		r.answers()
		lease.live = false
		r.notOwner(1)
		lease.live = true
		k.Tell(r.pid, &messages.Matched{KeyId: keyID})
		if _, ok := testkit.Expect[*got](r.seen).message.(*messages.Matched); !ok {
			t.Error("does not serve again")
		}
	})
}

type lease struct{ live bool }

func (l *lease) Live() bool { return l.live }

// The record decides: who finds another term there has lost the shard.
func TestAnotherTermFences(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil // losing a shard is an error in the log
		r.start()
		r.running(keyID)
		r.answers()
		put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 5, Node: "n2", Incarnation: 1})
		r.seen.Watch(r.stubs[keyID])
		r.ask(slot(keyID, "c1"), 1)
		k.Advance(5 * time.Millisecond)
		testkit.FishFor(r.seen, func(*actor.Terminated) bool { return true })
		for range 2 { // before and after the router has dropped its queries
			r.notOwner(5)
			r.routes()
			k.Advance(time.Minute)
		}
		if got := r.record(); got.GetNode() != "n2" || len(got.GetSlots()) != 0 || r.counts["shard_fenced"] != 1 {
			t.Errorf("record %v, counts %v", got, r.counts)
		}
		if got, ok := r.own(&messages.Activate{}).(*messages.Activated); !ok || got.GetTerm() != 6 {
			t.Errorf("placed here again: %v", got)
		}
	})
}

// A router that has heard of a later owner fences too.
func TestTheRouterKnowsALaterOwner(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		r.running(keyID)
		r.answers()
		k.Tell(r.pid, &messages.NotOwner{KeyId: keyID, Term: actors.KeyTerm(1, 99)}) // of a key's actor before: not the shard's to mind
		k.Settle()
		if r.counts["shard_fenced"] != 0 {
			t.Fatal("fenced by its own term")
		}
		k.Tell(r.pid, &messages.NotOwner{KeyId: keyID, Term: actors.KeyTerm(3, 0)})
		r.routes()
		r.notOwner(3)
	})
}

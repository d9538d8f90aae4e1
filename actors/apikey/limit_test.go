package apikey_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// TestConnectionsNeverPassTheLimit has clients come and go in every order, with
// answers lost, the key and the shard failing, and gateways that give up: no
// more are ever admitted than the plan allows, and none are left.
func TestConnectionsNeverPassTheLimit(t *testing.T) {
	const limit = 5
	testkit.RunSeeds(t, 30, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		gateways := map[string]*testkit.Probe{}
		admitted := map[string]bool{}
		ended := map[string]bool{} // released: a late admission means nothing
		order := []string{}
		release := func(id string) {
			ended[id] = true
			delete(admitted, id)
			if p := r.conns[id]; p != nil {
				p.Stop()
				delete(r.conns, id)
			}
			k.Tell(r.shard, &messages.Release{KeyId: keyID, Api: messages.Api_API_TWITTER, ConnectionId: id})
		}
		look := func() {
			k.Settle()
			for _, id := range order {
				for _, m := range gateways[id].Messages() {
					if _, ok := m.(*messages.Admitted); ok && !ended[id] {
						admitted[id], r.conns[id] = true, k.Probe()
					}
				}
			}
			if len(admitted) > limit {
				t.Fatalf("%d admitted", len(admitted))
			}
		}
		for i := range 100 {
			id := fmt.Sprint("c", i)
			switch k.Rand.Uint64N(10) {
			case 0, 1, 2, 3, 4:
				p := k.Probe()
				gateways[id] = p
				order = append(order, id)
				p.Request(r.shard, admitMessage(messages.Api_API_TWITTER, id))
			case 5, 6:
				if len(order) > 0 {
					if id := order[k.Rand.Uint64N(uint64(len(order)))]; !ended[id] {
						release(id) // ends, or the gateway has waited long enough
					}
				}
			case 7:
				k.Advance(time.Duration(k.Rand.Uint64N(10)) * time.Millisecond)
			case 8:
				records(k).Inject(memory.RecordFault{Op: memory.ControlCAS, Prefix: "shards.", Err: messages.ErrAmbiguous, Ambiguous: k.Rand.Uint64N(2) == 0})
			case 9:
				if k.Rand.Uint64N(3) == 0 {
					victim := r.shard
					if k.Rand.Uint64N(2) == 0 && r.running() {
						victim = r.key
					}
					k.Tell(victim, &actors.WorkPanicked{Reason: "boom"})
					k.Panics()
					k.Advance(11 * time.Second)
				}
			}
			look()
		}
		for range 60 { // gateways start a connection as soon as it is admitted
			k.Advance(time.Second)
			look()
		}
		s := &messages.Shard{}
		r.stored(actors.ShardRecord(actors.ShardOf(keyID)), s)
		for id := range admitted {
			found := false
			for _, slot := range s.GetSlots() {
				found = found || slot.GetConnectionId() == id
			}
			if !found {
				t.Errorf("%s is admitted and has no slot", id)
			}
		}
		for _, id := range order {
			if !ended[id] {
				release(id)
			}
		}
		k.Advance(time.Minute) // what a failing shard had heard and not written is found out
		r.stored(actors.ShardRecord(actors.ShardOf(keyID)), s)
		if len(s.GetSlots()) != 0 {
			t.Errorf("left: %v", s.GetSlots())
		}
	})
}

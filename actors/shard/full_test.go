package shard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Where the disk is full nobody waits for a shard: who waited and who comes
// later is told of the disk, what nobody waits for is kept, and with space again
// the shard serves.
func TestAFullDiskIsToldAtOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *shard.Config) { c.Dormant = func(int) bool { return true } })
		stored(t, k, keyID)
		r.start()
		records(k).Down(messages.ErrFull)
		r.k.Tell(r.pid, &messages.Matched{KeyId: keyID})
		asker := k.Probe()
		for range 3 { // the first wakes it
			asker.Request(r.pid, &messages.DescribeKey{KeyId: keyID})
			m := testkit.Expect[*messages.Rejected](asker)
			if m.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE || !strings.Contains(m.GetDetail(), "disk is full") {
				t.Fatalf("answered %v; want that the disk is full", m)
			}
			k.Advance(10 * time.Second)
		}
		records(k).Down(nil)
		k.Advance(10 * time.Second)
		testkit.FishFor(r.seen, func(g *got) bool { _, ok := g.message.(*messages.Matched); return ok })
	})
}

// A connection that comes while the record cannot be written for want of space
// does not wait for the next try.
func TestAFullDiskRefusesConnectionsAtOnce(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil // failures are warnings
		r.start()
		r.running(keyID)
		r.answers()
		records(k).Down(messages.ErrFull)
		r.take(keyID, "c1", 9)
		r.want("retry c1")
		for _, c := range []string{"c2", "c3"} {
			r.ask(slot(keyID, c), 9)
			k.Settle()
			r.want("retry " + c)
		}
		records(k).Down(nil)
		k.Advance(10 * time.Second)
		r.take(keyID, "c4", 9)
		r.want("taken c4")
	})
}

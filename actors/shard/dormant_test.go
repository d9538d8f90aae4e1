package shard_test

import (
	"testing"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/testkit"
)

// A shard that nothing needs costs no write; its first message wakes it and is
// answered, and what was woken is active again after a restart.
func TestADormantShardWakesWithItsFirstMessage(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *shard.Config) { c.Dormant = func(int) bool { return true } }).start()
		if all := records(k).All(); len(all) != 0 {
			t.Fatalf("it wrote %v", all)
		}
		r.running(keyID)
		if term := r.record().GetTerm(); term != 1 {
			t.Fatalf("term %d, want 1", term)
		}
		k.Tell(r.pid, &actors.WorkPanicked{Reason: "boom"})
		if len(k.Panics()) != 1 {
			t.Fatal("did not fail")
		}
		if term := r.record().GetTerm(); term != 2 {
			t.Fatalf("term %d after a restart, want 2: its connections wait for it", term)
		}
	})
}

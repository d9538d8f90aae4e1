package sim_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// A node comes back and takes its shards, and the last post is pushed in the middle of
// that: nothing comes after it that would show that it is missing, and every client has
// it all the same, well before anybody asks for a proof.
func TestTheLastPostWhileANodeComesBack(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 40), func(_ *testing.T, k *testkit.Kit) {
		s := sim.NewScene(k, 3, 3, "moon", "sun")
		of := k.Chance(testkit.Workload)
		nodes := []string{"n1", "n2", "n3", "n1"}
		which := of.Choose("which comes back", 3)
		back, at := nodes[which], nodes[which+1]
		s.Node(back).Crash()
		s.Post(at, int(of.Choose("posts while it is away", 40)))
		s.Start(back)
		s.Post(at, 1+int(of.Choose("posts while it takes its shards", 60)))
		s.Until(15*time.Second, "all clients are connected", s.Connected)
		s.Advance(5 * time.Second)
		s.CheckDelivered("moon", "sun")
	})
}

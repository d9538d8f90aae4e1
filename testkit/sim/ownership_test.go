package sim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// newScene is three nodes, a key on n3 with two rules, and a client on each node.
func newScene(k *testkit.Kit) *sim.Scene { return sim.NewScene(k, 3, 3, "moon", "sun") }

// A node is drained: what it owns moves in order, its clients stay, and nobody
// loses or is handed anything twice.
func TestADrainedNodeLosesNothing(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 10)
		s.Node("n3").Drain()
		s.Post("n2", 100)
		if got := s.Node("n1").Owner(s.Key); got == "n3" {
			t.Fatalf("the key is still on %s", got)
		}
		s.Check(5 * time.Second)
		s.Node("n3").Stop() // its client goes on elsewhere
		s.Post("n1", 20)
		s.Start("n3")
		s.Post("n3", 40)
		s.Owned("n3", 5*time.Second)
		s.Check(10 * time.Second)
	})
}

// The owner is killed: another takes the key, and the connections join it with
// what they have.
func TestAnOwnerThatCrashesLosesNothing(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 10)
		s.Node("n3").Crash()
		s.Post("n2", 60)
		s.Check(10 * time.Second)
		s.Start("n3")
		s.Post("n3", 20)
		s.Owned("n3", 5*time.Second)
		s.Check(10 * time.Second)
	})
}

// A node that is suspended for so long that its lease has run out does nothing
// with what others own by then: it ends its connections, and takes part again.
func TestAFrozenNodeThatWakes(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 10)
		s.Node("n3").Freeze()
		s.Post("n2", 400) // 20 s
		s.Owned(s.Node("n1").Owner(s.Key), time.Second)
		if s.Node("n1").Owner(s.Key) == "n3" {
			t.Fatal("the key is still on n3")
		}
		s.Node("n3").Thaw()
		s.Post("n1", 40)
		s.Owned("n3", 10*time.Second)
		s.Check(10 * time.Second)
	})
}

// The last message before silence is lost on its way to another node: it is
// missed all the same, and soon.
func TestALostLastMessageIsFound(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 4)
		lost := 0
		s.Net.Fate = func(_, _ link.Peer, e link.Envelope) sim.Fate {
			if e.Kind == "birdwire.v1.Deliveries" {
				lost++
				return sim.Fate{Drop: true}
			}
			return sim.Fate{}
		}
		s.Post("n2", 2)
		s.Net.Fate = nil
		if lost < 2 {
			t.Fatalf("%d messages were lost", lost)
		}
		s.Check(time.Second)
	})
}

// Every node in turn is drained, stopped, and started as the next version. Each
// shard moves away and back, and nobody loses anything.
func TestARollingUpgrade(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		for _, n := range s.Nodes() {
			others := "n1"
			if n.Name == others {
				others = "n2"
			}
			n.Drain()
			s.Post(others, 40)
			n.Stop()
			s.Post(others, 10)
			n.Version = 2
			s.Start(n.Name)
			s.Post(others, 40)
		}
		s.Check(10 * time.Second)
		s.CheckCharged(s.Key, true)
		for shard, term := range s.Terms() {
			if term > 3 {
				t.Errorf("shard %d has had %d owners, want 3", shard, term)
			}
		}
	})
}

// A node that reaches neither the others nor the store ends its connections
// before the others give their slots away, and they are served elsewhere.
func TestANodeThatIsCutOff(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.Post("n1", 10)
		s.Isolate("n3")
		s.Post("n2", 300) // 15 s
		for _, client := range s.Clients() {
			if client.At() == "n3" {
				t.Errorf("client %s is still at n3", client.Name)
			}
		}
		s.Check(10 * time.Second)
		s.Rejoin("n3")
		s.Post("n1", 20)
		s.Owned("n3", 15*time.Second)
		s.Check(10 * time.Second)
	})
}

// One seed is one run, whatever is in it.
func TestOneSeedIsOneRun(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		testkit.RunSeeds(t, 2, func(t *testing.T, k *testkit.Kit) {
			record := k.Record()
			s := newScene(k)
			swarm := s.Swarm(sim.Faults...)
			for range 20 {
				swarm.Step()
				s.Post("n1", 5)
			}
			swarm.Heal()
			s.Check(10 * time.Second)
			what := fmt.Sprintf("%x after %d steps; %v; %v", record.Hash(), record.Steps(), s.Net, swarm)
			t.Log(what)
			runs[i] = append(runs[i], what)
		})
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%q\nand then\n%q", runs[0], runs[1])
	}
}

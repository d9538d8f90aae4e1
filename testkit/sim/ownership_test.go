package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// scene is three nodes, a key on n3 with two rules, and a client on each node.
type scene struct {
	*sim.Cluster
	key    string
	posted int
}

func newScene(k *testkit.Kit) *scene {
	s := &scene{Cluster: sim.New(k, 3)}
	s.key = keyOn(s.Cluster, "n3")
	s.MakeKey(s.Node("n1"), s.key)
	s.MakeRule(s.Node("n1"), s.key, "moon")
	s.MakeRule(s.Node("n1"), s.key, "sun")
	for _, n := range s.Nodes() {
		s.Connect("c-"+n.Name, s.key, n.Name)
	}
	s.Until(5*time.Second, "all clients are connected", s.Connected)
	return s
}

// post pushes some posts, one every 50 ms, at the node.
func (s *scene) post(node string, n int) {
	for range n {
		s.Publish(node, fmt.Sprint("p", s.posted), []string{"the moon", "the sun", "moon and sun", "nothing"}[s.posted%4])
		s.posted++
		s.Advance(50 * time.Millisecond)
	}
}

func (s *scene) check(settle time.Duration) {
	s.TB.Helper()
	s.Advance(settle)
	s.CheckDelivered("moon", "sun")
}

// owned waits until every node has the key on one and the same node.
func (s *scene) owned(by string, within time.Duration) {
	s.TB.Helper()
	s.Until(within, "the key is on "+by, func() bool {
		for _, n := range s.Nodes() {
			if n.Awake() && n.Owner(s.key) != by {
				return false
			}
		}
		return true
	})
}

// A node is drained: what it owns moves in order, its clients stay, and nobody
// loses or is handed anything twice.
func TestADrainedNodeLosesNothing(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.post("n1", 10)
		s.Node("n3").Drain()
		s.post("n2", 100)
		if got := s.Node("n1").Owner(s.key); got == "n3" {
			t.Fatalf("the key is still on %s", got)
		}
		s.check(5 * time.Second)
		s.Node("n3").Stop() // its client goes on elsewhere
		s.post("n1", 20)
		s.Start("n3")
		s.post("n3", 40)
		s.owned("n3", 5*time.Second)
		s.check(10 * time.Second)
	})
}

// The owner is killed: another takes the key, and the connections join it with
// what they have.
func TestAnOwnerThatCrashesLosesNothing(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.post("n1", 10)
		s.Node("n3").Crash()
		s.post("n2", 60)
		s.check(10 * time.Second)
		s.Start("n3")
		s.post("n3", 20)
		s.owned("n3", 5*time.Second)
		s.check(10 * time.Second)
	})
}

// A node that is suspended for so long that its lease has run out does nothing
// with what others own by then: it ends its connections, and takes part again.
func TestAFrozenNodeThatWakes(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.post("n1", 10)
		s.Node("n3").Freeze()
		s.post("n2", 400) // 20 s
		s.owned(s.Node("n1").Owner(s.key), time.Second)
		if s.Node("n1").Owner(s.key) == "n3" {
			t.Fatal("the key is still on n3")
		}
		s.Node("n3").Thaw()
		s.post("n1", 40)
		s.owned("n3", 10*time.Second)
		s.check(10 * time.Second)
	})
}

// The last message before silence is lost on its way to another node: it is
// missed all the same, and soon.
func TestALostLastMessageIsFound(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		s := newScene(k)
		s.post("n1", 4)
		lost := 0
		s.Net.Fate = func(_, _ link.Peer, e link.Envelope) sim.Fate {
			if e.Kind == "birdwire.v1.Deliveries" {
				lost++
				return sim.Fate{Drop: true}
			}
			return sim.Fate{}
		}
		s.post("n2", 2)
		s.Net.Fate = nil
		if lost < 2 {
			t.Fatalf("%d messages were lost", lost)
		}
		s.check(time.Second)
	})
}

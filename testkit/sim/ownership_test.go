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

// scene is three nodes, a key on n3 with two rules, and a client on each node.
type scene struct {
	*sim.Cluster
	key    string
	posted int
}

func newScene(k *testkit.Kit) *scene { return newSceneOf(k, 3) }

func newSceneOf(k *testkit.Kit, nodes int) *scene { return newSceneWith(k, nodes, "moon", "sun") }

func newSceneWith(k *testkit.Kit, nodes int, rules ...string) *scene {
	s := &scene{Cluster: sim.New(k, nodes)}
	s.key = keyOn(s.Cluster, "n3")
	s.MakeKey(s.Node("n1"), s.key)
	for _, rule := range rules {
		s.MakeRule(s.Node("n1"), s.key, rule)
	}
	for _, n := range s.Nodes()[:3] {
		s.Connect("c-"+n.Name, s.key, n.Name)
	}
	s.Until(5*time.Second, "all clients are connected", s.Connected)
	return s
}

// post pushes some posts, one every 50 ms, at the node.
func (s *scene) post(node string, n int) {
	for range n {
		s.push(node, "the moon", "the sun", "moon and sun", "nothing")
		s.Advance(50 * time.Millisecond)
	}
}

// push is one post, of one text after the other.
func (s *scene) push(node string, texts ...string) {
	s.Publish(node, fmt.Sprint("p", s.posted), texts[s.posted%len(texts)])
	s.posted++
}

func (s *scene) check(settle time.Duration) {
	s.TB.Helper()
	s.Advance(settle)
	s.CheckDelivered("moon", "sun")
	s.CheckCharged(s.key, false)
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
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
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
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
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
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
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
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
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
			s.post(others, 40)
			n.Stop()
			s.post(others, 10)
			n.Version = 2
			s.Start(n.Name)
			s.post(others, 40)
		}
		s.check(10 * time.Second)
		s.CheckCharged(s.key, true)
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
		s.post("n1", 10)
		s.Isolate("n3")
		s.post("n2", 300) // 15 s
		for _, client := range s.Clients() {
			if client.At() == "n3" {
				t.Errorf("client %s is still at n3", client.Name)
			}
		}
		s.check(10 * time.Second)
		s.Rejoin("n3")
		s.post("n1", 20)
		s.owned("n3", 15*time.Second)
		s.check(10 * time.Second)
	})
}

// More clients than a key may have connections, on all nodes, while nodes fail:
// the limit holds over the cluster, and slots of the dead come back.
func TestTheLimitOfAKeyHoldsOverTheCluster(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		c := sim.New(k, 3)
		key := keyOn(c, "n3")
		c.MakeKey(c.Node("n1"), key)
		c.Steady = append(c.Steady, sim.KeyLimit(key, 5))
		for i := range 8 {
			c.Connect(fmt.Sprint("c", i), key, fmt.Sprint("n", 1+i%3))
		}
		swarm := c.Swarm(k.Rand.Uint64N(1<<62), sim.Faults...)
		for range 60 {
			swarm.Step()
			c.Advance(500 * time.Millisecond)
		}
		swarm.Heal()
		c.Until(40*time.Second, "five clients are connected", func() bool { return c.Open() == 5 })
		if t.Failed() {
			t.Log(swarm)
		}
	})
}

// One seed is one run, whatever is in it.
func TestOneSeedIsOneRun(t *testing.T) {
	var runs [2][]string
	for i := range runs {
		testkit.RunSeeds(t, 2, func(t *testing.T, k *testkit.Kit) {
			record := k.Record()
			s := newScene(k)
			swarm := s.Swarm(k.Rand.Uint64N(1<<62), sim.Faults...)
			for range 20 {
				swarm.Step()
				s.post("n1", 5)
			}
			swarm.Heal()
			s.check(10 * time.Second)
			what := fmt.Sprintf("%x after %d steps; %v; %v", record.Hash(), record.Steps(), s.Net, swarm)
			t.Log(what)
			runs[i] = append(runs[i], what)
		})
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("%q\nand then\n%q", runs[0], runs[1])
	}
}

package sim

import (
	"fmt"
	"time"

	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/testkit"
)

// Scene is a cluster with a key on n3, and clients of it on one node after the other.
type Scene struct {
	*Cluster
	Key    string
	rules  []string
	posted int
	write  []account // posts one after the other; none: one account does
}

// NewScene is one of so many nodes, three at least, and clients, which are all
// connected. The key has a rule for each of the words.
func NewScene(k *testkit.Kit, nodes, clients int, rules ...string) *Scene {
	k.TB.Helper()
	s := &Scene{Cluster: New(k, nodes), rules: rules}
	s.Key = s.KeyOn("n3")
	s.MakeKey(s.Node("n1"), s.Key)
	for _, rule := range rules {
		s.MakeRule(s.Node("n1"), s.Key, rule)
	}
	for i := range clients {
		n := s.nodes[i%len(s.nodes)]
		s.Connect(fmt.Sprint("c", i+1), s.Key, n.Name)
	}
	s.Until(5*time.Second, "all clients are connected", s.Connected)
	return s
}

// KeyOn is a key whose owner is the node.
func (c *Cluster) KeyOn(node string) string {
	c.TB.Helper()
	for i := range 1000 {
		if id := fmt.Sprintf("key-%010d", i); c.nodes[0].Owner(id) == node {
			return id
		}
	}
	c.TB.Fatalf("sim: no key of 1,000 is on %s", node)
	return ""
}

// Push is one post at the node, of one text after the other.
func (s *Scene) Push(node string, texts ...string) {
	s.TB.Helper()
	who := account{"ada", "7"}
	if n := len(s.write); n > 0 {
		who = s.write[s.posted/len(texts)%n]
	}
	s.publishBy(who, node, fmt.Sprint("p", s.posted), texts[s.posted%len(texts)])
	s.posted++
}

// Post pushes some posts, one every 50 ms, at the node.
func (s *Scene) Post(node string, n int) {
	s.TB.Helper()
	for range n {
		s.Push(node, "the moon", "the sun", "moon and sun", "nothing")
		s.Advance(50 * time.Millisecond)
	}
}

// Check holds, after it has settled, that the clients were handed and charged what
// the key's rules want.
func (s *Scene) Check(settle time.Duration) {
	s.TB.Helper()
	s.Advance(settle)
	s.CheckDelivered(s.rules...)
	s.CheckCharged(s.Key, false)
	s.CheckHistories()
}

// Whole says whether every node sees all of them in the core.
func (c *Cluster) Whole() bool {
	for _, n := range c.nodes {
		for _, m := range n.Actors.View().Members() {
			if !n.Awake() || m.State != membership.Core {
				return false
			}
		}
	}
	return true
}

// Owned waits until every node has the key on one and the same node.
func (s *Scene) Owned(by string, within time.Duration) {
	s.TB.Helper()
	s.Until(within, "the key is on "+by, func() bool {
		for _, n := range s.nodes {
			if n.Awake() && n.Owner(s.Key) != by {
				return false
			}
		}
		return true
	})
}

package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/testkit"
)

// lasting are faults of a node that never end, each of which leaves it outside the
// core of the spared ones.
var lasting = []struct {
	name string
	of   func(c *Cluster, n *Node, spared []*Node)
}{
	{"crash", func(_ *Cluster, n *Node, _ []*Node) { n.Crash() }},
	{"freeze", func(_ *Cluster, n *Node, _ []*Node) { n.Freeze() }},
	{"store down", func(_ *Cluster, n *Node, _ []*Node) { n.LoseStore() }},
	{"isolate", func(c *Cluster, n *Node, _ []*Node) { c.Isolate(n.Name) }},
	{"not heard by two", func(c *Cluster, n *Node, spared []*Node) {
		for _, o := range spared[:2] {
			c.Net.Cut(n.Name, o.Name)
		}
	}},
	{"hears none", func(c *Cluster, n *Node, spared []*Node) {
		for _, o := range spared {
			c.Net.Cut(o.Name, n.Name)
		}
	}},
}

// withoutTwo never heals: what "soon after the last fault" would hide is a cluster
// that waits for somebody who does not come back.
func withoutTwo(k *testkit.Kit) {
	s := NewScene(k, 5, k.Option("clients", 1, 5), "moon", "sun")
	w := &writer{Scene: s, work: k.Chance(testkit.Workload), texts: postTexts}
	for range 10 * k.Option("seconds before", 0, 5) {
		w.may()
		s.Advance(100 * time.Millisecond)
	}
	first, second := k.Option("the first that is ill", 0, 4), k.Option("the second, after it", 1, 4)
	ill := []*Node{s.nodes[first], s.nodes[(first+second)%5]}
	spared := slices.DeleteFunc(slices.Clone(s.nodes), func(n *Node) bool { return slices.Contains(ill, n) })
	for i, n := range ill {
		fault := lasting[k.Option(fmt.Sprint("which of crash, freeze, store down, isolate, not heard by two, hears none, ", i+1), 0, len(lasting)-1)]
		s.Fault(n.Name, fault.name)
		fault.of(s.Cluster, n, spared)
		s.Advance(time.Duration(k.Option(fmt.Sprint("tenths of a second after ", i+1), 0, 40)) * 100 * time.Millisecond)
	}
	s.Until(membership.DeadLapse+5*time.Second, "the spared are one core, and serve", func() bool { return s.core(spared) })
	s.Until(30*time.Second, "the key is on one of them", func() bool {
		return slices.ContainsFunc(spared, func(n *Node) bool { return n.Name == spared[0].Owner(s.Key) })
	})
	for i := range 10 * k.Option("seconds", 1, 30) {
		if what := fmt.Sprint("post ", i); w.work.Often(what, 4, 5) {
			s.Push(spared[w.work.Choose(what+": node", uint64(len(spared)))].Name, postTexts...)
		}
		s.Advance(100 * time.Millisecond)
	}
	s.Until(unheard+20*time.Second, "all clients are at spared nodes", func() bool {
		return s.Connected() && !slices.ContainsFunc(s.clients, func(c *Client) bool {
			return !slices.ContainsFunc(spared, func(n *Node) bool { return n.Name == c.At() })
		})
	})
	s.Check(8 * time.Second)
	if !s.core(spared) {
		s.TB.Errorf("sim: the spared are not one core any more\n%s", s.Cluster)
	}
}

// core says whether each of the nodes serves and has those in its core and no other.
func (c *Cluster) core(nodes []*Node) bool {
	for _, n := range nodes {
		if n.Actors.Serving() != nil {
			return false
		}
		for _, m := range n.Actors.View().Members() {
			in := slices.ContainsFunc(nodes, func(o *Node) bool { return o.Name == m.Name })
			if in != (m.State == membership.Core) {
				return false
			}
		}
	}
	return true
}

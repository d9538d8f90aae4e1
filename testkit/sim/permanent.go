package sim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// lasting are faults of a node that never end. others are those that nothing befalls.
var lasting = []struct {
	name string
	of   func(c *Cluster, n *Node, others []*Node)
}{
	{"crash", func(_ *Cluster, n *Node, _ []*Node) { n.Crash() }},
	{"freeze", func(_ *Cluster, n *Node, _ []*Node) { n.Freeze() }},
	{"store down", func(_ *Cluster, n *Node, _ []*Node) { n.LoseStore() }},
	{"isolate", func(c *Cluster, n *Node, _ []*Node) { c.Isolate(n.Name) }},
	{"not heard by two", func(c *Cluster, n *Node, others []*Node) {
		for _, o := range others[:2] {
			c.Net.Cut(n.Name, o.Name)
		}
	}},
	{"hears none", func(c *Cluster, n *Node, others []*Node) {
		for _, o := range others {
			c.Net.Cut(o.Name, n.Name)
		}
	}},
	{"router hangs", func(_ *Cluster, n *Node, _ []*Node) { n.hung = true; n.Hang("router", func(any) bool { return true }) }},
	{"pool hangs", func(_ *Cluster, n *Node, _ []*Node) { n.hung = true; n.Stick(Records) }},
}

// forcedWithin is how long it may take until what a process owns that answers and does
// nothing is another's: the watchdog finds it, and then it has its time to give it up.
const forcedWithin = 15*time.Second + 20*time.Second

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
	others := slices.DeleteFunc(slices.Clone(s.nodes), func(n *Node) bool { return slices.Contains(ill, n) })
	for i, n := range ill {
		fault := lasting[k.Option(fmt.Sprint("which of crash, freeze, store down, isolate, not heard by two, hears none, router hangs, pool hangs, ", i+1), 0, len(lasting)-1)]
		s.costly = true
		s.Fault(n.Name, fault.name)
		fault.of(s.Cluster, n, others)
		s.Advance(time.Duration(k.Option(fmt.Sprint("tenths of a second after ", i+1), 0, 40)) * 100 * time.Millisecond)
	}
	core := s.largest()
	names := func(name string) bool {
		return slices.ContainsFunc(core, func(n *Node) bool { return n.Name == name })
	}
	// Posts go on: those that are ill may own the key still, and hear of them. That a node
	// hangs is found by what it should do.
	hung := slices.ContainsFunc(ill, func(n *Node) bool { return n.hung })
	posts := 0
	meanwhile := func(holds func() bool) func() bool {
		return func() bool {
			if holds() {
				return true
			}
			if posts++; w.work.Often(fmt.Sprint("post meanwhile ", posts), 4, 5) || hung {
				s.Push(core[posts%len(core)].Name, postTexts...)
			}
			return false
		}
	}
	// The leases of those that are suspended or cut off run out by then, and none
	// of what they own may be another's before.
	s.Until(membership.DeadLapse+5*time.Second, "those that reach each other are the core, and serve", meanwhile(func() bool { return s.core(core) }))
	within := membership.DeadLapse
	if hung {
		within = forcedWithin
	}
	s.Until(within+5*time.Second, "one of the core has taken the key", meanwhile(func() bool { return names(s.shard(s.Key).GetNode()) }))
	for i := range 10 * k.Option("seconds", 1, 30) {
		if what := fmt.Sprint("post ", i); w.work.Often(what, 4, 5) {
			s.Push(core[w.work.Choose(what+": node", uint64(len(core)))].Name, postTexts...)
		}
		s.Advance(100 * time.Millisecond)
	}
	s.Until(unheard+20*time.Second, "all clients are in the core", func() bool {
		return s.Connected() && !slices.ContainsFunc(s.clients, func(c *Client) bool { return !names(c.At()) })
	})
	s.Check(8 * time.Second)
	if !s.core(core) {
		s.TB.Errorf("sim: they are not the core any more\n%s", s.Cluster)
	}
	s.forgetting(core, ill)
}

// forgetting is that an operator takes those out of the cluster that are ill for good:
// the core goes on, with the parts of those that were. One that is there, as anybody
// knows, is not taken out; one that was suspended and goes on is a member again.
func (s *Scene) forgetting(core, ill []*Node) {
	var out []*Node
	for _, n := range ill {
		gone := !n.Awake() || n.storeDown && len(s.Net.Reaches(n.Name)) == 0
		err := s.forget(core[0], n)
		// Of one that has just gone nobody knows it before its lease has run out.
		for waited := time.Duration(0); gone && errors.Is(err, assembly.ErrAlive) && waited < membership.DeadLapse+5*time.Second; waited += time.Second {
			s.Advance(time.Second)
			err = s.forget(core[0], n)
		}
		if alive := errors.Is(err, assembly.ErrAlive); alive == gone || err != nil && !alive {
			s.Violated("who is there is not forgotten, and who is not is", "%s is gone: %v, and to forget it: %v\n%s", n.Name, gone, err, s.Cluster)
		}
		if err == nil {
			out = append(out, n)
		}
	}
	s.Until(5*time.Second, "who was forgotten is no member", func() bool {
		return !slices.ContainsFunc(core, func(n *Node) bool {
			return slices.ContainsFunc(out, func(o *Node) bool { _, ok := n.Actors.View().Member(o.Name); return ok })
		})
	})
	for range 20 {
		s.Push(core[0].Name, postTexts...)
		s.Advance(100 * time.Millisecond)
	}
	s.Check(8 * time.Second)
	for _, n := range out {
		if n.up && n.frozen {
			n.Thaw()
			s.Until(40*time.Second, "one that goes on is a member again, and the core is as it should be", func() bool {
				_, member := core[0].Actors.View().Member(n.Name)
				return member && s.core(s.largest())
			})
		}
	}
}

// forget has the node take a member out. One that may still act is not taken out.
func (s *Scene) forget(by, member *Node) (err error) {
	s.TB.Helper()
	answered := false
	by.Actors.Forget(member.Name, func(e error) { err, answered = e, true })
	s.Until(5*time.Second, "it is known whether a member is forgotten", func() bool { return answered })
	if err == nil && member.up && member.live() {
		s.Violated("who is there is not forgotten, and who is not is", "%s is forgotten, and its lease is live\n%s", member.Name, s.Cluster)
	}
	return err
}

// core says whether each of the nodes serves and has those in its core and no other,
// and nobody else serves.
func (c *Cluster) core(nodes []*Node) bool {
	for _, n := range c.nodes {
		if !slices.Contains(nodes, n) {
			if n.Awake() && n.Actors.Serving() == nil {
				return false
			}
			continue
		}
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

// largest is which nodes should be the core for good: of all sets of nodes that run
// and reach the store, in which no direction between two is cut, a largest one, and
// of several the one with the oldest members. It tries every set, and knows of the
// product nothing but since when each node is a member.
func (c *Cluster) largest() (best []*Node) {
	c.TB.Helper()
	oldest := slices.SortedFunc(slices.Values(c.nodes), func(a, b *Node) int {
		return cmp.Or(cmp.Compare(c.since(a), c.since(b)), strings.Compare(a.Name, b.Name))
	})
	// The oldest is the highest bit: of sets of one size the oldest comes first.
	for set := 1<<len(oldest) - 1; set > 0; set-- {
		var all []*Node
		for i, n := range oldest {
			if set>>(len(oldest)-1-i)&1 == 1 {
				all = append(all, n)
			}
		}
		if len(all) > len(best) && c.whole(all) {
			best = all
		}
	}
	return best
}

// whole says whether nothing is wrong with the nodes nor between them.
func (c *Cluster) whole(nodes []*Node) bool {
	for _, a := range nodes {
		if !a.Awake() || a.storeDown || a.hung {
			return false
		}
		for _, b := range nodes {
			if !c.Net.reaches(a.Name, b.Name) {
				return false
			}
		}
	}
	return true
}

// since is when the node became a member, in milliseconds; of one that is none, never.
func (c *Cluster) since(n *Node) int64 {
	c.TB.Helper()
	kept, err := c.control().Get(c.TB.Context(), actors.LeaseRecord(n.Name))
	record := &messages.Lease{}
	if errors.Is(err, messages.ErrNotFound) {
		return math.MaxInt64
	}
	if err == nil {
		err = proto.Unmarshal(kept.Data, record)
	}
	if err != nil {
		c.TB.Fatal(err)
	}
	return record.GetBeganMs()
}

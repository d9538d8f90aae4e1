package sim

import (
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
)

// Small are scenarios of a few messages, for Explore. What leads to them and what
// comes after them is plain; between, everything may come in any order. A seed may
// play one too.
var Small = []Scenario{
	{"join", "a client joins, while a rule changes and the process that owns the key is killed (end=0), drained, suspended or cut off (3)", joining},
}

// begun is a scene for a small scenario: everybody has come to rest.
func begun(k *testkit.Kit, clients int) *Scene {
	s := NewScene(k, 3, clients)
	for _, n := range s.nodes {
		n.Host.Bounds = nil // so few never wait: a mailbox that is handled does not concern who sends to it
	}
	s.Net.Fate = func(from, to link.Peer, e link.Envelope) Fate {
		return Fate{Drop: s.Chance(testkit.Network).Once("lose "+e.Kind+" from "+from.Node+" to "+to.Node, 20)}
	}
	return s
}

// joining: all at once, a client joins at one node, the owner makes a rule by way of
// another, a post comes, and the third, which owns the key, ends. Each of them is
// then wherever it is when the next one comes.
func joining(k *testkit.Kit) {
	var w *writer
	var o *Owner
	k.Plainly(func() {
		w = &writer{Scene: begun(k, 0), work: k.Chance(testkit.Workload), texts: ruleTexts}
		o = w.Own(w.Key, "moon")
		o.Change("the first rule")
		w.Until(5*time.Second, "the owner is answered", o.Answered)
		w.Push("n1", "the moon")
		w.Advance(time.Second)
	})
	n := w.Node("n3")
	over, heal := func() {}, func() {}
	what := ends[k.Option("end", 0, len(ends)-1)]
	w.Connect("c1", w.Key, "n1")
	o.Change("the second rule")
	w.Push("n2", "the moon")
	if k.Chance(testkit.Faults).Once("it ends", 1) {
		k.Lane("the end of n3").Add(func() { over, heal = w.Fault(n.Name, what.Name), what.Of(w.Scene, n) })
	}
	k.Settle()
	k.Plainly(func() {
		w.Net.Fate = nil
		w.Advance(8 * time.Second)
		over()
		heal()
		w.settle(o)
	})
}

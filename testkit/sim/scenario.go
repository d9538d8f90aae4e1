package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Scenario is a whole run of a cluster: what is asked of it, which faults come, and
// what is held at its end. How large it is, how long, and with which faults are
// options that the seed draws.
type Scenario struct {
	Name, About string
	Run         func(k *testkit.Kit)
}

// Scenarios are all. A seed that names none is of the one at its place: one after
// the other, so that each has its share of a sweep.
var Scenarios = []Scenario{
	{"swarm", "posts at any node while faults of some kinds come and go", swarmed},
	{"rules", "an owner makes, changes and deletes rules and monitors meanwhile", RulesUnder(Faults...)},
	{"key", "an operator changes the key's name, plan and secret meanwhile, and may revoke it", keyThatChanges},
	{"owner", "the node that owns the key is drained, killed, suspended or cut off from others or the store, once", ownerThatFails},
	{"limit", "more clients than the key may have connections, on nodes that fail", limited},
	{"permanent", "of five nodes two are ill and stay so; the others go on without them", withoutTwo},
	{"upgrade", "one node after the other is drained, stopped, and started as the next version", upgraded},
}

var (
	postTexts = []string{"the moon", "the sun", "moon and sun", "nothing"}
	ruleTexts = []string{"the moon", "the sun", "moon and sun", "a star", "moon sun star", "nothing"}
)

// writer posts what the seed wants, at any node.
type writer struct {
	*Scene
	work  *testkit.Chance
	texts []string
	hangs int // 0: clients stay
	asked int // whether to post: what is asked has the same name in a run with fewer posts
}

// newWriter posts in the scene, whose clients may hang up, and their connections break,
// while it does.
func newWriter(s *Scene, texts []string) *writer {
	w := &writer{Scene: s, work: s.Chance(testkit.Workload), texts: texts, hangs: s.Option("clients that hang up", 0, 1)}
	s.Breaks = 30 * uint64(s.Option("connections that break in the middle", 0, 1))
	return w
}

// may posts, as far as the seed wants.
func (w *writer) may() {
	w.asked++
	what := fmt.Sprint("post ", w.asked)
	if w.hangs > 0 && w.work.Once(what+": a client hangs up", 10) {
		w.clients[w.work.Choose(what+": which client", uint64(len(w.clients)))].hangUp()
	}
	if !w.work.Often(what, 4, 5) {
		return
	}
	w.Push(w.nodes[w.work.Choose(what+": node", uint64(len(w.nodes)))].Name, w.texts...)
}

func swarmed(k *testkit.Kit) {
	s := NewScene(k, k.Option("nodes", 3, 5), k.Option("clients", 1, 5), "moon", "sun")
	w := newWriter(s, postTexts)
	s.Busy()
	swarm := s.Swarm(Faults...)
	s.Stalls = 200 * uint64(k.Option("clients that stall", 0, 1))
	for i := range 10 * k.Option("seconds", 1, 30) {
		if i%5 == 0 {
			swarm.Step()
		}
		w.may()
		s.Advance(100 * time.Millisecond)
	}
	swarm.Heal()
	s.Stalls = 0
	s.Healed()
	w.flow()
	s.Check(8 * time.Second)
	s.Farewell()
}

// live has the owner change rules for n rounds, and posts meanwhile, some of them at once.
func (w *writer) live(stage string, o *Owner, n int, step func()) {
	for i := range n {
		step()
		for j := range 3 {
			if what := fmt.Sprintf("%s %d: change %d", stage, i, j); w.work.Once(what, 3) {
				w.ownerOf(w.Key).sometimesAmid(moving, w.work, what, func() { o.Change(what) })
			}
			w.may()
		}
		if what := fmt.Sprintf("%s %d: look", stage, i); w.work.Once(what, 6) {
			o.Look(what)
		}
		// The plain wait is the mean one, and not the shortest: a run that is shrunk lasts as long.
		wait := 50 * time.Millisecond
		if what := fmt.Sprintf("%s %d: wait", stage, i); w.work.Once(what, 2) {
			wait = time.Millisecond + w.work.Below(what, 100*time.Millisecond)
		}
		w.Advance(wait)
	}
	w.calm()
}

// flow posts at each node: what comes after all faults is delivered too. What goes
// between nodes for these last posts is lost at times: nothing that comes after it shows
// that something is missing.
func (w *writer) flow() {
	w.Breaks = 0
	lost := [...]string{"", frameKind, deliveriesKind}[w.Option("what is lost of the last posts: nothing, frames, deliveries", 0, 2)]
	network := w.Chance(testkit.Network)
	w.Net.Fate = func(from, to link.Peer, e link.Envelope) Fate {
		what := fmt.Sprintf("lose the last %s from %s to %s", e.Kind, from.Node, to.Node)
		if e.Kind != lost || !network.Often(what, 3, 4) {
			return Fate{}
		}
		w.Fault("the network", what)()
		return Fate{Drop: true}
	}
	first := w.work.Choose("flow: the first node", uint64(len(w.nodes)))
	for i := range w.nodes {
		w.Push(w.nodes[(int(first)+i)%len(w.nodes)].Name, "moon sun star")
		w.Advance(100 * time.Millisecond)
	}
	w.Net.Fate = nil
}

// settle judges what came of it, and that what holds at last matches.
func (w *writer) settle(o *Owner) {
	w.Until(30*time.Second, "the owner is answered", o.Answered)
	w.Healed()
	w.flow()
	w.Advance(8 * time.Second)
	w.CheckOwned(o)
	w.CheckCharged(w.Key, false)
	w.CheckHistories()
	w.Farewell()
	if w.TB.Failed() {
		w.TB.Log(o)
	}
}

// RulesUnder is the scenario in which rules change, under faults of the kinds.
func RulesUnder(kinds ...Fault) func(k *testkit.Kit) {
	return func(k *testkit.Kit) {
		s := NewScene(k, k.Option("nodes", 3, 5), k.Option("clients", 1, 3))
		w := newWriter(s, ruleTexts)
		o := s.Own(s.Key, "moon", "sun", "star")
		o.churns = s.Option("the owner makes and deletes more than it changes", 0, 1) == 1
		if s.Option("monitors", 0, 1) == 1 {
			o.Watch("ada", "bob", "eva")
			s.write = []account{{"ada", "7"}, {"bob", "8"}, {"zoe", "9"}, {"eva", "7"}} // ada takes another name, and back
		}
		s.Busy()
		swarm := s.Swarm(kinds...)
		w.live("round", o, 10*k.Option("ten rounds", 1, 40), swarm.Step)
		swarm.Heal()
		w.settle(o)
	}
}

func keyThatChanges(k *testkit.Kit) {
	s := NewScene(k, k.Option("nodes", 3, 5), k.Option("clients", 1, 5), "moon", "sun")
	w := newWriter(s, postTexts)
	o := s.Operate(s.Key)
	s.Busy()
	swarm := s.Swarm(Faults...)
	live := func(stage string, n int, step func()) {
		for i := range n {
			step()
			if what := fmt.Sprintf("%s %d: change of the key", stage, i); w.work.Once(what, 4) {
				o.Change(what)
			}
			w.may()
			s.Advance(100 * time.Millisecond)
		}
	}
	live("round", k.Option("rounds", 1, 300), swarm.Step)
	revoke := k.Option("revoke", 0, 1) == 1
	if revoke {
		o.Revoke()
		live("round when it is revoked", 50, swarm.Step)
	}
	swarm.Heal()
	s.Until(30*time.Second, "the operator is answered", o.Answered)
	if !revoke {
		s.Healed()
		w.flow()
		s.Check(8 * time.Second)
		s.CheckOperated(o)
		s.Farewell()
		return
	}
	s.Until(20*time.Second, "no client of a revoked key is connected", func() bool { return s.Open() == 0 })
	live("round after", 20, func() {})
	s.Advance(2 * time.Minute) // what could not be deleted at once is looked at once a minute
	s.CheckOperated(o)
	s.CheckRevoked()
	s.CheckCharged(s.Key, false)
}

// ends are what may befall the node that owns a key, each with what ends it.
var ends = []struct {
	Name string
	Of   func(s *Scene, n *Node) (over func())
}{
	{"crash", func(s *Scene, n *Node) func() { n.Crash(); return func() { s.Start(n.Name) } }},
	{"drain", func(s *Scene, n *Node) func() { n.Drain(); return func() { n.Stop(); s.Start(n.Name) } }},
	{"freeze", func(_ *Scene, n *Node) func() { n.Freeze(); return n.Thaw }},
	{"store down", func(_ *Scene, n *Node) func() { n.LoseStore(); return n.FindStore }},
	{"isolate", func(s *Scene, n *Node) func() { s.Isolate(n.Name); return func() { s.Rejoin(n.Name) } }},
}

// lagging is a network on which no frame comes to another node than this one: their
// routers find them in the log, late, and whoever takes a key from the node is
// behind it.
func lagging(node string) func(from, to link.Peer, e link.Envelope) Fate {
	return func(_, to link.Peer, e link.Envelope) Fate {
		return Fate{Drop: to.Node != node && e.Kind == frameKind}
	}
}

// grantedKind is that of the envelopes in which a key lends to a connection.
var grantedKind = string((&messages.CreditGranted{}).ProtoReflect().Descriptor().FullName())

// frameKind is that of the envelopes in which frames go to other nodes.
var frameKind = string((&messages.FrameAppended{}).ProtoReflect().Descriptor().FullName())

func ownerThatFails(k *testkit.Kit) {
	s := NewScene(k, 3, k.Option("clients", 1, 5))
	w := newWriter(s, ruleTexts)
	o := s.Own(s.Key, "moon", "sun", "star")
	o.churns = s.Option("the owner makes and deletes more than it changes", 0, 1) == 1
	s.Busy()
	what := ends[k.Option("which of crash, drain, freeze, store down, isolate", 0, len(ends)-1)]
	w.live("before", o, k.Option("rounds before", 0, 30), func() {})
	n := s.Node(s.Node("n1").Owner(s.Key))
	if rounds := k.Option("rounds in which what it writes is late", 0, 20); rounds > 0 {
		s.costly, n.late = true, true
		late := s.Fault(n.Name, "late writes")
		w.live("when it is late", o, rounds, func() {})
		late()
	}
	if s.Option("the others lag", 0, 1) == 1 {
		s.Net.Fate = lagging(n.Name)
		for _, other := range s.nodes {
			other.lags = other != n
		}
	}
	s.costly = s.costly || what.Name != "drain"
	over, heal := s.Fault(n.Name, what.Name), func() {}
	n.sometimesAmid(eventful, s.Chance(testkit.Faults), what.Name, func() { heal = what.Of(s, n) })
	w.live("meanwhile", o, k.Option("rounds meanwhile", 1, 400), func() {})
	over()
	heal()
	s.bad.heal()
	s.Net.Fate = nil
	for _, other := range s.nodes {
		other.lags, other.late = false, false
	}
	w.live("after", o, k.Option("rounds after", 0, 60), func() {})
	w.settle(o)
}

func limited(k *testkit.Kit) {
	s := NewScene(k, k.Option("nodes", 3, 5), 0)
	limit := planLimit
	s.Steady = append(s.Steady, KeyLimit(s.Key, limit))
	for i := range k.Option("clients", limit, 8) {
		s.Connect(fmt.Sprint("c", i+1), s.Key, s.nodes[i%len(s.nodes)].Name)
	}
	s.Busy()
	swarm := s.Swarm(Faults...)
	work, hangs := k.Chance(testkit.Workload), k.Option("clients that hang up", 0, 1) == 1
	for i := range 2 * k.Option("seconds", 1, 30) {
		swarm.Step()
		if what := fmt.Sprintf("half second %d: a client hangs up", i); hangs && work.Once(what, 2) {
			s.clients[work.Choose(what+": which", uint64(len(s.clients)))].hangUp()
		}
		s.Advance(500 * time.Millisecond)
	}
	swarm.Heal()
	s.CheckHistories()
	s.Until(40*time.Second, "as many clients are connected as the key may have", func() bool { return s.Open() == limit })
	s.Farewell()
}

func upgraded(k *testkit.Kit) {
	s := NewScene(k, 3, k.Option("clients", 1, 5), "moon", "sun")
	w := newWriter(s, postTexts)
	live := func(n int) {
		for range n {
			w.may()
			s.Advance(50 * time.Millisecond)
		}
	}
	s.Busy()
	posts := k.Option("posts before each end", 20, 60) // a second at least: what a node owns is handed over by then
	twice := k.Option("per mille of messages that come twice", 0, 100)
	lost := k.Option("per mille of grants that are lost", 0, 200)
	network := k.Chance(testkit.Network)
	s.Net.Fate = func(from, to link.Peer, e link.Envelope) Fate {
		what := fmt.Sprintf("%s from %s to %s", e.Kind, from.Node, to.Node)
		if lost > 0 && e.Kind == grantedKind && network.Often("lose "+what, uint64(lost), 1000) {
			s.Fault("the network", "lose "+what)()
			return Fate{Drop: true} // it costs nothing: who has not heard of it asks again
		}
		if twice == 0 || !network.Often("duplicate "+what, uint64(twice), 1000) {
			return Fate{}
		}
		s.Fault("the network", "duplicate "+what)()
		return Fate{Twice: true}
	}
	nodes := slices.Concat(s.nodes, s.nodes)[k.Option("the first that is upgraded", 0, 2):]
	for _, n := range nodes[:k.Option("nodes that are upgraded", 1, 3)] {
		over := s.Fault(n.Name, "drain")
		s.moves.away(s.Cluster, Upgrade, n.Name)
		n.Drain()
		live(posts)
		s.CheckLeft()
		over()
		n.Stop()
		over = s.Fault(n.Name, "stopped")
		live(10)
		over()
		n.Version = nextVersion
		s.Start(n.Name)
		live(40)
		s.Until(10*time.Second, "all nodes are in the core", s.Whole) // whoever upgrades waits for it
	}
	s.Net.Fate = nil
	s.Healed()
	w.flow()
	s.Check(10 * time.Second)
	s.Farewell()
}

package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/testkit"
)

// Fault is one kind of what befalls a cluster.
type Fault string

// The kinds. Each happens now and then, for a while.
const (
	Drop      Fault = "drop"      // messages between nodes are lost without a word
	Delay     Fault = "delay"     // or late, and with them those after them
	Duplicate Fault = "duplicate" // or come twice
	Crash     Fault = "crash"     // a process is killed, and starts again
	Freeze    Fault = "freeze"    // a process is suspended, perhaps for longer than its lease
	Cut       Fault = "cut"       // two nodes do not reach each other
	CutOneWay Fault = "cut one way"
	StoreDown Fault = "store down" // a node does not reach the store
	Drain     Fault = "drain"      // a node leaves and comes back
)

// Faults are all kinds.
var Faults = []Fault{Drop, Delay, Duplicate, Crash, Freeze, Cut, CutOneWay, StoreDown, Drain}

// Swarm befalls a cluster with some kinds of faults: which, how often and when is
// the seed's. One node at a time is down, suspended, cut off or draining, so that
// the others can go on.
type Swarm struct {
	c      *Cluster
	r      *rand.Rand
	kinds  []Fault
	rate   uint64 // of messages, in a thousand
	ill    *Node
	until  time.Duration
	heal   func()
	calm   time.Duration // when the next may fall ill
	happed []string
}

// Swarm draws kinds from those given; with all, all of them.
func (c *Cluster) Swarm(seed uint64, kinds ...Fault) *Swarm {
	s := &Swarm{c: c, r: rand.New(rand.NewPCG(seed, 0x6661756c74)), heal: func() {}}
	for _, kind := range kinds {
		if len(kinds) == 1 || s.r.IntN(2) == 0 {
			s.kinds = append(s.kinds, kind)
		}
	}
	s.rate = 1 + s.r.Uint64N(50)
	c.Net.Fate = s.fate
	return s
}

func (s *Swarm) has(kind Fault) bool { return slices.Contains(s.kinds, kind) }

func (s *Swarm) fate(_, _ link.Peer, _ link.Envelope) (f Fate) {
	if s.r.Uint64N(1000) >= s.rate {
		return f
	}
	switch s.r.IntN(3) {
	case 0:
		f.Drop = s.has(Drop)
	case 1:
		if s.has(Delay) {
			f.After = time.Duration(s.r.Uint64N(uint64(time.Second)))
		}
	default:
		f.Twice = s.has(Duplicate)
	}
	return f
}

// Step is called every now and then: something may begin, or end.
func (s *Swarm) Step() {
	now := s.c.Clock.Elapsed()
	if s.ill != nil {
		if now >= s.until {
			s.recover()
		}
		return
	}
	if now < s.calm || s.r.IntN(4) > 0 {
		return
	}
	var of []Fault
	for _, kind := range s.kinds {
		if kind != Drop && kind != Delay && kind != Duplicate {
			of = append(of, kind)
		}
	}
	if len(of) == 0 {
		return
	}
	s.begin(of[s.r.IntN(len(of))], s.c.nodes[s.r.IntN(len(s.c.nodes))])
}

func (s *Swarm) begin(kind Fault, n *Node) {
	c := s.c
	others := slices.DeleteFunc(slices.Clone(c.nodes), func(o *Node) bool { return o == n })
	other := others[s.r.IntN(len(others))]
	lasts := time.Duration(s.r.Uint64N(uint64(8 * time.Second)))
	s.happed = append(s.happed, fmt.Sprintf("%v: %s %s", c.Clock.Now().Sub(testkit.Start), kind, n.Name))
	s.ill = n
	switch kind {
	case Crash:
		if s.r.IntN(3) == 0 {
			lasts = time.Duration(s.r.Uint64N(uint64(time.Second))) // back before its views are
		}
		n.Crash()
		s.heal = func() { c.Start(n.Name) }
	case Freeze:
		lasts *= 3
		n.Freeze()
		s.heal = n.Thaw
	case Cut:
		c.Net.Cut(n.Name, other.Name)
		c.Net.Cut(other.Name, n.Name)
		s.heal = func() { c.Net.Mend(n.Name, other.Name); c.Net.Mend(other.Name, n.Name) }
	case CutOneWay:
		c.Net.Cut(n.Name, other.Name)
		s.heal = func() { c.Net.Mend(n.Name, other.Name) }
	case StoreDown:
		lasts *= 3
		n.storeDown = true
		s.heal = func() { n.storeDown = false }
	case Drain:
		n.Drain()
		s.heal = func() { n.leaving = false; n.renew() }
	}
	s.until = c.Clock.Elapsed() + lasts
}

func (s *Swarm) recover() {
	s.heal()
	s.ill, s.heal = nil, func() {}
	s.calm = s.c.Clock.Elapsed() + time.Duration(s.r.Uint64N(uint64(5*time.Second)))
}

// Heal ends all faults; no Step begins another.
func (s *Swarm) Heal() {
	s.recover()
	s.c.Net.Fate = nil
	s.calm = math.MaxInt64
}

func (s *Swarm) String() string {
	return fmt.Sprintf("kinds %v, %d of 1,000 messages\n\t%s", s.kinds, s.rate, strings.Join(s.happed, "\n\t"))
}

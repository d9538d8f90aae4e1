package sim

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/store/memory"
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
	Cut       Fault = "cut"       // two nodes do not reach each other, while others reach both
	CutOneWay Fault = "cut one way"
	StoreDown Fault = "store down" // a node does not reach the store
	Drain     Fault = "drain"      // a node leaves and comes back

	StoreErrors  Fault = "store errors"     // calls of the store fail
	Ambiguous    Fault = "ambiguous writes" // writes are answered with nothing certain; half of them have happened
	Late         Fault = "late writes"      // or happen seconds after that answer, as far as nobody has written since
	LostLeader   Fault = "lost leader"      // of the log, of the records or of the articles' states: nobody reads it, and what is written is in doubt
	SlowStore    Fault = "slow store"       // calls take up to two seconds, and others' happen in the middle of a piece of work
	CrashInWrite Fault = "crash in a write" // a process is killed when it writes, before or after that happens
	LateCrash    Fault = "late last writes" // a node's writes are answered by nothing and happen seconds later; meanwhile it is killed
	Slow         Fault = "slow"             // a node's work takes up to seconds, and so it lags
	FullDisk     Fault = "full disk"        // for frames, or for every write
	Trim         Fault = "trimmed log"      // what every client is past goes

	ClockJump     Fault = "clock jump"      // a node's wall clock is set forwards or back, and is right again later
	ClockDrift    Fault = "clock drift"     // a node's clocks run up to a tenth too fast or too slow
	Suspicion     Fault = "false suspicion" // two nodes take their session for dead, and nothing is wrong
	TwoDrains     Fault = "two drains"      // two nodes leave at once and come back
	DrainedCrash  Fault = "drained crash"   // a process is killed while it hands over, and is back within a second
	Upgrade       Fault = "upgrade"         // a node is drained, stopped, and comes back as the next version, or as the one before
	Panics        Fault = "panics"          // of a node's work some panics, and who asked for it is restarted
	FullMailboxes Fault = "full mailboxes"  // those of one kind of actor at a node drop every other message that they may drop
)

// Faults are all kinds.
var Faults = []Fault{
	Drop, Delay, Duplicate, Crash, Freeze, Cut, CutOneWay, StoreDown, Drain,
	StoreErrors, Ambiguous, Late, LostLeader, SlowStore, CrashInWrite, LateCrash, Slow, FullDisk, Trim,
	ClockJump, ClockDrift, Suspicion, TwoDrains, DrainedCrash, Upgrade,
	FullMailboxes, Panics,
}

// orderly are kinds that cost nobody anything: what was lent is given back, and each
// credit is for something that was handed on.
var orderly = []Fault{Duplicate, Drain, TwoDrains, Upgrade, ClockDrift, Trim}

// Swarm befalls a cluster with some kinds of faults: which, how often and when is
// the seed's. One node at a time is down, suspended, cut off or draining, so that
// the others can go on.
type Swarm struct {
	c      *Cluster
	kinds  []Fault
	rate   int // of messages, in a thousand
	faults *testkit.Chance
	net    *testkit.Chance
	ill    *Node
	began  time.Duration
	until  time.Duration
	heal   func()
	over   func()        // as heal, for who looks at the run
	calm   time.Duration // when the next may fall ill
	happed []string
}

// Swarm draws kinds from those given; of one, that one.
func (c *Cluster) Swarm(kinds ...Fault) *Swarm {
	s := &Swarm{c: c, faults: c.Chance(testkit.Faults), net: c.Chance(testkit.Network), began: c.Clock.Elapsed(), heal: func() {}, over: func() {}}
	for _, kind := range kinds {
		if len(kinds) == 1 || c.Option(string(kind), 0, 1) == 1 {
			s.kinds = append(s.kinds, kind)
		}
	}
	s.rate = c.Option("per mille of messages", 0, 50)
	c.Net.Fate = s.fate
	c.bad.rate, c.bad.errors, c.bad.ambiguous, c.bad.late = 4*uint64(s.rate), s.has(StoreErrors), s.has(Ambiguous), s.has(Late)
	c.pace(s.has(SlowStore))
	return s
}

func (s *Swarm) has(kind Fault) bool { return slices.Contains(s.kinds, kind) }

func (s *Swarm) fate(from, to link.Peer, e link.Envelope) (f Fate) {
	what := fmt.Sprintf("%s from %s to %s", e.Kind, from.Node, to.Node)
	for _, kind := range [...]Fault{Drop, Delay, Duplicate} {
		if !s.has(kind) || !s.net.Often(string(kind)+" "+what, uint64(s.rate), 3000) {
			continue
		}
		s.c.costly = s.c.costly || kind != Duplicate
		s.c.moves.away(s.c, kind, "")
		s.c.Fault("the network", string(kind)+" "+what)()
		switch kind {
		case Drop:
			f.Drop = true
		case Delay:
			f.After = s.net.Below("delay of "+what, time.Second)
		default:
			f.Twice = true
		}
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
	what := fmt.Sprintf("fault at %v", now-s.began)
	if now < s.calm || !s.faults.Once(what, 4) {
		return
	}
	var of []Fault
	for _, kind := range s.kinds {
		if !slices.Contains([]Fault{Drop, Delay, Duplicate, StoreErrors, Ambiguous, Late, SlowStore}, kind) {
			of = append(of, kind)
		}
	}
	if len(of) == 0 {
		return
	}
	kind, n := of[s.faults.Choose(what+": kind", uint64(len(of)))], s.c.nodes[s.faults.Choose(what+": node", uint64(len(s.c.nodes)))]
	if len(s.c.keys) > 0 && s.faults.Once(what+": who owns the key", 3) {
		n = s.c.ownerOf(s.c.keys[0])
	}
	s.begin(what, kind, n)
}

func (s *Swarm) begin(what string, kind Fault, n *Node) {
	c := s.c
	others := slices.DeleteFunc(slices.Clone(c.nodes), func(o *Node) bool { return o == n })
	other := others[s.faults.Choose(what+": other node", uint64(len(others)))]
	lasts := s.faults.Below(what+": how long", 8*time.Second)
	s.happed = append(s.happed, fmt.Sprintf("%v: %s %s", c.Clock.Now().Sub(testkit.Start), kind, n.Name))
	s.ill, s.over = n, c.Fault(n.Name, string(kind))
	c.costly = c.costly || !slices.Contains(orderly, kind)
	c.moves.away(c, kind, n.Name)
	switch kind {
	case Crash:
		if s.faults.Once(what+": short", 3) {
			lasts = s.faults.Below(what+": how short", time.Second) // back before its views are
		}
		s.amid(what, n, n.Crash, func() { c.Start(n.Name) })
	case Freeze:
		lasts *= 3
		s.amid(what, n, n.Freeze, n.Thaw)
	case Cut:
		c.Net.Cut(n.Name, other.Name)
		c.Net.Cut(other.Name, n.Name)
		s.heal = func() { c.Net.Mend(n.Name, other.Name); c.Net.Mend(other.Name, n.Name) }
	case CutOneWay:
		c.Net.Cut(n.Name, other.Name)
		s.heal = func() { c.Net.Mend(n.Name, other.Name) }
	case StoreDown:
		lasts *= 3
		s.amid(what, n, n.LoseStore, n.FindStore)
	case Drain:
		s.amid(what, n, n.Drain, n.Stay)
	case ClockJump, ClockDrift:
		s.clock(what, kind, n)
	case Suspicion:
		c.Net.Suspect(n.Name, other.Name)
		s.heal = func() {}
	case TwoDrains:
		n.Drain()
		other.Drain()
		s.heal = func() { n.Stay(); other.Stay() }
	case DrainedCrash:
		n.Drain()
		crash := n.ofNow(n.Crash)
		c.Later(s.faults.Below(what+": how soon", time.Second), crash)
		s.heal, lasts = func() { crash(); c.Start(n.Name) }, time.Second+s.faults.Below(what+": how short", time.Second)
	case Upgrade:
		lasts += drainFor
		n.Drain()
		c.Later(drainFor, n.ofNow(n.end))
		s.heal = func() {
			c.costly = c.costly || n.up // its end takes longer, or all is healed before it: a crash
			n.Crash()
			n.Version = n.next()
			c.Start(n.Name)
		}
	case CrashInWrite:
		n.dieAt = 1 + int(s.faults.Choose(what+": after how many writes", 12))
		s.heal = func() {
			if n.dying {
				n.Crash()
			}
			if n.dieAt = 0; !n.up {
				c.Start(n.Name)
			}
		}
	case LateCrash:
		n.late = true
		crash := n.ofNow(n.Crash)
		c.Later(s.faults.Below(what+": how soon", 2*time.Second), crash)
		s.heal, lasts = func() { crash(); c.Start(n.Name) }, 2*time.Second+s.faults.Below(what+": how short", 2*time.Second)
	case LostLeader:
		of := [...]Led{TheLog, TheRecords, TheItems}[s.faults.Choose(what+": whose", 3)]
		s.heal, lasts = c.FindLeader, min(lasts, lostMost)
		c.LoseLeader(of)
	case Slow:
		n.slow = true
		s.heal = func() { n.slow = false }
	case FullDisk:
		space := memory.AtReserve
		if s.faults.Once(what+": for every write", 2) {
			space, lasts = memory.None, lasts/2
		}
		c.Disk.SetSpace(space)
		s.heal = func() { c.Disk.SetSpace(memory.Plenty) }
	case Panics:
		n.panics = 1 + int(s.faults.Choose(what+": how many", 4))
		s.heal = func() { n.panics = 0 }
	case FullMailboxes:
		boxes := n.mailboxes
		boxes.full, boxes.fate = bounded[s.faults.Choose(what+": whose", uint64(len(bounded)))], s.net
		s.heal = func() { boxes.full = "" }
	case Trim:
		c.Trim()
		s.heal, lasts = func() {}, 0
	}
	s.until = c.Clock.Elapsed() + lasts
}

// amid has it begin at rest or amid messages, and end if it has begun.
func (s *Swarm) amid(what string, n *Node, begin, end func()) {
	begun := false
	n.sometimesAmid(eventful, s.faults, what, func() { begun = true; begin() })
	s.heal = func() {
		if s.c.calm(); begun {
			end()
		}
	}
}

// lostMost is how long an election takes at most, where a majority is there.
const lostMost = 6 * time.Second

// drainFor is how long a node that is drained has until it is stopped.
const drainFor = 2 * time.Second

// clock sets the node's wall clock, or has its clocks drift.
func (s *Swarm) clock(what string, kind Fault, n *Node) {
	clock := n.Clock
	if kind == ClockJump {
		by := s.faults.Below(what+": by how much", 10*time.Minute) - 5*time.Minute
		clock.Step(by)
		s.heal = func() { clock.Step(-by) }
		return
	}
	clock.Drift(s.faults.Below(what+": by how much", 200*time.Millisecond) - 100*time.Millisecond)
	s.heal = func() { clock.Drift(0) }
}

func (s *Swarm) recover() {
	s.heal()
	s.over()
	s.ill, s.heal, s.over = nil, func() {}, func() {}
	s.calm = s.c.Clock.Elapsed() + s.faults.Below(fmt.Sprintf("calm from %v", s.c.Clock.Elapsed()-s.began), 5*time.Second)
}

// Heal ends all faults; no Step begins another.
func (s *Swarm) Heal() {
	s.recover()
	s.c.Net.Fate = nil
	s.c.bad.heal()
	s.c.pace(false)
	s.calm = math.MaxInt64
}

func (s *Swarm) String() string {
	return fmt.Sprintf("kinds %v, %d of 1,000 messages; full mailboxes dropped %d\n\t%s", s.kinds, s.rate, s.c.shed, strings.Join(s.happed, "\n\t"))
}

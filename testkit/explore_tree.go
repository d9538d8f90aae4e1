package testkit

import (
	"fmt"
	"slices"
)

// exploration is a depth-first search over the decisions of runs. It keeps only the
// path that it is on: what is left to try at each decision of it.
//
// Which orders to try is found out by source sets (Abdulla, Aronis, Jonsson, Sagonas,
// "Optimal dynamic partial order reduction", 2014, its first algorithm): after a run,
// each two steps of it that may change places and whose footprints meet have the later
// one wanted, or what must come before it, where the earlier one was chosen. Sleep sets
// keep a run from going where another has been.
type exploration struct {
	scope  Scope
	result Explored
	stack  []*node
	misfit string // how a run has differed from the one before it; "": none did

	// Of the run that is played.
	depth   int // how many nodes of the stack it has come by
	steps   int // of those that may change places
	used    [streams]int
	sleep   map[string]footprint // of processes whose next step is tried elsewhere, that step's
	blocked bool                 // all that is due sleeps
	running *taken               // the step that runs; nil: none
	burst   []*taken             // since the system was at rest
	bursts  [][]*taken
	plain   int // > 0: nothing is decided, see Plainly
	made    int // what has a name of its own
}

// taken is a step that was done.
type taken struct {
	number  int // of the run's steps
	process string
	prints  footprint
	of      int      // the number of the step that it comes of; 0: of none
	at      *node    // where it was chosen
	halts   []string // processes that do not do what they would have done next
}

// node is one decision of the path. Invariant: what is above it in the stack comes of
// the alternative that is being tried.
type node struct {
	// Of a choice of a stream, or of an option.
	label   string
	n, pick uint64 // out of how many that are tried, and which one is

	// Of the schedule.
	due       []string             // processes, in their order in the run
	wanted    []string             // those to be tried, first wanted first
	chosen    string               // the one that is being tried
	prints    footprint            // of its step, in all runs
	asleep    map[string]footprint // need not be tried: tried before, here or elsewhere
	reversals int                  // on the path to here
}

func (x *exploration) begin() {
	x.depth, x.steps, x.used, x.sleep, x.blocked = 0, 0, [streams]int{}, nil, false
	x.running, x.burst, x.bursts, x.plain, x.made = nil, nil, nil, 0, 0
}

// choose answers what a stream decides.
func (x *exploration) choose(s Stream, label string, n uint64) uint64 {
	if x.running != nil {
		x.running.prints[fmt.Sprintf("chance %d %s", s, label)] = true // of two that ask the same, the first is answered first
	}
	pick := x.pick(fmt.Sprintf("%s %q out of %d", s, label, n), func() uint64 {
		if most, bounded := x.scope.Most[s]; bounded && x.used[s] >= most && n > 1 {
			x.result.Beyond[s.String()]++
			return 1
		}
		return x.values(label, n)
	})
	if pick != 0 {
		x.used[s]++
	}
	return pick
}

// option tries the values of those that vary, and has others at their least.
func (x *exploration) option(name string, least, most int) int {
	if !slices.Contains(x.scope.Vary, name) {
		return least
	}
	n := uint64(max(1, most-least+1))
	return least + int(x.pick(fmt.Sprintf("option %s out of %d", name, n), func() uint64 { return x.values(name, n) }))
}

func (x *exploration) values(label string, n uint64) uint64 {
	if x.scope.Values > 0 && n > x.scope.Values {
		x.result.Beyond["values of "+withoutNumbers(label)]++
		return x.scope.Values
	}
	return n
}

// pick is the next decision that is no schedule's, out of so many that are tried.
func (x *exploration) pick(label string, out func() uint64) uint64 {
	if x.plain > 0 || x.misfit != "" {
		return 0
	}
	if x.depth < len(x.stack) {
		if was := x.stack[x.depth]; was.label != label {
			x.differs(was, label)
			return 0
		}
	} else {
		x.stack = append(x.stack, &node{label: label, n: out()})
	}
	x.depth++
	return x.stack[x.depth-1].pick
}

// next says which of those that are due is next; -1: none, the run ends.
func (x *exploration) next(due []Event, step int) int {
	x.settled()
	if x.plain > 0 || x.misfit != "" {
		return 0
	}
	if x.scope.Steps > 0 && x.steps >= x.scope.Steps {
		if x.steps++; x.steps == x.scope.Steps+1 && len(due) > 1 {
			x.result.Beyond["steps"]++
		}
		return 0
	}
	x.steps++
	n := x.node(due)
	if n == nil {
		return -1
	}
	x.running = &taken{number: step, process: n.chosen, prints: footprint{}, at: n}
	x.burst = append(x.burst, x.running)
	return slices.Index(n.due, n.chosen)
}

// node is the next decision of the schedule; nil where all sleeps.
func (x *exploration) node(due []Event) *node {
	names := make([]string, len(due))
	for i, e := range due {
		names[i] = e.process()
	}
	if x.depth < len(x.stack) {
		n := x.stack[x.depth]
		if n.label != "" || !slices.Equal(n.due, names) {
			x.differs(n, fmt.Sprintf("the next of %q", names))
			return nil
		}
		x.depth++
		return n
	}
	n := &node{due: names, prints: footprint{}, asleep: x.sleep}
	if n.asleep == nil {
		n.asleep = map[string]footprint{}
	}
	if last := x.last(); last != nil {
		n.reversals = last.reversals
		if last.chosen != last.wanted[0] {
			n.reversals++
		}
	}
	i := slices.IndexFunc(names, func(p string) bool { _, sleeps := n.asleep[p]; return !sleeps })
	if i < 0 {
		x.blocked = true
		return nil
	}
	n.chosen, n.wanted = names[i], []string{names[i]}
	if x.scope.Naive {
		n.wanted = append(n.wanted, slices.Delete(slices.Clone(names), i, i+1)...)
	}
	x.stack = append(x.stack, n)
	x.depth++
	return n
}

// last is the last decision of the schedule on the path.
func (x *exploration) last() *node {
	for i := len(x.stack) - 1; i >= 0; i-- {
		if x.stack[i].label == "" {
			return x.stack[i]
		}
	}
	return nil
}

func (x *exploration) differs(was *node, now string) {
	before := was.label
	if before == "" {
		before = fmt.Sprintf("the next of %q", was.due)
	}
	x.misfit = fmt.Sprintf("the test is not the same run twice: after %d decisions it had %s, and now %s", x.depth, before, now)
}

// stuck says whether the run goes no further.
func (x *exploration) stuck() bool { return x.blocked || x.misfit != "" }

// settled takes what the step that ran has touched, and wakes whoever that concerns.
func (x *exploration) settled() {
	t := x.running
	if x.running = nil; t == nil {
		return
	}
	t.at.prints.add(t.prints)
	if x.scope.Naive {
		return
	}
	x.sleep = map[string]footprint{}
	for p, prints := range t.at.asleep {
		if p != t.process && !prints.meets(t.prints) {
			x.sleep[p] = prints
		}
	}
}

// rest is where nothing is due, or a run has ended: what comes after it comes of all
// that was before.
func (x *exploration) rest() {
	x.settled()
	if len(x.burst) > 0 {
		x.bursts = append(x.bursts, x.burst)
	}
	x.burst, x.sleep = nil, nil
}

// backtrack goes back to the last decision with something left to try, and decides it
// so; false: there is none.
func (x *exploration) backtrack() bool {
	if !x.scope.Naive {
		for _, b := range x.bursts {
			races(b)
		}
	}
	for len(x.stack) > 0 {
		if x.stack[len(x.stack)-1].another(x) {
			return true
		}
		x.stack = x.stack[:len(x.stack)-1]
	}
	return false
}

func (n *node) another(x *exploration) bool {
	if n.label != "" {
		n.pick++
		return n.pick < n.n
	}
	n.asleep[n.chosen], n.prints = n.prints, footprint{}
	for _, p := range n.wanted {
		if _, sleeps := n.asleep[p]; sleeps {
			continue
		}
		if x.scope.Reversals > 0 && n.reversals >= x.scope.Reversals {
			x.result.Beyond["reversals"]++
			return false
		}
		n.chosen = p
		return true
	}
	return false
}

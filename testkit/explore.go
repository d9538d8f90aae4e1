package testkit

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// DepthFirst is the Strategy of the runs of Explore, and of their logs. Timers of one
// instant all fire before what comes of any of them is handled, so that the order of
// that is decided like any other.
const DepthFirst = "depth-first"

// Scope is what Explore tries: a scenario of a few messages. What is not bounded is
// tried entirely, which a scenario must be small for.
type Scope struct {
	Scenario string // its name, for the log
	Seed     uint64 // of what actors draw from their Rand; the rest is not drawn
	// Options have other values than their least. Vary are those of which each value
	// is tried.
	Options map[string]int
	Vary    []string

	// Most is how many choices of a stream may be other than the plain one in one run:
	// one fault, two messages lost. A stream that is not named has no such bound.
	Most map[Stream]int
	// Values is how many of a choice are tried, the first ones; 0: all.
	Values uint64
	// Reversals is how often one run may depart from the plain order; 0: as often as
	// it makes a difference.
	Reversals int
	// Steps is how many of a run are tried in other orders, the first ones; 0: all.
	Steps int

	Runs int           // at most; 0: any number
	For  time.Duration // of wall time; 0: as long as it takes
	// Naive tries every order, also those that come to the same: to see that pruning
	// loses nothing.
	Naive bool
	// Stop is asked after each run whether to end; nil: there is no need to.
	Stop func() bool
	// Progress is told now and then, on the goroutine that explores; nil: nobody is.
	Progress func(Explored)
}

// Explored is what came of a scope.
type Explored struct {
	Orders int // runs that differ in what somebody could see
	Pruned int // runs that were cut off: the rest comes to the same as another
	// Beyond is how often a bound of the scope has cut something off, by its name.
	Beyond map[string]int
	// Ended says why not all was tried; "": all was, within the bounds.
	Ended   string
	Options []Drawn  // of its last run
	Refused string   // an option that was set to what it cannot be; "": there is none
	Failure *Outcome // the first run that violated something, with its Log; nil: none
}

// Exhausted says whether all orders, choices and faults of the scope were tried, and
// no bound has cut any off.
func (e *Explored) Exhausted() bool { return e.Ended == "" && len(e.Beyond) == 0 }

// Unset is one of the scope's options that the runs have none of; "": there is none.
func (e *Explored) Unset(s Scope) string {
	return unset(slices.Concat(slices.Sorted(maps.Keys(s.Options)), s.Vary), e.Options)
}

func (e *Explored) String() string {
	text := "exhausted: "
	switch {
	case e.Ended != "":
		text = "not exhausted, " + e.Ended + ": "
	case len(e.Beyond) > 0:
		text = "exhausted within bounds: "
	}
	text += fmt.Sprintf("%d orders, %d pruned", e.Orders, e.Pruned)
	var beyond []string
	for _, name := range slices.Sorted(maps.Keys(e.Beyond)) {
		beyond = append(beyond, fmt.Sprintf("%s %d times", name, e.Beyond[name]))
	}
	if len(beyond) > 0 {
		text += "; cut off by a bound: " + strings.Join(beyond, ", ")
	}
	return text
}

// Explore plays test again and again, depth first, until it has tried all that can be
// decided otherwise: which event is next, what is lost, when somebody crashes. Of
// orders that come to the same only one is tried: two steps change places where one
// touches what the other touches too (an actor, what waits for it, a host, what Touch
// tells of), else their order is nothing that anybody could see.
//
// It ends with the first violation, whose log Play, Shrink and Page take. test makes
// all that it uses, each time, and has no goroutines of its own; a run that differs
// from the one before where it should not ends the exploration.
//
// What a violation says must be of what is in Orders: a check that compares two
// actors, in the middle of a run, tells of that by Look.
func Explore(scope Scope, test func(k *Kit)) *Explored {
	x := &exploration{scope: scope, result: Explored{Beyond: map[string]int{}}}
	began, told := time.Now(), time.Now()
	for {
		o := x.play(test)
		x.judge(o)
		done := !x.backtrack()
		switch r := &x.result; {
		case r.Failure != nil:
			r.Ended = "a violation ends it"
		case x.misfit != "":
			r.Ended = x.misfit
		case done:
		case scope.Runs > 0 && r.Orders+r.Pruned >= scope.Runs:
			r.Ended = fmt.Sprintf("%d runs are all that it may", scope.Runs)
		case scope.For > 0 && time.Since(began) >= scope.For:
			r.Ended = fmt.Sprintf("%v are all that it may", scope.For)
		case scope.Stop != nil && scope.Stop():
			r.Ended = "it was told to"
		}
		if x.result.Ended != "" || done {
			return &x.result
		}
		if scope.Progress != nil && time.Since(told) > time.Second {
			told = time.Now()
			scope.Progress(x.result)
		}
	}
}

// play plays the run that the stack says.
func (x *exploration) play(test func(k *Kit)) *Outcome {
	x.begin()
	return Play(Plan{
		Scenario: x.scope.Scenario, Seed: x.scope.Seed, Options: x.scope.Options, Strategy: DepthFirst, Log: true, explores: x,
	}, test)
}

// judge counts the run, and keeps one that fails.
func (x *exploration) judge(o *Outcome) {
	x.rest()
	x.result.Options = o.Options
	switch {
	case o.Refused != "":
		x.result.Refused, x.misfit = o.Refused, "option "+o.Refused
	case x.misfit != "":
	case x.blocked:
		x.result.Pruned++
	default:
		if x.result.Orders++; o.Failed() {
			x.result.Failure = o
		}
	}
}

// Exhaust is Explore in a go test, which fails where a run does, and where not all was
// tried within the scope's bounds. With TESTKIT_LOGS the log of a run that failed is
// kept there.
func Exhaust(tb testing.TB, scope Scope, test func(k *Kit)) *Explored {
	tb.Helper()
	if scope.Scenario == "" {
		scope.Scenario = tb.Name()
	}
	e := Explore(scope, test)
	switch {
	case e.Failure != nil:
		tb.Errorf("testkit: order %d of a depth-first search:\n%s", e.Orders, e.Failure.Said)
		if folder := os.Getenv("TESTKIT_LOGS"); folder != "" {
			keepLog(tb, e.Failure.Log, folder)
		}
	case e.Ended != "":
		tb.Errorf("testkit: %v", e)
	case e.Unset(scope) != "":
		tb.Errorf("testkit: the runs have no option %s, they have %v", e.Unset(scope), e.Options)
	}
	return e
}

// Plainly does f, and what comes of it, without a choice where the run is one of
// Explore: the plain order, no fault. What leads to where a scenario becomes
// interesting is done so, and what only waits for its end. Other runs do f as ever.
func (k *Kit) Plainly(f func()) {
	k.TB.Helper()
	x := k.schedule.explored
	if x == nil {
		f()
		return
	}
	k.Settle()
	x.plain++
	f()
	k.Settle()
	x.plain--
}

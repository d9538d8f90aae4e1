package testkit

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	cmap "github.com/orcaman/concurrent-map"
)

// Plan says how a run is played outside go test.
type Plan struct {
	Scenario string // its name, for the log
	Seed     uint64
	Options  map[string]int // values that are not drawn from the seed
	Strategy string         // one of Strategies; "": random

	Follow *Log // what was chosen before; Seed and Options are its own then
	// Loosely: where the log does not fit, what is left of it is followed, as far as
	// its questions come again, and the rest is plain. So a log that was shrunk to
	// what a failure takes says something also after the code has changed.
	Loosely bool
	loosely *edit
	// explores decides, and is asked more than a follower is; nil: see the others.
	explores *exploration

	Hash    bool // make Outcome.Trace: a run takes some times as long
	Log     bool // keep Outcome.Log
	History bool // keep Outcome.History: as costly as Hash, and in memory
	Until   int  // end after this step; 0: go on
}

// Violation is something that should have held and did not.
type Violation struct {
	Invariant string        `json:"invariant"`
	Step      int           `json:"step"` // after which, or in which
	At        time.Duration `json:"at"`   // since the run began
	Text      string        `json:"text"`
}

// Outcome is what came of a run.
type Outcome struct {
	Scenario   string
	Seed       uint64
	Options    []Drawn
	Steps      int
	Elapsed    time.Duration // of virtual time
	Trace      uint64
	Violations []Violation    // the run ends with the step of the first
	Reached    map[string]int // how often: see Kit.Sometimes
	Faults     int            // that have begun: see Kit.Fault
	Said       string         // all that a test would have said, where it failed
	Misfit     string         // at which step the log does not fit, and why; "": it does
	Refused    string         // what the plan asks for and cannot be (a strategy, an option's value), which ends the run; "": nothing
	Ended      bool           // at Plan.Until
	Log        *Log
	History    *History
}

// Failed says whether anything was violated.
func (o *Outcome) Failed() bool { return len(o.Violations) > 0 }

// alone makes actor systems cheap, as importing the kit does for tests. It is done
// late in other programs, since it breaks actor systems that there are already.
var alone = sync.OnceFunc(func() {
	cmap.SHARD_COUNT = 1
	collectLess()
})

// Play runs test once, in this process and outside go test. It ends with the first
// violation. There must be no other actor system in a program that plays.
//
// test reports what does not hold by Kit.Violated. What it says to Kit.TB as a
// failure is a violation too, of an invariant that is named by its format. So is a
// panic, of the test as of an actor: "nothing panics".
func Play(p Plan, test func(k *Kit)) *Outcome {
	alone()
	if p.Follow != nil {
		p.Scenario, p.Seed, p.Strategy, p.Options = p.Follow.Scenario, p.Follow.Seed, p.Follow.Strategy, map[string]int{}
		for _, o := range p.Follow.Options {
			p.Options[o.Name] = o.Value
		}
		if p.Loosely {
			p.loosely = newEdit(p.Follow)
		}
	}
	tb := &transcript{}
	k := newKit(tb, p.Seed)
	r := &player{plan: p, kit: k, tb: tb}
	r.begin()
	onItsOwn(tb, func() {
		defer r.panics()
		defer k.output.close()
		defer k.tell()
		defer k.schedule.abandon()
		test(k)
		k.stop()
	})
	return r.outcome()
}

// panics has a panic of the test, or of what it does in its own name, be a violation:
// the run has a log as any that fails, and a sweep goes on.
func (r *player) panics() {
	if reason := recover(); reason != nil {
		r.tb.say(true, fmt.Sprintf("nothing panics: the test: %v%s", reason, stack()))
		r.kit.violates(Violation{Invariant: "nothing panics", Step: r.kit.Step(), Text: fmt.Sprintf("the test: %v%s", reason, stack())})
	}
}

// player is a run that is being played.
type player struct {
	plan   Plan
	kit    *Kit
	tb     *transcript
	strict *strict
	record *Record
}

func (r *player) begin() {
	d, p := r.kit.schedule.decisions, r.plan
	d.set, d.keeps, d.order = p.Options, p.Log, d.strategy(p.Strategy)
	r.tb.violated = func(by, text string) {
		r.kit.violates(Violation{Invariant: by, Step: r.kit.Step(), Text: text})
	}
	s := r.kit.schedule
	s.together = p.Strategy == DepthFirst
	switch {
	case p.explores != nil:
		s.explored, d.explore = p.explores, p.explores
	case p.loosely != nil:
		d.follow, d.set = p.loosely.follow(d.now), p.loosely.options
	case p.Follow != nil:
		r.strict = &strict{log: p.Follow, run: d}
		d.follow = r.strict
	}
	if p.Hash {
		r.record = r.kit.Record()
	}
	if p.History {
		r.kit.schedule.history = &History{}
	}
	r.kit.schedule.ends = func() bool {
		return r.tb.Failed() || r.strict != nil && r.strict.misfit != "" || p.explores != nil && p.explores.stuck() || r.refused() != "" || r.ended()
	}
}

// refused is a strategy that there is none of, or an option out of its range. An edited log has the nearest that is in
// it: the code that it was made by may have had another range.
func (r *player) refused() string {
	if s := r.plan.Strategy; s != "" && s != DepthFirst && !slices.Contains(Strategies, s) {
		return fmt.Sprintf("strategy %q: want one of %s", s, strings.Join(Strategies, ", "))
	}
	if r.plan.loosely != nil {
		return ""
	}
	return r.kit.schedule.decisions.refused
}

func (r *player) ended() bool { return r.plan.Until > 0 && r.kit.Step() >= r.plan.Until }

func (r *player) outcome() *Outcome {
	k, d := r.kit, r.kit.schedule.decisions
	o := &Outcome{
		Scenario: r.plan.Scenario, Seed: r.plan.Seed, Options: d.drawn, Steps: k.Step(), Elapsed: d.now(), History: k.schedule.history,
		Reached: k.reached, Faults: k.faults, Violations: k.violations, Ended: r.ended(), Refused: r.refused(),
	}
	if r.record != nil {
		o.Trace = r.record.Hash()
	}
	if r.strict != nil {
		if !o.Ended && o.Refused == "" {
			r.strict.end()
		}
		o.Misfit = r.strict.misfit
	}
	if o.Failed() {
		o.Said = strings.Join(r.tb.said, "\n")
	}
	if r.plan.Log {
		o.Log = &Log{Scenario: r.plan.Scenario, Seed: o.Seed, Strategy: r.plan.Strategy, Options: o.Options, Build: build(), Steps: o.Steps, labels: d.labels, choices: d.choices}
		if o.Failed() {
			o.Log.Violated = o.Violations[0].Invariant
		}
	}
	for _, h := range k.hosts { // of a run that did not come to its end
		if !h.System.IsStopped() {
			h.System.Shutdown()
		}
	}
	return o
}

// Violated says that an invariant does not hold, which fails the run. A test shows
// the first time of each invariant, and goes on; Play ends.
func (k *Kit) Violated(invariant, format string, args ...any) {
	k.TB.Helper()
	k.ViolatedAt(k.Step(), invariant, format, args...)
}

// ViolatedAt is Violated for whoever finds out later in which step it was.
func (k *Kit) ViolatedAt(step int, invariant, format string, args ...any) {
	k.TB.Helper()
	text := fmt.Sprintf(format, args...)
	again := k.violates(Violation{Invariant: invariant, Step: step, Text: text})
	t, played := k.TB.(*transcript)
	switch {
	case played:
		t.say(true, invariant+": "+text)
	case !again: // a test goes on, and asks again at every step
		k.TB.Errorf("%s: %s", invariant, text)
	}
}

// violates keeps what it is told, in a test that goes on the first of each invariant;
// again: it was violated before.
func (k *Kit) violates(v Violation) (again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v.At = k.schedule.time.elapsed() - century
	again = slices.ContainsFunc(k.violations, func(o Violation) bool { return o.Invariant == v.Invariant })
	if _, played := k.TB.(*transcript); played || !again {
		k.violations = append(k.violations, v)
	}
	return again
}

// Sometimes says that the run has come to a place that few runs come to. What is
// never reached by any of many runs was never tested.
func (k *Kit) Sometimes(place string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reached[place]++
}

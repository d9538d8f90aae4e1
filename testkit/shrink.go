package testkit

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Shrunk is what came of making a failure smaller.
type Shrunk struct {
	Log      *Log // that violates the same invariant
	Outcome  *Outcome
	Runs     int  // that were tried
	Smaller  int  // of them, that failed and were smaller
	Finished bool // false: the time was over, and it may be smaller still
}

// Shrink makes a failure smaller for as long as it violates the same invariant, for
// some of wall time: by trying runs in which less happens. It cuts faults, then
// workload, options, the network's misdeeds and delays, and the order of events,
// until nothing can be cut. test is the log's.
//
// A run that is tried follows what is left of the log where a question comes
// again, by its label, and is plain elsewhere; what it decided is the next log. So
// the result is a run like any other, and not a torn one.
func Shrink(l *Log, within time.Duration, test func(k *Kit)) (*Shrunk, error) {
	return ShrinkTo(nil, l, within, test)
}

// ShrinkTo is Shrink that ends as soon as what is left is small enough; nil: when
// nothing more can be cut. It is for measuring how long that takes.
func ShrinkTo(enough func(o *Outcome) bool, l *Log, within time.Duration, test func(k *Kit)) (*Shrunk, error) {
	o := Play(Plan{Follow: l, Log: true}, test)
	switch {
	case o.Misfit != "":
		return nil, fmt.Errorf("the log does not fit: %s", o.Misfit)
	case !o.Failed():
		return nil, errors.New("the run does not fail")
	}
	s := &shrinker{test: test, enough: enough, until: time.Now().Add(within), Shrunk: Shrunk{Log: o.Log, Outcome: o}}
	s.Finished = s.run()
	return &s.Shrunk, nil
}

type shrinker struct {
	Shrunk
	test   func(k *Kit)
	enough func(o *Outcome) bool // nil: never
	until  time.Time
}

// run says whether nothing more can be cut.
func (s *shrinker) run() bool {
	for s.left() {
		before := s.Smaller
		for _, smaller := range [...]func(){
			func() { s.cut(Faults) },
			func() { s.groups(Network) },
			func() { s.cut(Network) },
			func() { s.sooner(Network) },
			func() { s.groups(Workload) },
			s.options,
			func() { s.cut(Workload) },
			s.options,
			func() { s.lower(Faults) },
			func() { s.lower(Network) },
			func() { s.lower(Workload) },
		} {
			// The order of events is most of a run's choices, and what is left of the
			// rest may fail in the plain one where all of it did not.
			s.try(s.without(Schedule, 0, s.Log.Deviations(Schedule)))
			smaller()
		}
		s.try(s.without(Schedule, 0, s.Log.Deviations(Schedule)))
		s.cut(Schedule)
		if s.Smaller == before {
			return s.left()
		}
	}
	return false
}

func (s *shrinker) left() bool {
	return time.Now().Before(s.until) && (s.enough == nil || !s.enough(s.Outcome))
}

// try plays what e makes of the log, and takes it where it fails as the log does.
func (s *shrinker) try(e *edit) bool {
	if e == nil || !s.left() {
		return false
	}
	s.Runs++
	// What goes on for much longer does not fail in the same way.
	limit := 2*s.Outcome.Steps + 1000
	o := Play(Plan{Scenario: s.Log.Scenario, Seed: s.Log.Seed, Strategy: s.Log.Strategy, loosely: e, Log: true, Until: limit}, s.test)
	if !o.Failed() || o.Violations[0].Invariant != s.Outcome.Violations[0].Invariant {
		return false
	}
	s.Log, s.Outcome = o.Log, o
	s.Smaller++
	return true
}

// deviations are the indices of what is not plain in a stream.
func (s *shrinker) deviations(of Stream) (all []int) {
	for i, c := range s.Log.choices {
		if c.stream == of && c.pick != 0 {
			all = append(all, i)
		}
	}
	return all
}

// without has n deviations of a stream plain; nil: there are none.
func (s *shrinker) without(of Stream, first, n int) *edit {
	all := s.deviations(of)
	if first >= len(all) {
		return nil
	}
	e := newEdit(s.Log)
	for _, i := range all[first:min(first+n, len(all))] {
		e.picks[i] = 0
	}
	return e
}

// groups has all deviations of a stream plain whose labels differ in numbers only.
func (s *shrinker) groups(of Stream) {
	tried := map[string]bool{}
	for more := true; more && s.left(); {
		more = false
		for _, i := range s.deviations(of) {
			group := withoutNumbers(s.Log.labels[s.Log.choices[i].label])
			if tried[group] {
				continue
			}
			tried[group], more = true, true
			e := newEdit(s.Log)
			for _, i := range s.deviations(of) {
				if withoutNumbers(s.Log.labels[s.Log.choices[i].label]) == group {
					e.picks[i] = 0
				}
			}
			s.try(e)
			break // the log may be another one now
		}
	}
}

// sooner has what few messages suffer befall earlier ones of their kind: what came
// before it can be cut then.
func (s *shrinker) sooner(of Stream) {
	const few = 8
	for at := 0; at < min(few, len(s.deviations(of))); at++ {
		for share := 0; share < 3 && s.left(); share++ { // the first, one at a quarter, one at half
			all := s.deviations(of)
			if at >= len(all) {
				return
			}
			c := s.Log.choices[all[at]]
			var same []int // of its kind, that come before
			for i, o := range s.Log.choices[:all[at]] {
				if o.stream == of && o.label == c.label && o.pick == 0 {
					same = append(same, i)
				}
			}
			if len(same) == 0 {
				break
			}
			e := newEdit(s.Log)
			e.picks[all[at]], e.picks[same[len(same)*share/4]] = 0, c.pick
			if s.try(e) {
				break
			}
		}
	}
}

func withoutNumbers(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) || r == '.' {
			return -1
		}
		return r
	}, label)
}

// cut has ever smaller parts of a stream plain, from its end: what is last
// depends on what is first.
func (s *shrinker) cut(of Stream) {
	for n := s.Log.Deviations(of); n > 0 && s.left(); n /= 2 {
		for first := s.Log.Deviations(of) - n; first > -n && s.left(); first -= n {
			s.try(s.without(of, max(first, 0), n+min(first, 0)))
			first = min(first, s.Log.Deviations(of))
		}
	}
}

// options sets each to its least, or as near to it as it fails.
func (s *shrinker) options() {
	for i := range s.Log.Options {
		if i >= len(s.Log.Options) {
			return
		}
		least := s.Log.Options[i].Least
		for s.left() && i < len(s.Log.Options) && least < s.Log.Options[i].Value {
			o := s.Log.Options[i]
			e := newEdit(s.Log)
			e.options[o.Name] = least
			if !s.try(e) {
				least += (o.Value-least)/2 + 1
			}
		}
	}
}

// lower makes numbers smaller that are not few: durations, most of all.
func (s *shrinker) lower(of Stream) {
	const few = 8
	for at := 0; at < len(s.deviations(of)) && s.left(); at++ {
		for _, by := range [...]uint64{0, 16, 4, 2} {
			all := s.deviations(of)
			if at >= len(all) {
				break
			}
			c := s.Log.choices[all[at]]
			if c.n <= few || c.pick <= 1 {
				break
			}
			e := newEdit(s.Log)
			if e.picks[all[at]] = 1; by > 0 {
				e.picks[all[at]] = max(1, c.pick/by)
			}
			if s.try(e) {
				break
			}
		}
	}
}

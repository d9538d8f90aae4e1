package testkit

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Stream is one kind of what a run decides. Each has chance of its own, so that
// one fault less does not change what the workload does.
type Stream uint8

// The streams.
const (
	Schedule Stream = iota // which event is next: see Chooser
	Network                // what befalls a message
	Faults                 // what befalls a process, when, and for how long
	Workload               // what is asked of the system
	streams
)

func (s Stream) String() string {
	if s >= streams {
		return fmt.Sprintf("stream %d", uint8(s))
	}
	return [...]string{"schedule", "network", "faults", "workload"}[s]
}

// Chance is what a simulation decides with, instead of a generator of its own:
// what was decided can be written down, followed again, and made less. The first
// choice of each question, 0, is the plain one: nothing happens, no delay, the
// first node. A run that is shrunk is one with more zeros.
//
// A label says what a question is about, and the same in every run: "lose the
// Deposit of t3", not "lose". It is by its label that a question is found again
// in a run in which others are not asked any more.
type Chance struct {
	by     *decisions
	stream Stream
}

// Chance is the kit's, of a stream. It is for the test's own goroutine, also while
// that runs an actor. What actors draw from their Rand is not decided here: it is
// the seed's.
func (k *Kit) Chance(of Stream) *Chance { return &Chance{by: k.schedule.decisions, stream: of} }

// Choose is one of n, which is 1 at least.
func (c *Chance) Choose(label string, n uint64) uint64 {
	return c.by.choose(c.stream, label, n, func(r *rand.Rand) uint64 { return r.Uint64N(n) })
}

// Once is true one time in n.
func (c *Chance) Once(label string, n uint64) bool { return c.Often(label, 1, n) }

// Often is true times out of n.
func (c *Chance) Often(label string, times, n uint64) bool {
	if n == 0 {
		panic(fmt.Sprintf("testkit: a chance of %d in nothing: %v %q", times, c.stream, label))
	}
	return c.by.choose(c.stream, label, 2, func(r *rand.Rand) uint64 {
		if r.Uint64N(n) < times {
			return 1
		}
		return 0
	}) == 1
}

// Below is a duration of whole milliseconds, less than d.
func (c *Chance) Below(label string, d time.Duration) time.Duration {
	return time.Duration(c.Choose(label, uint64(max(1, d/time.Millisecond)))) * time.Millisecond
}

// Drawn is one value that the size or kind of a run has.
type Drawn struct {
	Name  string `json:"name"`
	Value int    `json:"value"`
	Least int    `json:"least"`
}

func (d Drawn) String() string { return fmt.Sprintf("%s=%d", d.Name, d.Value) }

// Option draws a value of least to most for the size or kind of the run: how many
// nodes, for how long, with which faults. It is the seed's unless whoever plays the
// run has set it, which ends the run where that is out of the range. Least is the
// plain one.
func (k *Kit) Option(name string, least, most int) int {
	if most < least {
		panic(fmt.Sprintf("testkit: option %q is from %d to %d", name, least, most))
	}
	return k.schedule.decisions.option(name, least, most)
}

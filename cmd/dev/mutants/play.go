package main

import (
	"encoding/json"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/birdwire/birdwire/testkit/sim"
)

// A failure counts as small with no more of each than this.
const (
	smallFaults     = 5
	smallDeliveries = 30
)

// said is one line of a player: a seed that was played, or what came of shrinking
// the one before it.
type said struct {
	Seed      int
	Scenario  string
	Invariant string // "": nothing was violated
	Text      string
	Shrunk    *shrunk
}

// shrunk is what is left of a failure.
type shrunk struct {
	Faults     int // that befell nodes, clients, messages, and calls of the store
	Deliveries int // choices of the network, and of what comes before what, that are not plain
	Workload   int // what was asked of the system
	Steps      int
	Seconds    float64 // that a processor has worked
}

func (s shrunk) small() bool { return s.Faults <= smallFaults && s.Deliveries <= smallDeliveries }

// player plays seeds one after the other until one fails, and shrinks that.
type player struct {
	seeds    string
	scenario string
	strategy string
	shrink   time.Duration
	log      string // file for the shrunk log; "": it is not kept
}

func (p *player) run(w io.Writer) error {
	var from, to int
	if _, err := fmt.Sscanf(p.seeds, "%d-%d", &from, &to); err != nil {
		return fmt.Errorf("-play %s: %w", p.seeds, err)
	}
	out := json.NewEncoder(w)
	for seed := from; seed <= to; seed++ {
		plan := sim.Plan{Scenario: p.scenario, Seed: uint64(seed), Strategy: p.strategy}
		o, err := sim.Play(plan)
		if err != nil {
			return err
		}
		s := said{Seed: seed, Scenario: o.Scenario}
		if o.Failed() {
			s.Invariant, s.Text = o.Violations[0].Invariant, o.Violations[0].Text
		}
		if err := out.Encode(s); err != nil {
			return err
		}
		if !o.Failed() {
			continue
		}
		if p.shrink > 0 {
			if s.Shrunk, err = p.smaller(plan); err != nil {
				return err
			}
			return out.Encode(s)
		}
		return nil
	}
	return nil
}

// wallMost is how many times longer shrinking may take than a processor works for it:
// others may want the processors too.
const wallMost = 20

// worked is how long processors have worked for this process.
func worked() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // of the process itself it cannot fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// smaller shrinks until the failure is small, or for as long as it may take.
func (p *player) smaller(plan sim.Plan) (*shrunk, error) {
	began := worked()
	plan.Log = true
	o, err := sim.Play(plan)
	if err != nil {
		return nil, err
	}
	enough := func(o *sim.Outcome) bool { return measured(o).small() || worked()-began >= p.shrink }
	s, err := sim.ShrinkTo(enough, o.Log, wallMost*p.shrink)
	if err != nil {
		return nil, err
	}
	left := measured(s.Outcome)
	left.Seconds = (worked() - began).Seconds()
	if p.log != "" {
		err = s.Log.Save(p.log)
	}
	return &left, err
}

func measured(o *sim.Outcome) shrunk {
	return shrunk{
		Faults: o.Faults, Deliveries: o.Log.Deviations(sim.OfNetwork) + o.Log.Deviations(sim.OfSchedule),
		Workload: o.Log.Deviations(sim.OfWorkload), Steps: o.Steps,
	}
}

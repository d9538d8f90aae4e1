package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/testkit/sim"
)

// shrinkResult is what is left of a failure, as JSON.
type shrinkResult struct {
	File      string         `json:"file"`
	Scenario  string         `json:"scenario"`
	Invariant string         `json:"invariant"`
	Before    simSize        `json:"before"`
	After     simSize        `json:"after"`
	Options   map[string]int `json:"options"`
	Decisions []string       `json:"decisions"`
	Runs      int            `json:"runs"`
	Finished  bool           `json:"finished"`

	interrupted bool
}

// simSize is how much happens in a run: choices that are not the plain one.
type simSize struct {
	Faults   int `json:"faults"`
	Network  int `json:"network"`
	Workload int `json:"workload"`
	Order    int `json:"order"`
	Steps    int `json:"steps"`
}

func sizeOf(l *sim.Log) simSize {
	return simSize{l.Deviations(sim.OfFaults), l.Deviations(sim.OfNetwork), l.Deviations(sim.OfWorkload), l.Deviations(sim.OfSchedule), l.Steps}
}

func (s simSize) String() string {
	return fmt.Sprintf("%d of faults, %d of the network, %d of the workload and %d of order, in %d steps", s.Faults, s.Network, s.Workload, s.Order, s.Steps)
}

func (c *cli) simShrink() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shrink FILE",
		Short: "Make a failure as small as it gets",
		Long: `Try runs in which less happens (no fault, less work, fewer nodes, less time, no
delay, the order in which things come) for as long as they violate the same
invariant, and write the log of the smallest. Decisions are what a run chose that
it did not have to: what is left is what the failure takes.`,
		Example: example(`
			birdwire sim shrink failed/7.log
			birdwire sim shrink failed/7.log -o small.log --for 5m`),
		Args: words("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	file := flags.StringP("output", "o", "", "file to write; default: FILE with .small before its end")
	most := flags.Duration("for", time.Minute, "how long to try")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *most <= 0 {
			return usagef("--for %v: want some time", *most)
		}
		l, err := sim.LoadLog(args[0])
		if err != nil {
			return err
		}
		if *file == "" {
			*file = strings.TrimSuffix(args[0], ".log") + ".small.log"
		}
		if err := writable(*file, args[0]); err != nil {
			return err
		}
		// Who ends it has what was found by then: it ends after the run that is tried.
		s, err := sim.ShrinkTo(func(*sim.Outcome) bool { return cmd.Context().Err() != nil }, l, *most)
		if err != nil {
			return err
		}
		if err := s.Log.Save(*file); err != nil {
			return err
		}
		r := shrinkResult{
			File: *file, Scenario: s.Log.Scenario, Invariant: s.Log.Violated, Before: sizeOf(l), After: sizeOf(s.Log), Options: map[string]int{},
			Decisions: s.Log.Told(), Runs: s.Runs, Finished: s.Finished, interrupted: cmd.Context().Err() != nil,
		}
		for _, d := range s.Log.Options {
			r.Options[d.Name] = d.Value
		}
		p := printer{c.stdout, *asJSON}
		err = p.value(r, func() error { return p.shrunk(r, s.Log.Options) })
		if err == nil && r.interrupted {
			err = fmt.Errorf("%w after %d runs; what is written fails too, and may be smaller still", errInterrupted, r.Runs)
		}
		return err
	}
	return cmd
}

func (p printer) shrunk(r shrinkResult, options []sim.Drawn) error {
	why := "nothing more can be cut"
	switch {
	case r.interrupted:
		why = "it was interrupted"
	case !r.Finished:
		why = "the time was over; --for gives it more"
	}
	for _, d := range r.Decisions {
		if err := p.say("%s", d); err != nil {
			return err
		}
	}
	return p.say("scenario %s%s\nviolates: %s\nbefore: %v\nafter:  %v\nwritten to %s after %d runs: %s",
		r.Scenario, shownDrawn(options), r.Invariant, r.Before, r.After, r.File, r.Runs, why)
}

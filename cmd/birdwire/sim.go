package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/testkit/sim"
)

func (c *cli) sim() *cobra.Command {
	var about strings.Builder
	for _, s := range sim.Scenarios {
		fmt.Fprintf(&about, "  %-9s %s\n", s.Name, s.About)
	}
	return c.group(&cobra.Command{
		Use:   "sim",
		Short: "Break a whole cluster in one process, again and again",
		Long: `Run a cluster of several nodes in this process, in virtual time, with the faults
that a seed draws, and hold what must hold. A seed is the same run each time and
on every machine. What a run decides can be written to a log, and the log be
replayed, made smaller and shown.

Scenarios, of which a seed draws one after the other unless --scenario names one:
` + strings.TrimRight(about.String(), "\n"),
		Example: example(`
			birdwire sim run --seed 7
			birdwire sim sweep --seeds 1-1000 --logs failed
			birdwire sim shrink failed/7.log -o small.log
			birdwire sim replay small.log --until 100`),
	}, c.simRun(), c.simSweep(), c.simExplore(), c.simReplay(), c.simShrink(), c.simShow(), c.simDiff(), c.simWorker())
}

// played plays a run, or ends with ctx: a run that is cut off has nothing to close.
func played(ctx context.Context, p sim.Plan) (*sim.Outcome, error) {
	o, err := within(ctx, func() (*sim.Outcome, error) { return sim.Play(p) })
	if o == nil && ctx.Err() != nil {
		return nil, errInterrupted
	}
	return o, err
}

// simResult is what a run comes to, as JSON.
type simResult struct {
	Seed       uint64         `json:"seed"`
	Scenario   string         `json:"scenario"`
	Options    map[string]int `json:"options"`
	Steps      int            `json:"steps"`
	Seconds    float64        `json:"simulated_seconds"`
	Trace      string         `json:"trace"`
	Violations []simViolation `json:"violations"`
	Sometimes  map[string]int `json:"sometimes"`
	Last       []string       `json:"last,omitempty"` // of a replay that ends at a step: the last messages
}

type simViolation struct {
	Invariant string  `json:"invariant"`
	Step      int     `json:"step"`
	Seconds   float64 `json:"simulated_seconds"`
	Text      string  `json:"text"`
}

func resultOf(scenario string, o *sim.Outcome) simResult {
	r := simResult{
		Seed: o.Seed, Scenario: scenario, Options: map[string]int{}, Steps: o.Steps, Seconds: o.Elapsed.Seconds(),
		Trace: fmt.Sprintf("%016x", o.Trace), Violations: []simViolation{}, Sometimes: o.Reached,
	}
	for _, d := range o.Options {
		r.Options[d.Name] = d.Value
	}
	for _, v := range o.Violations {
		r.Violations = append(r.Violations, simViolation{v.Invariant, v.Step, v.At.Seconds(), v.Text})
	}
	return r
}

func (c *cli) simRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run --seed N",
		Short: "Run one seed",
		Long: `Run one seed until it violates something, or to its end. The trace is a hash of
all that happened: every message, in its order, with its content and its time.
The exit code is 1 if anything was violated.`,
		Example: example(`
			birdwire sim run --seed 7
			birdwire sim run --seed 7 --scenario rules --set nodes=5 --log 7.log
			birdwire sim run --seed 7 --json`),
		Args: words(),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	seed := flags.Uint64("seed", 0, "what the run is drawn from (required)")
	scenario := flags.String("scenario", "", "one of those of 'birdwire sim --help'; default: the seed's")
	strategy := flags.String("strategy", "random", "how what is next is picked: random, priority")
	var set options
	flags.Var(&set, "set", "options that the seed does not draw, by comma; may be repeated")
	file := flags.String("log", "", "file to write the run's decisions to")
	asJSON := jsonFlag(cmd)
	cmd.PreRunE = need("seed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o, err := played(cmd.Context(), sim.Plan{Scenario: *scenario, Seed: *seed, Options: set, Strategy: *strategy, Hash: true, Log: true})
		switch {
		case errors.Is(err, errInterrupted):
			return err
		case err != nil:
			return usageError{err}
		}
		if name := o.Log.Unset(set); name != "" {
			return usagef("--set %s: scenario %s has no such option, it has %v", name, o.Log.Scenario, o.Options)
		}
		if *file != "" {
			err = o.Log.Save(*file)
		}
		return errors.Join(c.showRun(printer{c.stdout, *asJSON}, o, o.Log.Scenario, nil), err)
	}
	return cmd
}

// showRun prints what came of a run, and fails where it did.
func (c *cli) showRun(p printer, o *sim.Outcome, scenario string, last []string) error {
	r := resultOf(scenario, o)
	r.Last = last
	if err := p.value(r, func() error { return p.run(r, o) }); err != nil {
		return err
	}
	if o.Failed() {
		return fmt.Errorf("seed %d violates %q", o.Seed, o.Violations[0].Invariant)
	}
	return nil
}

func (p printer) run(r simResult, o *sim.Outcome) error {
	for _, message := range r.Last {
		if err := p.say("%s", message); err != nil {
			return err
		}
	}
	if o.Failed() {
		if err := p.say("%s\n", o.Said); err != nil {
			return err
		}
	}
	err := p.say("seed %d, scenario %s%s:\n%d steps, %v simulated, trace %s",
		r.Seed, r.Scenario, shownDrawn(o.Options), r.Steps, o.Elapsed.Round(time.Millisecond), r.Trace)
	if err == nil && len(r.Sometimes) > 0 {
		err = p.say("reached: %s", shownOptions(r.Sometimes))
	}
	for _, v := range r.Violations {
		if err == nil {
			err = p.say("violated in step %d, %gs: %s", v.Step, v.Seconds, v.Invariant)
		}
	}
	return err
}

// shownOptions are names and numbers, by name.
func shownOptions(all map[string]int) string {
	var each []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		each = append(each, fmt.Sprintf("%s=%d", name, all[name]))
	}
	return strings.Join(each, ", ")
}

func (c *cli) simReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Follow a log, to its end or to a step",
		Long: `Follow a log's decisions one by one. Where the code is another one than it was
and decides something else, this says at which step and what; with --loosely it
goes on with what is left of the log, which says whether the failure is there
still. With --until it ends after that step and prints the last messages; a run that
ends before that step says so.`,
		Example: example(`
			birdwire sim replay 7.log
			birdwire sim replay 7.log --until 1200
			birdwire sim replay old.log --loosely`),
		Args: words("FILE"),
	}
	flags := cmd.Flags()
	until := flags.Int("until", 0, "the last step to follow")
	last := flags.Int("last", 20, "with --until: how many messages before it to print")
	loosely := flags.Bool("loosely", false, "where the log does not fit, follow what is left of it, and be plain elsewhere")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch to := flags.Changed("until"); {
		case to && *until < 1:
			return usagef("--until %d: want a step, from 1", *until)
		case !to && flags.Changed("last"):
			return usagef("--last %d: it is for --until", *last)
		case *last < 0:
			return usagef("--last %d: want no number below 0", *last)
		}
		l, err := sim.LoadLog(args[0])
		if err != nil {
			return err
		}
		o, err := played(cmd.Context(), sim.Plan{Follow: l, Loosely: *loosely, Hash: true, History: *until > 0, Until: *until})
		switch {
		case err != nil:
			return err
		case o.Misfit != "":
			return misfit(args[0], l, o)
		}
		var messages []string
		if *until > 0 {
			for _, s := range o.History.Last(*last) {
				messages = append(messages, s.String())
			}
		}
		err = c.showRun(printer{c.stdout, *asJSON}, o, l.Scenario, messages)
		if *until > o.Steps {
			err = errors.Join(err, fmt.Errorf("the run ends after step %d, before step %d", o.Steps, *until))
		}
		return err
	}
	return cmd
}

// misfit is a log that other code has made.
func misfit(name string, l *sim.Log, o *sim.Outcome) error {
	return fmt.Errorf("%s, made by %s, does not fit this code: %s; 'birdwire sim replay --loosely' follows what is left of it", name, l.Build, o.Misfit)
}

// simDifference is the first step in which two runs differ.
type simDifference struct {
	Equal  bool   `json:"equal"`
	Step   int    `json:"step,omitempty"`
	First  string `json:"first,omitempty"`
	Second string `json:"second,omitempty"`
}

func (c *cli) simDiff() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff FILE FILE",
		Short: "Name the first step in which two runs differ",
		Long: `Follow both logs, and print the first step that is not the same in both, with
both messages. The exit code is 1 if they differ.`,
		Example: example(`birdwire sim diff 7.log small.log`),
		Args:    words("FILE", "FILE"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var runs [2]*sim.Outcome
		for i, name := range args {
			l, err := sim.LoadLog(name)
			if err != nil {
				return err
			}
			if runs[i], err = played(cmd.Context(), sim.Plan{Follow: l, History: true}); err != nil {
				return err
			}
			if runs[i].Misfit != "" {
				return misfit(name, l, runs[i])
			}
		}
		var d simDifference
		d.Step, d.First, d.Second = runs[0].History.Differs(runs[1].History)
		d.Equal = d.Step == 0
		p := printer{c.stdout, *asJSON}
		err := p.value(d, func() error {
			if d.Equal {
				return p.say("the same %d steps", runs[0].Steps)
			}
			return p.say("step %d\n  %s: %s\n  %s: %s", d.Step, args[0], d.First, args[1], d.Second)
		})
		if err == nil && !d.Equal {
			err = fmt.Errorf("the runs differ in step %d", d.Step)
		}
		return err
	}
	return cmd
}

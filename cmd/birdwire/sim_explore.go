package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/testkit/sim"
)

// exploreResult is what came of a scope, as JSON.
type exploreResult struct {
	Scenario  string         `json:"scenario"`
	Orders    int            `json:"orders"`
	Pruned    int            `json:"pruned"`
	Exhausted bool           `json:"exhausted"` // nothing was left, also by no bound
	Ended     string         `json:"ended"`     // why before all within the bounds was tried; "": all was
	Beyond    map[string]int `json:"beyond"`    // how often a bound has cut something off
	Violation *simViolation  `json:"violation"`
	File      string         `json:"file,omitempty"` // of the run that violates it
}

func (c *cli) simExplore() *cobra.Command {
	var small []string
	for _, s := range sim.Small {
		small = append(small, fmt.Sprintf("  %-9s %s", s.Name, s.About))
	}
	cmd := &cobra.Command{
		Use:   "explore",
		Short: "Try every order of a small scenario, depth first",
		Long: `Play a small scenario again and again until every order of what happens in it was
tried, with every fault and every message lost, within bounds. Orders that nobody
could tell apart are tried once. It ends with "exhausted", with what a bound has
cut off, or with the first violation, whose decisions --log writes for replay,
shrink and show. The exit code is 1 if anything was violated.

Small scenarios:
` + strings.Join(small, "\n"),
		Example: example(`
			birdwire sim explore
			birdwire sim explore --scenario join --reversals 3 --for 1h --log failed.log
			birdwire sim explore --messages 1 --reversals 1 --json`),
		Args: words(),
	}
	scope := sim.Scope{Most: map[sim.Stream]int{}}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&scope.Scenario, "scenario", sim.Small[0].Name, "one of the small ones")
	flags.Var((*options)(&scope.Options), "set", "options that have another value than their least, by comma; may be repeated")
	flags.StringArrayVar(&scope.Vary, "vary", nil, "an option of which every value is tried; may be repeated")
	flags.IntVar(&scope.Reversals, "reversals", 2, "how often one run may depart from the plain order; 0: any number")
	bounds := map[sim.Stream]*int{
		sim.OfFaults:   flags.Int("faults", 1, "how many faults one run may have; -1: any number"),
		sim.OfNetwork:  flags.Int("messages", 0, "how many messages one run may lose; -1: any number"),
		sim.OfWorkload: flags.Int("work", 0, "how many choices of what is asked for may be other than the plain ones; -1: any number"),
	}
	flags.IntVar(&scope.Runs, "runs", 0, "end after so many; 0: none too many")
	flags.DurationVar(&scope.For, "for", 0, "end after this long; 0: when all is tried")
	file := flags.String("log", "", "file to write the decisions of a violation to")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		for of, most := range bounds {
			if *most >= 0 {
				scope.Most[of] = *most
			}
		}
		if err := checkScope(scope); err != nil {
			return err
		}
		if !*asJSON {
			scope.Progress = c.exploring()
		}
		scope.Stop = func() bool { return cmd.Context().Err() != nil }
		e, err := sim.Explore(scope)
		if err != nil {
			return usageError{err}
		}
		if name := e.Unset(scope); name != "" {
			return usagef("--set or --vary %s: scenario %s has no such option, it has %v", name, scope.Scenario, e.Options)
		}
		err = c.explored(printer{c.stdout, *asJSON}, scope, e, *file)
		if stopped := cmd.Context().Err(); err == nil && stopped != nil {
			err = fmt.Errorf("%w after %d orders", errInterrupted, e.Orders)
		}
		return err
	}
	return cmd
}

func checkScope(s sim.Scope) error {
	if s.Reversals < 0 || s.Runs < 0 || s.For < 0 {
		return usagef("--reversals, --runs and --for are no numbers below 0")
	}
	return nil
}

// exploring says now and then how far it is, where somebody looks at it.
func (c *cli) exploring() func(sim.Explored) {
	began := time.Now()
	return func(e sim.Explored) {
		if _, ok := terminal(c.stderr); ok {
			fmt.Fprintf(c.stderr, "\r\x1b[K%d orders, %d pruned in %v", e.Orders, e.Pruned, time.Since(began).Round(time.Second))
		}
	}
}

func (c *cli) explored(p printer, scope sim.Scope, e *sim.Explored, file string) error {
	r := exploreResult{Scenario: scope.Scenario, Orders: e.Orders, Pruned: e.Pruned, Exhausted: e.Exhausted(), Ended: e.Ended, Beyond: e.Beyond}
	failed := e.Failure
	if failed != nil {
		v := failed.Violations[0]
		r.Violation = &simViolation{v.Invariant, v.Step, v.At.Seconds(), v.Text}
		if file != "" {
			if err := failed.Log.Save(file); err != nil {
				return err
			}
			r.File = file
		}
	}
	err := p.value(r, func() error {
		if failed != nil {
			if err := p.say("%s\n", failed.Said); err != nil {
				return err
			}
		}
		return p.say("%s: %v", scope.Scenario, e)
	})
	if err == nil && failed != nil {
		err = fmt.Errorf("an order of %s violates %q", scope.Scenario, failed.Violations[0].Invariant)
	}
	return err
}

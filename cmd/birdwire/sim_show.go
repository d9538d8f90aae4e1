package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/testkit/sim"
)

func (c *cli) simShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "Make a page of a run, to look at",
		Long: `Follow a log and write one HTML file, which needs nothing else: a lane for each
node's actors and each client, messages as arrows, faults as bands, and what led
to a violation marked. A link that ends in #step=N opens it at that step.`,
		Example: example(`
			birdwire sim show small.log -o small.html
			birdwire sim show failed/7.log -o 7.html --last 5000`),
		Args: words("FILE"),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	file := flags.StringP("output", "o", "", "file to write; default: FILE with .html for .log")
	last := flags.Int("last", 20_000, "how many steps to show: those around the violation, else the newest")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *last < 1 {
			return usagef("--last %d: want one at least", *last)
		}
		l, err := sim.LoadLog(args[0])
		if err != nil {
			return err
		}
		if *file == "" {
			*file = strings.TrimSuffix(args[0], ".log") + ".html"
		}
		if err := writable(*file, args[0]); err != nil {
			return err
		}
		o, err := played(cmd.Context(), sim.Plan{Follow: l, History: true})
		if err != nil {
			return err
		}
		if o.Misfit != "" {
			return misfit(args[0], l, o)
		}
		page := sim.Page{Title: fmt.Sprintf("%s, seed %d", l.Scenario, l.Seed), Outcome: o, Most: *last}
		if err := page.Save(*file); err != nil {
			return err
		}
		shown := min(o.Steps, *last)
		p := printer{c.stdout, *asJSON}
		return p.value(map[string]any{"file": *file, "steps": o.Steps, "shown": shown}, func() error {
			return p.say("%d of %d steps written to %s", shown, o.Steps, *file)
		})
	}
	return cmd
}

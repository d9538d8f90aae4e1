package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/cluster/node"
)

// What a shell offers after a flag. It is asked without a server: a server's
// own plans are not known here, only the default ones and the file's.

var (
	apiNames   = []string{"twitter", "newsrank", "kite"}
	scopeNames = node.Scopes()
	levelNames = []string{"debug", "info", "warn", "error"}
)

// complete offers words for a flag.
func complete(cmd *cobra.Command, flag string, words ...string) {
	completeBy(cmd, flag, func(*cobra.Command) []string { return words })
}

func completeBy(cmd *cobra.Command, flag string, words func(*cobra.Command) []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return words(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // a flag that the command does not have: a mistake of ours
	}
}

// planNames are the plans of the configuration that the command would read.
func (c *cli) planNames(cmd *cobra.Command) []string {
	plans := node.DefaultPlans()
	if cfg, err := c.loadConfig(cmd); err == nil {
		if own, err := cfg.plans(); err == nil {
			plans = own
		}
	}
	return slices.Clone(sortedKeys(plans))
}

// completeKey offers what a key's flags may say.
func (c *cli) completeKey(cmd *cobra.Command) {
	completeBy(cmd, "plan", c.planNames)
	complete(cmd, "scope", scopeNames...)
	complete(cmd, "api", apiNames...)
}

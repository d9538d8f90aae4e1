package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/birdwire/birdwire/gateway/client"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a command written wrongly, as opposed to one that failed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// cli is one run of the program.
type cli struct {
	world
	root *cobra.Command
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, w world) int {
	c := &cli{world: w}
	c.root = c.newRoot()
	c.root.SetArgs(args)
	failed, err := c.root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var usage usageError
	isUsage := errors.As(err, &usage)
	fmt.Fprintf(w.stderr, "%s: %s\n", failed.CommandPath(), inFlags(failed, err))
	if !isUsage {
		return exitFailed
	}
	fmt.Fprintf(w.stderr, "see '%s --help'\n", failed.CommandPath())
	return exitUsage
}

// inFlags is the error's text. The server names a field as the REST has it; a
// user has written the flag.
func inFlags(cmd *cobra.Command, err error) string {
	text := err.Error()
	var said *client.Error
	if !errors.As(err, &said) || said.Field == "" {
		return text
	}
	name := strings.ReplaceAll(said.Field, "_", "-")
	for _, suffix := range []string{"", "-seconds", "-per-poll", "s"} {
		if flag, ok := strings.CutSuffix(name, suffix); ok && cmd.Flags().Lookup(flag) != nil {
			return strings.Replace(text, said.Field+": ", "--"+flag+": ", 1)
		}
	}
	return text
}

func (c *cli) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "birdwire",
		Short: "Real-time posts and news over WebSocket, from one binary",
		Long: `birdwire serves three published WebSocket APIs (twitter, newsrank, kite)
from real feeds and pushed posts, and has the tools to run and try them.

Every flag can also be set in a file (--config, YAML) and in the environment:
--retention-age is retention.age there and BIRDWIRE_RETENTION_AGE here. A flag
beats the environment, the environment beats the file.`,
		Example: example(`
			birdwire serve --dev                          # a server with sample data and keys
			birdwire tail twitter                         # in a second terminal: what it delivers
			birdwire keys create --name ada --plan pro
			birdwire feeds create --url https://example.com/rss --category financial_news`),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.CompletionOptions.HiddenDefaultCmd = false
	// A group runs only to say what is missing: its usage is its commands.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	c.group(root,
		c.serve(), c.keys(), c.monitors(), c.rules(), c.feeds(), c.sources(), c.connections(),
		c.health(), c.publish(), c.tail(), c.bench(), c.sim(), c.cluster(), c.settingsList(), c.version(),
	)
	return root
}

// group makes cmd the parent of others. By itself it does nothing, and says
// so: an unknown word is a mistake and not a request for help.
func (c *cli) group(cmd *cobra.Command, others ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(others...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			fmt.Fprint(c.stderr, cmd.UsageString())
			return usagef("a command is missing")
		}
		var names []string
		for _, o := range cmd.Commands() {
			if o.IsAvailableCommand() {
				names = append(names, o.Name())
			}
		}
		meant := ""
		if close := cmd.SuggestionsFor(args[0]); len(close) > 0 {
			meant = fmt.Sprintf("; did you mean %q?", close[0])
		}
		return usagef("unknown command %q, want one of: %s%s", args[0], strings.Join(names, ", "), meant)
	}
	cmd.SuggestionsMinimumDistance = 2
	return cmd
}

// need makes flags required: cobra's own way has an exit code of its own.
func need(names ...string) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		for _, n := range names {
			if !cmd.Flags().Changed(n) {
				return usagef("--%s is missing", n)
			}
		}
		return nil
	}
}

// needOne asks for something to change.
func needOne(names ...string) func(cmd *cobra.Command, args []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		for _, n := range names {
			if cmd.Flags().Changed(n) {
				return nil
			}
		}
		return usagef("nothing to change: give at least one of --%s", strings.Join(names, ", --"))
	}
}

// words checks how many words there are that are no flags; names are what help
// calls them.
func words(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef("unexpected %q", args[len(names)])
		}
		for i, arg := range args {
			if arg == "" { // as a variable that is not set gives it
				return usagef("%s is empty", names[i])
			}
		}
		return nil
	}
}

// example indents an example by two and takes the source's indent away.
func example(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		b.WriteString("  " + strings.TrimLeft(line, "\t"))
	}
	return b.String()
}

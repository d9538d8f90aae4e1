package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// printer is where a command's result goes: for a person, or as JSON.
type printer struct {
	io.Writer
	json bool
}

// value prints v as one line of JSON, or what show makes of it.
func (p printer) value(v any, show func() error) error {
	if !p.json {
		return show()
	}
	e := json.NewEncoder(p)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// say prints one line.
func (p printer) say(format string, args ...any) error {
	_, err := fmt.Fprintf(p, format+"\n", args...)
	return err
}

// gone says that what id names was deleted.
func (p printer) gone(id string) error {
	return p.value(map[string]any{"id": id, "deleted": true}, func() error {
		return p.say("%s deleted", id)
	})
}

// missing says below a list what is not in it.
func (p printer) missing(incomplete []string) error {
	for _, what := range incomplete {
		if err := p.say("! %s", what); err != nil {
			return err
		}
	}
	return nil
}

// table prints rows under a heading of one-word columns, cut to the terminal's
// width; into a pipe nothing is cut.
func (p printer) table(heading string, rows [][]string) error {
	width, _ := terminal(p.Writer)
	return writeTable(p, width, strings.Fields(heading), rows)
}

// sheet prints names and values, one a line; pairs alternate. Empty values are
// left out.
func (p printer) sheet(pairs ...string) error {
	t := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], pairs[i+1])
		}
	}
	return t.Flush()
}

// since is a moment to read at a glance; nil is never.
func since(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return "never"
	case t.After(now):
		return "in " + roughly(t.Sub(now))
	}
	return roughly(now.Sub(*t)) + " ago"
}

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d/day))
}

// seconds is a number of seconds as a duration to read.
func seconds(s float64) string { return showDuration(time.Duration(s * float64(time.Second))) }

// stamp is a moment in full.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// text is what s points to, "" where it points nowhere.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

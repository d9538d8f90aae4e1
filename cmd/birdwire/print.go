package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// print writes the settings as a file that --config takes, each line with
// who said so. Secrets are named and not shown.
func (c *config) print(w io.Writer) error {
	var b strings.Builder
	var open []string // the tables that the line before belongs to
	for _, s := range fileOrder(c.settings) {
		if s.key == setServer.key || s.key == setKey.key {
			continue // of the tools
		}
		tables := strings.Split(s.key, ".")
		name := tables[len(tables)-1]
		tables = tables[:len(tables)-1]
		for i, t := range tables {
			if i >= len(open) || !slices.Equal(open[:i+1], tables[:i+1]) {
				fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", i), t)
				open = tables[:i+1]
			}
		}
		open = tables
		line, err := c.line(s, name)
		if err != nil {
			return err
		}
		b.WriteString(strings.Repeat("  ", len(tables)) + line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *config) line(s setting, name string) (string, error) {
	v := c.values[s.key]
	switch {
	case v.parsed == nil:
		return fmt.Sprintf("# %s: not set", name), nil
	case s.secret:
		return fmt.Sprintf("# %s: set by %s, not shown", name, v.origin), nil
	}
	text, err := yaml.Marshal(v.shown(s))
	if err != nil {
		return "", fmt.Errorf("print %s: %w", s.key, err)
	}
	return fmt.Sprintf("%s: %s  # %s", name, strings.TrimSpace(string(text)), v.origin), nil
}

// shown is the value as the file's type: a bare number where the file may
// hold one, else text.
func (v value) shown(s setting) any {
	switch parsed := v.parsed.(type) {
	case bool:
		return parsed
	case int64:
		if s.kind.name == "number" {
			return parsed
		}
	}
	return v.text
}

// fileOrder puts settings without a table first, and keeps tables together.
func fileOrder(settings []setting) []setting {
	var bare, nested []setting
	for _, s := range settings {
		if strings.Contains(s.key, ".") {
			nested = append(nested, s)
		} else {
			bare = append(bare, s)
		}
	}
	return append(bare, nested...)
}

// printJSON writes the same for programs: key to value, secrets left out.
func (c *config) printJSON(w io.Writer) error {
	shown := map[string]any{}
	for _, s := range c.settings {
		if v := c.values[s.key]; v.parsed != nil && !s.secret {
			shown[s.key] = v.shown(s)
		}
	}
	return json.NewEncoder(w).Encode(shown)
}

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// settingsList is the command that says which settings there are. SETTINGS.md is what
// it prints, and a test compares the two.
func (c *cli) settingsList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "List every setting, with its flag, variable and default",
		Long: `List every setting there is: its key in the file, its flag, its variable in the
environment, its default, and what it takes. 'birdwire serve --print-config' shows
what they are now.`,
		Example: example(`
			birdwire settings
			birdwire settings --json
			birdwire settings > cmd/birdwire/SETTINGS.md   # in the source: after a setting was changed`),
		Args: words(),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		all := describedSettings()
		return printer{c.stdout, *asJSON}.value(map[string]any{"settings": all}, func() error { return writeReference(c.stdout, all) })
	}
	return cmd
}

// described is a setting as its reader sees it.
type described struct {
	Key      string   `json:"key"`            // in the file
	Flag     string   `json:"flag,omitempty"` // "": it has none
	Env      string   `json:"env,omitempty"`  // "": it has none
	Default  string   `json:"default"`        // "": not set
	Takes    string   `json:"takes"`
	Usage    string   `json:"usage"`
	Secret   bool     `json:"secret,omitempty"`
	Commands []string `json:"commands"` // that it is for: serve, operators, owners
}

func describedSettings() (all []described) {
	has := func(list []setting, s setting) bool {
		return slices.ContainsFunc(list, func(o setting) bool { return o.key == s.key })
	}
	for _, s := range allSettings() {
		d := described{Key: s.key, Env: s.env(), Default: s.def, Takes: s.kind.takes(), Usage: s.usage, Secret: s.secret, Commands: []string{}}
		if !s.noFlag {
			d.Flag = "--" + s.flag()
		}
		for _, of := range []struct {
			name string
			list []setting
		}{{"serve", serveSettings}, {"operators", operatorSettings}, {"owners", ownerSettings}} {
			if has(of.list, s) {
				d.Commands = append(d.Commands, of.name)
			}
		}
		all = append(all, d)
	}
	for _, f := range planFields {
		f.kind.bare = "" // there are no flags
		d := described{Key: plansTable + "NAME." + f.name, Default: f.def, Takes: f.kind.takes(), Usage: f.usage, Commands: []string{"serve"}}
		all = append(all, d)
	}
	return all
}

// takes is what the kind wants, in the words in which it refuses something else: the
// text is one that none takes, and the others are past what some take.
func (k kind) takes() string {
	words := k.name
	for _, text := range []string{"\x00", "0s", "0"} {
		_, err := k.parse(text)
		if err == nil {
			continue
		}
		_, want, found := strings.Cut(err.Error(), "want ")
		switch {
		case !found:
		case text == "\x00":
			words = want
		case strings.HasPrefix(want, "from "), strings.HasPrefix(want, "at least "):
			words = k.name + " " + want
		}
	}
	if k.name == stringKind.name && words == k.name {
		words = "text"
	}
	if k.bare != "" {
		words += "; the flag alone is " + k.bare
	}
	return words
}

// writeReference is the list as a page of Markdown.
func writeReference(w io.Writer, all []described) error {
	var b strings.Builder
	b.WriteString(`# Every setting

<!-- Made by 'birdwire settings'; a test compares. -->

A setting can be given as a flag, in the environment or in a YAML file (` + "`--config FILE` or `" + envConfig + "`" + `); a
flag beats the environment, and the environment beats the file. In the file a dot is a level: ` + "`retention.age`" + ` is
` + "`age`" + ` under ` + "`retention`" + `. ` + "`birdwire serve --print-config`" + ` shows what is set and where, as such a file.

`)
	for _, part := range []struct {
		title, intro string
		of           func(d described) bool
	}{
		{"Of the server", "`birdwire serve` takes them. SIGHUP reads the log's level and the certificate again; others need a restart, but for the files that are said to be read again.", func(d described) bool {
			return slices.Contains(d.Commands, "serve") && !strings.HasPrefix(d.Key, plansTable)
		}},
		{"Of the commands", "Commands for operators find the server by `data` (for the token in it), `admin` and `admin_token`; those for the owner of a key by `data`, and these.", func(d described) bool { return !slices.Contains(d.Commands, "serve") }},
		{"Of a plan", "In the file alone. NAME is a plan's, such as `pro`; of a default plan what is left out stays, and of a new one `credits` must be given.", func(d described) bool { return strings.HasPrefix(d.Key, plansTable) }},
	} {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n| key | flag | variable | default | takes | |\n|---|---|---|---|---|---|\n", part.title, part.intro)
		for _, d := range all {
			if !part.of(d) {
				continue
			}
			usage := d.Usage
			if d.Secret {
				usage += " (never shown)"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", d.Key, code(d.Flag), code(d.Env), code(d.Default), cell(d.Takes), cell(usage))
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

func code(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + s + "`"
}

// cell is text in which Markdown sees neither an end of the cell nor HTML.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(s)
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// layer is one source of settings: key to what was written.
type layer struct {
	raw    map[string]any
	origin func(s setting) string
	usage  bool // a mistake in it is one of usage
}

func flagLayer(flags *pflag.FlagSet) (layer, error) {
	keys := map[string]string{}
	for _, s := range allSettings() {
		keys[s.flag()] = s.key
	}
	k := koanf.New(".")
	err := k.Load(posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
		return keys[f.Name], f.Value.String()
	}), nil)
	return layer{raw: k.All(), usage: true, origin: func(s setting) string { return "--" + s.flag() }}, err
}

func (c *config) environment(environ []string) (layer, error) {
	keys := map[string]string{}
	for _, s := range allSettings() {
		keys[s.env()] = s.key
	}
	k := koanf.New(".")
	err := k.Load(env.Provider(".", env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, text string) (string, any) {
			if keys[name] == "" && name != envConfig {
				c.strange = append(c.strange, name)
			}
			if text == "" {
				return "", nil // NAME= is how shells and unit files take a variable back
			}
			return keys[name], text
		},
	}), nil)
	return layer{raw: k.All(), origin: func(s setting) string { return s.env() }}, err
}

func fileLayer(name string) (layer, error) {
	k := koanf.New(".")
	if err := k.Load(file.Provider(name), oneDocument{yaml.Parser()}); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return layer{}, fmt.Errorf("%s: no such file: check --config and %s", name, envConfig)
		}
		return layer{}, fmt.Errorf("%s: %s", name, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	raw := k.All()
	var unknown []error
	for _, key := range sortedKeys(raw) {
		if raw[key] == nil && isTable(key) {
			continue // a table whose lines are all comments, as --print-config writes
		}
		if !known(key) {
			unknown = append(unknown, fmt.Errorf("%s: %s: no such setting%s", name, key, meantKey(key)))
		}
	}
	return layer{raw: raw, origin: func(s setting) string { return name + ": " + s.key }}, errors.Join(unknown...)
}

// oneDocument refuses a file of several: the parser reads the first alone, and
// the settings of the others would be passed over without a word.
type oneDocument struct{ *yaml.YAML }

func (p oneDocument) Unmarshal(b []byte) (map[string]any, error) {
	begun := false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, " \t\r\n")
		switch marks := line == "---" || strings.HasPrefix(line, "--- "); {
		case marks && begun:
			return nil, errors.New("more than one document: put all settings in front of the second ---")
		case line != "" && line[0] != '#' && line[0] != '%':
			begun = begun || !marks || line != "---"
		}
	}
	return p.YAML.Unmarshal(b)
}

func isTable(key string) bool {
	return slices.ContainsFunc(allSettings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// meantKey says which setting a wrong key probably is.
func meantKey(key string) string {
	if rest, ok := strings.CutPrefix(key+".", plansTable); ok {
		name, _, _ := strings.Cut(rest, ".")
		if name == "" || !planName.MatchString(name) {
			return "; plans is a table of plans, each under a name of small letters, digits, '_' and '-'"
		}
	}
	words := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "").Replace(s))
	}
	for _, s := range allSettings() {
		if words(s.key) == words(key) || strings.HasSuffix(s.key, "."+key) {
			return fmt.Sprintf("; did you mean %s?", s.key)
		}
	}
	return "; 'birdwire serve --print-config' shows them all"
}

const envConfig = envPrefix + "CONFIG"

func configFile(cmd *cobra.Command, environ []string) string {
	if f := cmd.Flags().Lookup("config"); f != nil && f.Changed {
		return f.Value.String()
	}
	for _, e := range environ {
		if name, text, _ := strings.Cut(e, "="); name == envConfig {
			return text
		}
	}
	return ""
}

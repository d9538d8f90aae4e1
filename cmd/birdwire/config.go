package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// config is what is in force: every setting, and who said so.
type config struct {
	values  map[string]value
	file    string   // "" where none was read
	strange []string // BIRDWIRE_ variables that are no setting
}

type value struct {
	parsed any    // nil where it is not set
	text   string // as a user would write it
	origin string // for errors and --print-config: "--listen", "BIRDWIRE_LISTEN", "birdwire.yaml: listen", "default"
}

// layer is one source of settings: key to what was written.
type layer struct {
	raw    map[string]any
	origin func(s setting) string
	usage  bool // a mistake in it is one of usage
}

// addSettings gives cmd a flag for each setting, and --config.
func addSettings(cmd *cobra.Command, settings []setting) {
	flags := cmd.Flags()
	flags.SortFlags = false
	if flags.Lookup("config") == nil {
		flags.String("config", "", "file with settings, YAML")
	}
	for _, s := range settings {
		if s.noFlag || flags.Lookup(s.flag()) != nil {
			continue
		}
		flags.Var(&flagText{kind: s.kind, text: s.def}, s.flag(), s.usage)
		if s.kind.name == boolKind.name {
			flags.Lookup(s.flag()).NoOptDefVal = "true"
		}
	}
}

// flagText keeps what was written; it is parsed with what comes from the file.
type flagText struct {
	kind kind
	text string
}

func (f *flagText) String() string { return f.text }
func (f *flagText) Type() string   { return f.kind.name }
func (f *flagText) Set(s string) error {
	f.text = s
	return nil
}

// loadConfig reads every layer. All that is wrong is said at once.
func (c *cli) loadConfig(cmd *cobra.Command) (*config, error) {
	cfg := &config{values: map[string]value{}}
	environment, err := cfg.environment(c.environ)
	if err != nil {
		return nil, err
	}
	flags, err := flagLayer(cmd.Flags())
	if err != nil {
		return nil, err
	}
	layers := []layer{flags, environment}
	cfg.file = configFile(cmd, c.environ)
	if cfg.file != "" {
		fromFile, err := fileLayer(cfg.file)
		if err != nil {
			return nil, err
		}
		layers = append(layers, fromFile)
	}
	if err := cfg.resolve(layers); err != nil {
		return nil, err
	}
	return cfg, nil
}

// resolve lets the first layer win that has a setting. Layers that lose are
// checked all the same: a mistake does not wait for the flag to be dropped.
func (c *config) resolve(layers []layer) error {
	var failed, misused []error
	for _, s := range allSettings() {
		won := value{text: s.def, origin: "default"}
		if s.def != "" {
			parsed, err := s.kind.parse(s.def)
			if err != nil {
				return fmt.Errorf("default of %s: %w", s.key, err)
			}
			won.parsed = parsed
		}
		for _, l := range slices.Backward(layers) {
			raw, ok := l.raw[s.key]
			if !ok {
				continue
			}
			v, err := s.read(raw)
			v.origin = l.origin(s)
			switch {
			case err == nil:
				won = v
			case l.usage:
				misused = append(misused, fmt.Errorf("%s: %w", v.origin, err))
			default:
				failed = append(failed, fmt.Errorf("%s: %w", v.origin, err))
			}
		}
		c.values[s.key] = won
	}
	if len(misused) > 0 {
		return usageError{errors.Join(misused...)}
	}
	return errors.Join(failed...)
}

// read parses what stands in a layer. Secrets are not repeated in errors.
func (s setting) read(raw any) (value, error) {
	text, err := s.text(raw)
	if err != nil {
		return value{}, err
	}
	parsed, err := s.kind.parse(text)
	if err != nil && !s.secret {
		err = fmt.Errorf("%w, got %q", err, text)
	}
	return value{parsed: parsed, text: text}, err
}

func (s setting) text(raw any) (string, error) {
	wrong := func(got string) (string, error) {
		article := "a"
		if strings.ContainsAny(s.kind.name[:1], "aeiou") {
			article = "an"
		}
		return "", fmt.Errorf("want %s %s, got %s", article, s.kind.name, got)
	}
	switch raw := raw.(type) {
	case nil:
		return wrong("nothing")
	case string:
		return raw, nil
	case bool:
		if s.kind.name != boolKind.name {
			return wrong(fmt.Sprintf("%t (put a word in quotes)", raw))
		}
		return fmt.Sprint(raw), nil
	case int, int64, uint64, float64:
		if !s.kind.numbers {
			return wrong(fmt.Sprintf("the number %v", raw))
		}
		return fmt.Sprint(raw), nil
	case []any:
		if !s.kind.list {
			return wrong("a list")
		}
		words := make([]string, len(raw))
		for i, w := range raw {
			words[i] = fmt.Sprint(w)
		}
		return strings.Join(words, ","), nil
	default:
		return wrong("a table")
	}
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
	if err := k.Load(file.Provider(name), yaml.Parser()); err != nil {
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
		if _, ok := settingFor(key); !ok {
			unknown = append(unknown, fmt.Errorf("%s: %s: no such setting%s", name, key, meantKey(key)))
		}
	}
	return layer{raw: raw, origin: func(s setting) string { return name + ": " + s.key }}, errors.Join(unknown...)
}

func isTable(key string) bool {
	return slices.ContainsFunc(allSettings(), func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// meantKey says which setting a wrong key probably is.
func meantKey(key string) string {
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

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// The accessors panic on a key that is no setting of that type: a mistake of
// ours, which the first run of any test shows.

func (c *config) isSet(key string) bool              { return c.values[key].origin != "default" }
func (c *config) origin(key string) string           { return c.values[key].origin }
func (c *config) str(key string) string              { return orZero[string](c, key) }
func (c *config) flag(key string) bool               { return orZero[bool](c, key) }
func (c *config) whole(key string) int               { return int(orZero[int64](c, key)) }
func (c *config) size(key string) int64              { return orZero[int64](c, key) }
func (c *config) duration(key string) time.Duration  { return orZero[time.Duration](c, key) }
func (c *config) level(key string) slog.Level        { return orZero[slog.Level](c, key) }
func (c *config) networks(key string) []netip.Prefix { return orZero[[]netip.Prefix](c, key) }

func orZero[T any](c *config, key string) T {
	v, ok := c.values[key]
	if !ok {
		panic("no setting " + key)
	}
	if v.parsed == nil {
		var zero T
		return zero
	}
	return v.parsed.(T)
}

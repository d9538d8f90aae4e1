package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// config is every setting as it is now, and where it comes from.
type config struct {
	settings []setting // all there are, with those of the file's plans
	values   map[string]value
	file     string   // "" where none was read
	strange  []string // BIRDWIRE_ variables that are no setting
	notes    io.Writer
}

type value struct {
	parsed any    // nil where it is not set
	text   string // as a user would write it
	origin string // for errors and --print-config: "--listen", "BIRDWIRE_LISTEN", "birdwire.yaml: listen", "default"
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
		flags.Lookup(s.flag()).NoOptDefVal = s.kind.bare
		if s.kind.choices != nil {
			complete(cmd, s.flag(), s.kind.choices...)
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
	cfg := &config{values: map[string]value{}, notes: c.stderr}
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
	cfg.settings = append(allSettings(), planSettings(layers[len(layers)-1].raw)...)
	if err := cfg.resolve(layers); err != nil {
		return nil, err
	}
	return cfg, nil
}

// resolve lets the first layer win that has a setting. Layers that lose are
// checked all the same: a mistake does not wait for the flag to be dropped.
func (c *config) resolve(layers []layer) error {
	var failed, misused []error
	for _, s := range c.settings {
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

// read parses the values of a layer. Secrets are not repeated in errors.
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
func (c *config) words(key string) []string          { return orZero[[]string](c, key) }
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

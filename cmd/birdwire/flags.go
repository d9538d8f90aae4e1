package main

import (
	"strconv"

	"github.com/spf13/pflag"
)

// A changing command sends the flags that were given and nothing else: these
// values stay nil until then.

// textFlag is a string that may be left away.
type textFlag struct{ to **string }

func (f textFlag) String() string { return "" }
func (f textFlag) Type() string   { return "string" }
func (f textFlag) Set(s string) error {
	*f.to = &s
	return nil
}

// secondsFlag is a duration that is sent as seconds.
type secondsFlag struct{ to **float64 }

func (f secondsFlag) String() string { return "" }
func (f secondsFlag) Type() string   { return "duration" }
func (f secondsFlag) Set(s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	n := d.Seconds()
	*f.to = &n
	return nil
}

// countFlag is a number that may be left away.
type countFlag struct{ to **int }

func (f countFlag) String() string { return "" }
func (f countFlag) Type() string   { return "number" }
func (f countFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return err
	}
	*f.to = &n
	return nil
}

func optionalText(flags *pflag.FlagSet, to **string, name, usage string) {
	flags.Var(textFlag{to}, name, usage)
}

func optionalSeconds(flags *pflag.FlagSet, to **float64, name, usage string) {
	flags.Var(secondsFlag{to}, name, usage)
}

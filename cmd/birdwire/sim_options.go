package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/testkit/sim"
)

// options are name=value, by comma, and may be given again. Names of options have commas
// too, so that an option ends behind its number.
type options map[string]int

var oneOption = regexp.MustCompile(`^([^=]*)=(-?[0-9]+)(?:,|$)`)

func (o *options) Set(text string) error {
	if *o == nil {
		*o = options{}
	}
	for rest := text; rest != ""; {
		m := oneOption.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("%q is not name=number", rest)
		}
		value, err := strconv.Atoi(m[2])
		if err != nil {
			return fmt.Errorf("%s: %s is no number that an option can have", m[1], m[2])
		}
		(*o)[strings.TrimSpace(m[1])] = value
		rest = rest[len(m[0]):]
	}
	return nil
}

func (o *options) String() string { return "" } // nothing is set unless somebody does
func (o *options) Type() string   { return "name=number" }

// shownDrawn are the options that are more than the least that they can be.
func shownDrawn(all []sim.Drawn) string {
	var each []string
	for _, d := range all {
		if d.Value != d.Least {
			each = append(each, d.String())
		}
	}
	switch {
	case len(all) == 0:
		return ""
	case len(each) == 0:
		return " with every option at its least"
	case len(each) == len(all):
		return " with " + strings.Join(each, ", ")
	}
	return " with " + strings.Join(each, ", ") + ", and every other option at its least"
}

// errInterrupted is what a run ends with that somebody ends.
var errInterrupted = errors.New("interrupted")

// writable says before the work whether a file can be written after it, which must not be
// the one that the work is on.
func writable(name, read string) error {
	if same, err := sameFile(name, read); err != nil || same {
		return errors.Join(err, asError(same, "%s is what is read: give another name by --output", name))
	}
	info, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", filepath.Dir(name))
	}
	return nil
}

func asError(is bool, format string, args ...any) error {
	if !is {
		return nil
	}
	return usagef(format, args...)
}

func sameFile(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

package sim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/birdwire/birdwire/testkit/sim"
)

// FOUND.md names the kept logs, each with its steps after shrinking.
func TestFoundSaysHowLongEachLogIs(t *testing.T) {
	text, err := os.ReadFile("FOUND.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("log `([a-z-]+)`(?:, ([0-9]+) steps)?").FindAllStringSubmatch(string(text), -1)
	if len(named) == 0 {
		t.Fatal("no log is named")
	}
	for _, m := range named {
		l, err := sim.LoadLog(filepath.Join("testdata", "logs", m[1]+".log"))
		if err != nil {
			t.Error(err)
		} else if want := fmt.Sprint(l.Steps); m[2] != want {
			t.Errorf("of the log %s %q steps are told, want %s", m[1], m[2], want)
		}
	}
}

// What was found once is not there again: each kept log, as far as its questions
// come again, violates nothing. It did before the fix that FOUND.md names, or with
// the deliberate bug that it is named after.
func TestKeptLogs(t *testing.T) {
	names, err := filepath.Glob("testdata/logs/*.log")
	if err != nil || len(names) == 0 {
		t.Fatalf("no logs: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			l, err := sim.LoadLog(name)
			if err != nil {
				t.Fatal(err)
			}
			if l.Violated == "" {
				t.Error("a log of a run that violates nothing")
			}
			o, err := sim.Play(sim.Plan{Follow: l, Loosely: true, Log: true})
			if err != nil {
				t.Fatal(err)
			}
			if o.Failed() {
				t.Errorf("it is there again: %s", o.Said)
			}
			if was, is := len(l.Told()), len(o.Log.Told()); 2*is < was {
				t.Errorf("of %d decisions that were not plain %d came again: the log says nothing any more", was, is)
			}
		})
	}
}

package sim_test

import (
	"path/filepath"
	"testing"

	"github.com/birdwire/birdwire/testkit/sim"
)

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

package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// saveLog writes what a failed test has decided.
func (k *Kit) saveLog(scenario, folder string) {
	k.TB.Helper()
	if !k.TB.Failed() {
		return
	}
	d := k.schedule.decisions
	l := &Log{Scenario: scenario, Seed: k.seed, Options: d.drawn, Build: build(), Steps: k.Step(), labels: d.labels, choices: d.choices}
	if len(k.violations) > 0 {
		l.Violated = k.violations[0].Invariant
	}
	keepLog(k.TB, l, folder)
}

// keepLog writes the log of a test that has failed.
func keepLog(tb testing.TB, l *Log, folder string) {
	tb.Helper()
	name, err := filepath.Abs(filepath.Join(folder, fmt.Sprintf("%s-%d.log", strings.ReplaceAll(l.Scenario, "/", "-"), l.Seed)))
	if err == nil {
		err = errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), l.Save(name))
	}
	if err != nil {
		tb.Errorf("testkit: keep what the run decided: %v", err)
		return
	}
	tb.Logf("testkit: what the run decided is in %[1]s; to play it again: TESTKIT_LOG=%[1]s go test -run '^%[2]s$'; with TESTKIT_PAGE=%[3]s it is written as a page to look at",
		name, l.Scenario, strings.TrimSuffix(name, ".log")+".html")
}

// savePage writes the run as a page, whether or not it has failed.
func (k *Kit) savePage(l *Log, name string) {
	k.TB.Helper()
	o := &Outcome{
		Scenario: l.Scenario, Seed: l.Seed, Options: k.schedule.decisions.drawn, Steps: k.Step(), Elapsed: k.schedule.decisions.now(),
		History: k.schedule.history, Violations: k.violations,
	}
	if k.TB.Failed() && !o.Failed() {
		o.Violations = []Violation{{Invariant: "the test fails", Step: o.Steps, At: o.Elapsed, Text: "what it said is in its output"}}
	}
	if err := (Page{Title: fmt.Sprintf("%s, seed %d", l.Scenario, l.Seed), Outcome: o}).Save(name); err != nil {
		k.TB.Errorf("testkit: %v", err)
		return
	}
	k.TB.Logf("testkit: the page is %s", name)
}

// followed is run for a log.
func followed(tb testing.TB, l *Log, test func(k *Kit)) {
	tb.Helper()
	run(tb, l.Seed, func(k *Kit) {
		d := k.schedule.decisions
		f := &strict{log: l, run: d}
		d.follow, d.set = f, map[string]int{}
		d.order, k.schedule.together = d.strategy(l.Strategy), l.Strategy == DepthFirst
		for _, o := range l.Options {
			d.set[o.Name] = o.Value
		}
		if page := os.Getenv("TESTKIT_PAGE"); page != "" {
			k.schedule.history = &History{}
			defer k.savePage(l, page)
		}
		defer func() {
			if f.end(); f.misfit != "" {
				tb.Errorf("testkit: the log, made by %s, does not fit this code: %s", l.Build, f.misfit)
			}
		}()
		test(k)
	})
}

package bank

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
)

// Each bug is one that a reviewer can miss, and is found by the same simulation
// that passes without it; testdata has what is left of the failure once it is shrunk.
var planted = []struct {
	name string
	cfg  Config
	want string // the invariant
}{
	// Whoever crashes between the answer and the write has promised what it does not know of.
	{"accepted-unwritten", Config{acceptUnwritten: true}, "what is accepted ends"},
	// One question is known again; but there is another between it and its repetition.
	{"remembers-one", Config{Remember: 1}, "no money is made"},
}

func TestSeedsFindWhatIsPlanted(t *testing.T) {
	for _, bug := range planted {
		t.Run(bug.name, func(t *testing.T) {
			test := func(k *testkit.Kit) { simulate(k, bug.cfg) }
			found := find(t, bug.want, test)
			shrunk, err := testkit.Shrink(found.Log, time.Minute, test)
			if err != nil {
				t.Fatal(err)
			}
			kept := filepath.Join("testdata", bug.name+".log")
			if os.Getenv("BANK_UPDATE") != "" {
				if err := shrunk.Log.Save(kept); err != nil {
					t.Fatal(err)
				}
			}
			golden(t, bug.name+".txt", fmt.Sprintf("seed %d, %d steps and %d faults, of which %d and %d are left:\n%v\n%s\n%s\n",
				found.Seed, found.Steps, faults(found.Log), shrunk.Outcome.Steps, faults(shrunk.Log),
				shrunk.Outcome.Options, strings.Join(shrunk.Log.Told(), "\n"), shrunk.Outcome.Said))

			// The log that was kept is the failure still, and none once the bug is mended.
			l, err := testkit.LoadLog(kept)
			if err != nil {
				t.Fatal(err)
			}
			o := testkit.Play(testkit.Plan{Follow: l, History: true}, test)
			if !o.Failed() || o.Misfit != "" {
				t.Errorf("%s does not fail: %s", kept, o.Misfit)
			}
			show(t, bug.name, o)
			if o := testkit.Play(testkit.Plan{Follow: l}, func(k *testkit.Kit) { simulate(k, Config{}) }); o.Failed() {
				t.Errorf("%s fails without the bug: %s", kept, o.Said)
			}
		})
	}
}

// show writes the run as a page to look at, into the folder that BANK_PAGES names.
func show(t *testing.T, name string, o *testkit.Outcome) {
	t.Helper()
	folder := os.Getenv("BANK_PAGES")
	if folder == "" {
		folder = t.TempDir()
	}
	file, err := os.Create(filepath.Join(folder, name+".html"))
	if err == nil {
		_, err = testkit.Page{Title: name, Outcome: o}.WriteTo(file)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// find is the first run that violates the invariant, with more than little in it.
func find(t *testing.T, invariant string, test func(k *testkit.Kit)) *testkit.Outcome {
	t.Helper()
	for seed := uint64(1); seed <= 200; seed++ {
		o := testkit.Play(testkit.Plan{Scenario: "bank", Seed: seed, Log: true}, test)
		if o.Failed() && o.Violations[0].Invariant == invariant {
			return o
		}
	}
	t.Fatalf("no seed of 200 violates %q", invariant)
	return nil
}

func faults(l *testkit.Log) int { return l.Deviations(testkit.Faults) + l.Deviations(testkit.Network) }

// golden compares with a file of testdata, and writes it when BANK_UPDATE is set.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("BANK_UPDATE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not what %s has (BANK_UPDATE=1 writes it); got:\n%s", path, got)
	}
}

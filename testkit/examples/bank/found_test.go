package bank

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/testkit"
)

// Each bug is one that a reviewer can miss, and is found by the same simulation
// that passes without it; testdata has what it says.
var planted = []struct {
	name string
	cfg  Config
	want string
}{
	// Whoever crashes between the answer and the write has promised what it does not know of.
	{"accepted-unwritten", Config{acceptUnwritten: true}, "was accepted and has not ended"},
	// One question is known again; but there is another between it and its repetition.
	{"remembers-one", Config{Remember: 1}, "money was "},
}

func TestSeedsFindWhatIsPlanted(t *testing.T) {
	for _, bug := range planted {
		t.Run(bug.name, func(t *testing.T) {
			seed, said := testkit.FirstFailure(200, func(k *testkit.Kit) { simulate(k, bug.cfg) })
			if !strings.Contains(said, bug.want) {
				t.Fatalf("no seed of 200 says %q; the first that fails is %d:\n%s", bug.want, seed, said)
			}
			golden(t, bug.name+".txt", fmt.Sprintf("seed %d\n%s\n", seed, said))
		})
	}
}

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

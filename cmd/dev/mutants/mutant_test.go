package main

import (
	"go/format"
	"path/filepath"
	"testing"
)

// TestEveryMutantStillFits: the code goes on, and a bug that fits nowhere measures
// nothing.
func TestEveryMutantStillFits(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	all, err := readMutants(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, m := range all {
		changed, err := m.apply(root)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		for path, text := range changed {
			if _, err := format.Source(text); err != nil {
				t.Errorf("%s does not compile: %s: %v", m.name, path, err)
			}
		}
		by[m.breaks]++
	}
	for breaks, n := range by {
		if n < 3 {
			t.Errorf("%d mutants are against %q: three at least", n, breaks)
		}
	}
}

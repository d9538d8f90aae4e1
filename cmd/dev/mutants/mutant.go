package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one deliberate bug: a text in one file, and what replaces it.
//
//	Taking a shard does not raise its term.
//	invariant: term
//	missed: why no seed finds it; only where none does
//	-- actors/shard/activate.go --
//	Term: old.GetTerm() + 1,
//	=====
//	Term: old.GetTerm(),
type mutant struct {
	name   string
	what   string
	breaks string // the invariant that it is against
	missed string // why it is not found; "": it is
	path   string
	old    []byte
	new    []byte
}

func readMutants(folder string) ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no mutants", folder)
	}
	var all []mutant
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		m, err := parse(strings.TrimSuffix(filepath.Base(name), ".txt"), string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, m)
	}
	return all, nil
}

func parse(name, text string) (mutant, error) {
	head, body, ok := strings.Cut(text, "\n-- ")
	what, breaks, said := strings.Cut(head, "\ninvariant: ")
	breaks, missed, _ := strings.Cut(breaks, "\nmissed: ")
	path, replacement, named := strings.Cut(body, " --\n")
	old, replaced, split := strings.Cut(replacement, "\n=====\n")
	if !ok || !said || !named || !split || old == "" {
		return mutant{}, fmt.Errorf("it is not: a sentence, 'invariant: NAME', '-- FILE --', a text, '=====', another one")
	}
	return mutant{name: name, what: what, breaks: breaks, missed: missed, path: path, old: []byte(old), new: []byte(strings.TrimSuffix(replaced, "\n"))}, nil
}

// apply is the mutant's file with the bug in it.
func (m mutant) apply(root string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.path)))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(text, m.old); n != 1 {
		return nil, fmt.Errorf("%s has its text %d times: it must be there once", m.path, n)
	}
	return bytes.Replace(text, m.old, m.new, 1), nil
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

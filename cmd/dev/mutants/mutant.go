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

// mutant is one deliberate bug: a text in one file, and what replaces it. Where the
// product has two guards against the same thing there are two such texts, or more:
// without one of them nothing is wrong.
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
	edits  []edit
}

// edit is one text in one file, and what replaces it.
type edit struct {
	path     string
	old, new []byte
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
	parts := strings.Split(text, "\n-- ")
	what, breaks, said := strings.Cut(parts[0], "\ninvariant: ")
	breaks, missed, _ := strings.Cut(breaks, "\nmissed: ")
	m := mutant{name: name, what: what, breaks: breaks, missed: missed}
	for _, part := range parts[1:] {
		path, replacement, named := strings.Cut(part, " --\n")
		old, replaced, split := strings.Cut(replacement, "\n=====\n")
		said = said && named && split && old != ""
		m.edits = append(m.edits, edit{path, []byte(old), []byte(strings.TrimSuffix(replaced, "\n"))})
	}
	if !said || len(m.edits) == 0 {
		return mutant{}, fmt.Errorf("it is not: a sentence, 'invariant: NAME', '-- FILE --', a text, '=====', another one")
	}
	return m, nil
}

// apply is the mutant's files with the bug in them, by path.
func (m mutant) apply(root string) (map[string][]byte, error) {
	changed := map[string][]byte{}
	for _, e := range m.edits {
		text := changed[e.path]
		if text == nil {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, filepath.FromSlash(e.path))); err != nil {
				return nil, err
			}
		}
		if n := bytes.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s has its text %d times: it must be there once", e.path, n)
		}
		changed[e.path] = bytes.Replace(text, e.old, e.new, 1)
	}
	return changed, nil
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

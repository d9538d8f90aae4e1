package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

type measure struct {
	root       string
	work       string // a folder for what is built
	plain      string // the player of the product as it is
	only       *regexp.Regexp
	scenario   string
	strategies []string
	procs      int
	seeds      int
	sooner     bool // what one strategy has found the others are not tried with
	shrink     time.Duration
	rows       string
	of         string // a commit whose rows become the table, and nothing is measured
	table      string
	logs       string

	mu   sync.Mutex // protects done, and the files that are made of it
	done map[string]row
}

// row is what came of one mutant.
type row struct {
	Name   string
	Commit string
	Found  map[string]said // by strategy; Seed 0: it was not
	Tried  map[string]int  // seeds, by strategy: up to the one that has failed
}

// found says whether a strategy has found the mutant.
func (r row) found() bool {
	for _, s := range r.Found {
		if s.Seed > 0 {
			return true
		}
	}
	return false
}

// rounds are how many seeds each mutant is tried with before any is tried with more.
func rounds(most int) (all []int) {
	for _, n := range []int{10, 30, 100, 300, 1000, 3000, 10_000} {
		if n >= most {
			break
		}
		all = append(all, n)
	}
	return append(all, most)
}

// silentMost is after how long without a word a player is taken for one that never
// ends: one seed takes a second, or many where other programs have the cores.
const silentMost = 10 * time.Minute

// endless is what a mutant violates that makes a run, or the process, end never or
// in the middle.
const endless = "a run comes to its end"

func (m *measure) run(ctx context.Context) error {
	var err error
	if m.root, err = os.Getwd(); err != nil {
		return err
	}
	all, err := readMutants(filepath.Join(m.root, folder))
	if err != nil {
		return fmt.Errorf("%w (run it from the repository's top)", err)
	}
	if m.work, err = os.MkdirTemp("", "mutants"); err != nil {
		return err
	}
	defer os.RemoveAll(m.work)
	if m.logs != "" {
		if err := os.MkdirAll(m.logs, 0o755); err != nil {
			return err
		}
	}
	commit := m.of
	if commit == "" {
		if commit, err = m.commit(ctx); err != nil {
			return err
		}
	}
	if m.done, err = readRows(m.rows, commit); err != nil {
		return err
	}
	if m.of != "" {
		return m.write(all, commit)
	}
	if m.plain, err = m.build(ctx, "plain", nil); err != nil {
		return err
	}
	var failed []error
	for _, others := range []bool{false, true} {
		for _, seeds := range rounds(m.seeds) {
			failed = append(failed, m.round(ctx, all, commit, seeds, others))
		}
		if m.sooner {
			break
		}
	}
	return errors.Join(append(failed, m.write(all, commit))...)
}

// round tries each mutant with so many seeds that is to be: one that no strategy has
// found or, with others, those strategies that have not found what one has.
func (m *measure) round(ctx context.Context, all []mutant, commit string, seeds int, others bool) error {
	next := make(chan mutant)
	failed := make([]error, m.procs)
	var players sync.WaitGroup
	for i := range m.procs {
		players.Go(func() {
			for mutant := range next {
				if err := m.one(ctx, mutant, commit, seeds, others); err != nil && ctx.Err() == nil {
					failed[i] = errors.Join(failed[i], fmt.Errorf("%s: %w", mutant.name, err))
				}
			}
		})
	}
	for _, mutant := range all {
		if m.only.MatchString(mutant.name) && len(m.due(m.rowOf(mutant.name, commit), seeds, others)) > 0 && ctx.Err() == nil {
			next <- mutant
		}
	}
	close(next)
	players.Wait()
	return errors.Join(failed...)
}

// due are the strategies that the mutant is to be tried with.
func (m *measure) due(r row, seeds int, others bool) (due []string) {
	if r.found() != others {
		return nil
	}
	for _, s := range m.strategies {
		if r.Found[s].Seed == 0 && r.Tried[s] < seeds {
			due = append(due, s)
		}
	}
	return due
}

// rowOf is what is known of the mutant.
func (m *measure) rowOf(name, commit string) row {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.done[name]; ok {
		return r
	}
	return row{Name: name, Commit: commit, Found: map[string]said{}, Tried: map[string]int{}}
}

// commit is that of the tree, as the table names it.
func (m *measure) commit(ctx context.Context) (string, error) {
	git := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	git.Dir = m.root
	out, err := git.Output()
	if err != nil {
		return "", fmt.Errorf("ask git for the commit: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// one tries a mutant with so many seeds, and keeps its row.
func (m *measure) one(ctx context.Context, mutant mutant, commit string, seeds int, others bool) error {
	binary, err := m.build(ctx, mutant.name, &mutant)
	if err != nil {
		return err
	}
	r := m.rowOf(mutant.name, commit)
	for _, strategy := range m.due(r, seeds, others) {
		smaller := m.shrink
		if r.found() {
			smaller = 0 // one failure of each is made smaller
		}
		found, err := m.first(ctx, binary, strategy, mutant.name, r.Tried[strategy]+1, seeds, smaller)
		if err != nil {
			return err
		}
		r = row{Name: r.Name, Commit: r.Commit, Found: maps.Clone(r.Found), Tried: maps.Clone(r.Tried)}
		r.Tried[strategy] = seeds
		if found.Seed > 0 {
			r.Found[strategy], r.Tried[strategy] = found, found.Seed
		}
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", mutant.name, strategy, found.line(seeds))
		if err := m.keep(r); err != nil {
			return err
		}
		if found.Seed > 0 && !others {
			break
		}
	}
	return nil
}

func (m *measure) keep(r row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[r.Name] = r
	return addRow(m.rows, r)
}

// first is the first seed, from one to another, that fails because of the mutant.
func (m *measure) first(ctx context.Context, binary, strategy, name string, from, to int, shrink time.Duration) (said, error) {
	for from <= to {
		found, err := m.play(ctx, binary, strategy, name, from, to, shrink)
		if err != nil || found.Seed == 0 {
			return said{}, err
		}
		plain, err := m.play(ctx, m.plain, strategy, "", found.Seed, found.Seed, 0)
		if err != nil || plain.Seed == 0 {
			return found, err
		}
		from = found.Seed + 1
	}
	return said{}, nil
}

// play has a player play the seeds: what is said of the first that fails, of Seed
// 0 where none does.
func (m *measure) play(ctx context.Context, binary, strategy, name string, from, to int, shrink time.Duration) (said, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	args := []string{"-play", fmt.Sprintf("%d-%d", from, to), "-scenario", m.scenario, "-strategies", strategy, "-shrink", shrink.String()}
	if m.logs != "" && name != "" && shrink > 0 {
		args = append(args, "-logs", filepath.Join(m.logs, name+".log"))
	}
	player := exec.CommandContext(ctx, binary, args...)
	player.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := player.StdoutPipe()
	if err != nil {
		return said{}, err
	}
	if err := player.Start(); err != nil {
		return said{}, fmt.Errorf("start a player: %w", err)
	}
	late := time.AfterFunc(silentMost, stop)
	defer late.Stop()
	last, lines := said{Seed: from - 1}, bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		late.Reset(silentMost + wallMost*shrink)
		last = said{}
		if err := json.Unmarshal(line, &last); err != nil {
			return said{}, errors.Join(err, player.Wait())
		}
	}
	ended := player.Wait()
	switch {
	case last.Invariant != "":
		return last, nil // also where shrinking did not come to its end
	case ended == nil:
		return said{}, nil
	case ctx.Err() != nil && late.Stop(): // from outside
		return said{}, ctx.Err()
	}
	return said{Seed: last.Seed + 1, Invariant: endless, Text: ended.Error()}, nil
}

// build compiles the player of the product with the mutant in it; of nil, as it is.
// What was built stays until the end: later rounds need it again.
func (m *measure) build(ctx context.Context, name string, mutant *mutant) (binary string, err error) {
	binary = filepath.Join(m.work, name)
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	args := []string{"build", "-ldflags", "-s -w", "-o", binary}
	if mutant != nil {
		overlay, err := m.overlay(name, *mutant)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	build := exec.CommandContext(ctx, "go", append(args, "./cmd/dev/mutants")...)
	build.Dir = m.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

// overlay is the file that tells the compiler which file to take for which.
func (m *measure) overlay(name string, mutant mutant) (string, error) {
	changed, err := mutant.apply(m.root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range changed {
		file := filepath.Join(m.work, fmt.Sprintf("%s-%d.go", name, len(replace)))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(m.root, path)] = file
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(m.work, name+".json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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
	shrink     time.Duration
	rows       string
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
	Tried  map[string]int  // seeds, by strategy, where none has failed
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
	if m.done, err = readRows(m.rows); err != nil {
		return err
	}
	if m.plain, err = m.build(ctx, "plain", nil); err != nil {
		return err
	}
	commit, err := m.commit(ctx)
	if err != nil {
		return err
	}
	next := make(chan mutant)
	failed := make([]error, m.procs)
	var players sync.WaitGroup
	for i := range m.procs {
		players.Go(func() {
			for mutant := range next {
				if err := m.one(ctx, mutant, commit); err != nil {
					failed[i] = errors.Join(failed[i], fmt.Errorf("%s: %w", mutant.name, err))
				}
			}
		})
	}
	for _, mutant := range all {
		if !m.complete(mutant.name) && m.only.MatchString(mutant.name) && ctx.Err() == nil {
			next <- mutant
		}
	}
	close(next)
	players.Wait()
	return errors.Join(append(failed, m.write(all))...)
}

// complete says whether the row needs no more: each way has found the mutant, or has
// tried as many seeds.
func (m *measure) complete(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.done[name]
	return ok && !slices.ContainsFunc(m.strategies, func(s string) bool { return r.Found[s].Seed == 0 && r.Tried[s] < m.seeds })
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

// one makes the row of a mutant, and keeps it.
func (m *measure) one(ctx context.Context, mutant mutant, commit string) error {
	binary, err := m.build(ctx, mutant.name, &mutant)
	if err != nil {
		return err
	}
	defer os.Remove(binary)
	m.mu.Lock()
	r, ok := m.done[mutant.name]
	m.mu.Unlock()
	if !ok {
		r = row{Name: mutant.name, Commit: commit, Found: map[string]said{}, Tried: map[string]int{}}
	}
	smaller := m.shrink
	for _, strategy := range m.strategies {
		if r.Found[strategy].Shrunk != nil {
			smaller = 0
		}
	}
	for _, strategy := range m.strategies {
		if r.Found[strategy].Seed > 0 || r.Tried[strategy] >= m.seeds {
			continue
		}
		found, err := m.first(ctx, binary, strategy, mutant.name, r.Tried[strategy]+1, smaller)
		if err != nil {
			return err
		}
		r.Tried[strategy] = m.seeds
		if r.Found[strategy] = found; found.Shrunk != nil {
			smaller = 0 // one failure of each is made smaller
		}
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", mutant.name, strategy, found.line(m.seeds))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done[mutant.name] = r
	return addRow(m.rows, r)
}

// first is the first seed, of from on, that fails because of the mutant.
func (m *measure) first(ctx context.Context, binary, strategy, name string, from int, shrink time.Duration) (said, error) {
	for from <= m.seeds {
		found, err := m.play(ctx, binary, strategy, name, from, m.seeds, shrink)
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
		late.Reset(silentMost + shrink)
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
func (m *measure) build(ctx context.Context, name string, mutant *mutant) (binary string, err error) {
	binary = filepath.Join(m.work, name)
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
	file, overlay := filepath.Join(m.work, name+".go"), filepath.Join(m.work, name+".json")
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(m.root, mutant.path): file}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, replace, 0o600)
}

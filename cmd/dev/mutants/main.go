// Command mutants measures the simulation: it puts one deliberate bug after the
// other into the product and counts the seeds until the simulation finds it.
//
//	go run ./cmd/dev/mutants > table.md             # all of them
//	go run ./cmd/dev/mutants -run 'slots' -seeds 50 # some, with fewer seeds
//
// The bugs are in testkit/sim/testdata/mutants, each a text that is replaced. They
// are never in the tree: the compiler is given the changed file in the place of
// the real one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const folder = "testkit/sim/testdata/mutants"

func main() {
	var m measure
	pattern := flag.String("run", "", "only mutants whose name matches the regular expression")
	strategies := flag.String("strategies", "random", "of `birdwire sim sweep`, by comma")
	flag.IntVar(&m.procs, "procs", 2, "processes")
	flag.IntVar(&m.seeds, "seeds", 1000, "seeds that are tried at most")
	flag.Parse()
	m.strategies = strings.Split(*strategies, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := m.run(ctx, *pattern); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

type measure struct {
	root       string
	work       string // a folder for what is built
	seeds      int
	procs      int
	strategies []string
}

func (m *measure) run(ctx context.Context, pattern string) error {
	only, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
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
	fmt.Printf("| bug | what it breaks | %s | found by |\n|---|---|%s---|\n", strings.Join(m.strategies, " | "), strings.Repeat("---|", len(m.strategies)))
	for _, mutant := range all {
		if only.MatchString(mutant.name) {
			if err := m.one(ctx, mutant); err != nil {
				return fmt.Errorf("%s: %w", mutant.name, err)
			}
		}
	}
	return nil
}

// one prints the row of a mutant.
func (m *measure) one(ctx context.Context, mutant mutant) error {
	binary, err := m.build(ctx, mutant)
	if err != nil {
		return err
	}
	var seeds []string
	found := map[string]bool{}
	for _, strategy := range m.strategies {
		seed, invariant, err := m.sweep(ctx, binary, strategy)
		if err != nil {
			return err
		}
		if seed == 0 {
			seeds = append(seeds, fmt.Sprintf("not in %d", m.seeds))
			continue
		}
		seeds = append(seeds, fmt.Sprint(seed))
		found[invariant] = true
	}
	fmt.Printf("| %s: %s | %s | %s | %s |\n", mutant.name, mutant.what, mutant.breaks, strings.Join(seeds, " | "), strings.Join(sorted(found), ", "))
	return nil
}

// build compiles the product with the mutant in it.
func (m *measure) build(ctx context.Context, mutant mutant) (binary string, err error) {
	changed, err := mutant.apply(m.root)
	if err != nil {
		return "", err
	}
	file, overlay := filepath.Join(m.work, "mutant.go"), filepath.Join(m.work, "overlay.json")
	if err := os.WriteFile(file, changed, 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(m.root, mutant.path): file}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(m.work, "birdwire")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/birdwire")
	build.Dir = m.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

// chunkWithin is how long the seeds of one call may take: a mutant that makes a
// run endless is found by that.
const chunkWithin = 10 * time.Minute

// sweep returns the first seed that fails, 0 where none does.
func (m *measure) sweep(ctx context.Context, binary, strategy string) (seed int, invariant string, err error) {
	for from, size := 1, 4; from <= m.seeds; from, size = from+size, 4*size {
		to := min(from+size-1, m.seeds)
		ctx, cancel := context.WithTimeout(ctx, chunkWithin)
		run := exec.CommandContext(ctx, binary, "sim", "sweep", "--json", "--anywhere", "--procs", strconv.Itoa(m.procs), "--strategy", strategy, "--seeds", fmt.Sprintf("%d-%d", from, to))
		run.Stderr = os.Stderr
		out, err := run.Output()
		late := ctx.Err() != nil
		cancel()
		var exit *exec.ExitError
		switch {
		case late:
			return from, "ends in time", nil
		case err != nil && !errors.As(err, &exit):
			return 0, "", err
		}
		var said struct {
			Failed []struct {
				Seed      int
				Invariant string
			}
		}
		if err := json.Unmarshal(out, &said); err != nil {
			return 0, "", fmt.Errorf("sweep of seeds %d to %d: %w", from, to, err)
		}
		for _, f := range said.Failed {
			if seed == 0 || f.Seed < seed {
				seed, invariant = f.Seed, f.Invariant
			}
		}
		if seed != 0 {
			return seed, invariant, nil
		}
	}
	return 0, "", nil
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// line is what was found, in words.
func (s said) line(tried int) string {
	if s.Seed == 0 {
		return fmt.Sprintf("not in %d", tried)
	}
	text := fmt.Sprintf("seed %d (%s): %s", s.Seed, s.Scenario, s.Invariant)
	if h := s.Shrunk; h != nil {
		text += fmt.Sprintf("; %d faults and %d deliveries are left after %.0f s", h.Faults, h.Deliveries, h.Seconds)
	}
	return text
}

// readRows reads what addRow has kept, by name; of a name, the newest. Rows of other
// commits are left out: one table is of one.
func readRows(file, commit string) (map[string]row, error) {
	all := map[string]row{}
	text, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if r.Commit == commit {
			all[r.Name] = r
		}
	}
	return all, nil
}

func addRow(file string, r row) error {
	if file == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// write makes the table of the rows that there are.
func (m *measure) write(all []mutant, commit string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	m.head(&b, commit)
	fmt.Fprintf(&b, "| bug | breaks | %s | found by | left after shrinking |\n|---|---|%s---|---|\n", strings.Join(m.strategies, " | "), strings.Repeat("---|", len(m.strategies)))
	for _, mutant := range all {
		if r, ok := m.done[mutant.name]; ok {
			m.row(&b, mutant, r)
		}
	}
	m.missing(&b, all)
	m.unmeasured(&b, all)
	if m.table == "" {
		_, err := os.Stdout.WriteString(b.String())
		return err
	}
	return os.WriteFile(m.table, []byte(b.String()), 0o644)
}

func (m *measure) row(b *strings.Builder, mutant mutant, r row) {
	var seeds []string
	by, left := map[string]bool{}, ""
	for _, strategy := range m.strategies {
		s := r.Found[strategy]
		switch {
		case r.Tried[strategy] == 0:
			seeds = append(seeds, "not tried")
			continue
		case s.Seed == 0:
			seeds = append(seeds, fmt.Sprintf("not in %d", r.Tried[strategy]))
			continue
		}
		seeds = append(seeds, fmt.Sprint(s.Seed))
		by[s.Invariant] = true
		if h := s.Shrunk; h != nil && left == "" {
			left = fmt.Sprintf("%d faults, %d deliveries, %.0f s", h.Faults, h.Deliveries, h.Seconds)
		}
	}
	fmt.Fprintf(b, "| `%s`: %s | %s | %s | %s | %s |\n", mutant.name, mutant.what, mutant.breaks, strings.Join(seeds, " | "), strings.Join(sorted(by), ", "), left)
}

// head is what was measured, and what comes of all rows.
func (m *measure) head(b *strings.Builder, commit string) {
	var shrunk, small int
	for _, r := range m.done {
		for _, strategy := range m.strategies {
			if h := r.Found[strategy].Shrunk; h != nil {
				shrunk++
				if h.small() {
					small++
				}
				break
			}
		}
	}
	fmt.Fprintf(b, `# How many seeds it takes to find a bug

Each row is a deliberate bug (testkit/sim/testdata/mutants), the invariant of the
product that it breaks, the first seed that fails with it and not without it, by each
way to pick what is next, and what the simulation said. Seeds are those that a sweep
plays: one scenario after the other. The first failure was then made smaller until it
had at most %d faults and %d deliveries, or a processor had worked %v for it. Faults are
what befell nodes, clients, messages and calls of the store; deliveries are choices of
the network, and of what comes before what, that are not the plain ones.

`+"```"+`
go run ./cmd/dev/mutants -seeds %d -o testkit/sim/MUTANTS.md
`+"```"+`

All of one commit, %s; %s, %s, %d processes at a time.
Where a cell says "not in" so many seeds, more were not tried.

| | found | median | share |
|---|---|---|---|
`, smallFaults, smallDeliveries, m.shrink, m.seeds, commit, machine(), runtime.Version(), m.procs)
	for _, strategy := range m.strategies {
		m.sum(b, strategy, func(r row) (seed, tried int) { return r.Found[strategy].Seed, r.Tried[strategy] })
	}
	m.sum(b, "the sooner of them", func(r row) (least, tried int) {
		for _, strategy := range m.strategies {
			tried = max(tried, r.Tried[strategy])
			if s := r.Found[strategy].Seed; s > 0 && (least == 0 || s < least) {
				least = s
			}
		}
		return least, tried
	})
	fmt.Fprintf(b, "\nOf %d failures that were made smaller %d got small in time (%.0f %%).\n\n", shrunk, small, share(small, shrunk))
	fewer, alone := 0, false
	for _, r := range m.done {
		alone = alone || r.found() && slices.ContainsFunc(m.strategies, func(s string) bool { return r.Tried[s] == 0 })
		if !r.found() && slices.ContainsFunc(m.strategies, func(s string) bool { return r.Tried[s] < m.seeds }) {
			fewer++
		}
	}
	if alone {
		fmt.Fprint(b, "With what one way had found the others were not tried, all or most of the time: of their own shares\nonly the first says something.\n\n")
	}
	if fewer > 0 {
		fmt.Fprintf(b, "The measurement was ended early: of those that were not found %d were tried with fewer seeds than %d,\nso that the shares are what is proven at least, and no more.\n\n", fewer, m.seeds)
	}
}

// sum is one line of the summary: of those that were not found the seed is past all.
func (m *measure) sum(b *strings.Builder, name string, seed func(r row) (seed, tried int)) {
	var seeds []int
	found := 0
	for _, r := range m.done {
		switch s, tried := seed(r); {
		case tried == 0:
		case s > 0:
			seeds = append(seeds, s)
			found++
		default:
			seeds = append(seeds, math.MaxInt)
		}
	}
	if len(seeds) == 0 {
		return
	}
	slices.Sort(seeds)
	median := "not found"
	if s := seeds[len(seeds)/2]; s < math.MaxInt {
		median = fmt.Sprint(s)
	}
	fmt.Fprintf(b, "| %s | %d of %d | %s | %.0f %% |\n", name, found, len(seeds), median, share(found, len(seeds)))
}

// unmeasured names those that have no row.
func (m *measure) unmeasured(b *strings.Builder, all []mutant) {
	var names []string
	for _, mutant := range all {
		if _, ok := m.done[mutant.name]; !ok {
			names = append(names, "`"+mutant.name+"`")
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "\nNot measured: %s.\n", strings.Join(names, ", "))
	}
}

// missing names those that nothing has found, each with the reason that its file gives.
func (m *measure) missing(b *strings.Builder, all []mutant) {
	said := false
	for _, mutant := range all {
		r, ok := m.done[mutant.name]
		if !ok || slices.ContainsFunc(m.strategies, func(s string) bool { return r.Found[s].Seed > 0 }) {
			continue
		}
		if !said {
			fmt.Fprint(b, "\nNot found:\n\n")
			said = true
		}
		why := mutant.missed
		if why == "" {
			tried := 0
			for _, n := range r.Tried {
				tried = max(tried, n)
			}
			why = fmt.Sprintf("the reason is not known; %d seeds were tried", tried)
		}
		fmt.Fprintf(b, "- `%s`: %s\n", mutant.name, why)
	}
}

func share(n, of int) float64 { return 100 * float64(n) / float64(max(of, 1)) }

// machine is what the processes run on, as far as the system says.
func machine() string {
	name := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				name = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), name, kernel)
}

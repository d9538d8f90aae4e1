package testkit

import (
	"fmt"
	"hash"
	"hash/fnv"
	"strings"
	"testing"
	"time"
)

// Record is everything that a kit's loop has done since Kit.Record: a line for
// each message handled, job run and step of a Lane, with the virtual time. A run
// that is repeatable has the same record each time, in every process.
type Record struct {
	hash  hash.Hash64
	steps int
	line  func(n int, line string) // nil: nobody reads the lines
}

// Record begins one; it ends any other that the kit had. A step
// then costs about ten times as much, mostly for the text of messages, which is
// why a kit keeps none that is not asked for.
func (k *Kit) Record() *Record {
	r := &Record{hash: fnv.New64a()}
	k.schedule.record = r
	return r
}

// Hash is of all lines so far.
func (r *Record) Hash() uint64 { return r.hash.Sum64() }

// Steps is how many lines there are.
func (r *Record) Steps() int { return r.steps }

func (r *Record) add(at time.Duration, who, what string) {
	if r == nil {
		return
	}
	line := fmt.Sprintf("%v  %s", at, who)
	if what != "" {
		line += "  " + what
	}
	fmt.Fprintln(r.hash, line) // a hash takes all that it is given
	if r.line != nil {
		r.line(r.steps, line)
	}
	r.steps++
}

// determinismSeeds is how often chance in the code gets an opportunity to show:
// two keys of a map come in one order far more often than in the other.
const determinismSeeds = 10

// recordMost bounds the text of a first run that CheckDeterminism remembers; of
// longer runs it compares the hash alone from there on.
const recordMost = 64 << 20

// CheckDeterminism runs test twice under each of ten seeds, and fails at the
// first step in which the second run differs from the first, with both messages.
// test makes all that it uses, each time; it must pass.
//
// It fails too where actors are there at a run's end that the kit does not run, or
// that wait by the machine's clock.
//
// What it finds would make every seed of a simulation worthless: iteration over a
// map that sends, goroutines, select, wall time, chance that is not the seed's,
// and whatever one run leaves behind for the next.
func CheckDeterminism(tb testing.TB, test func(k *Kit)) {
	tb.Helper()
	for seed := uint64(1); seed <= determinismSeeds; seed++ {
		if !repeats(tb, seed, test) {
			return
		}
	}
}

func repeats(tb testing.TB, seed uint64, test func(k *Kit)) bool {
	tb.Helper()
	c := &comparison{tb: tb, seed: seed}
	run(tb, seed, func(k *Kit) {
		c.first = k.Record()
		c.first.line = c.remember
		test(k)
		if beside := k.beside(); beside != "" {
			tb.Errorf("testkit: no seed decides when this happens:%s", beside)
		}
	})
	if tb.Failed() {
		return false
	}
	run(tb, seed, func(k *Kit) {
		c.second = k.Record()
		c.second.line = c.compare
		test(k)
	})
	c.end()
	return !c.differs
}

// comparison is of two runs of one seed.
type comparison struct {
	tb            testing.TB
	seed          uint64
	first, second *Record
	lines         []string // of the first run
	size          int      // of lines, at most recordMost
	differs       bool
}

func (c *comparison) remember(n int, line string) {
	if n == len(c.lines) && c.size+len(line) <= recordMost {
		c.lines = append(c.lines, line)
		c.size += len(line)
	}
}

// compare tells at once: what the test does after the first difference may end it.
func (c *comparison) compare(n int, line string) {
	switch {
	case c.differs:
	case n >= c.first.steps:
		c.tell(n, "(has ended)", line)
	case n < len(c.lines) && c.lines[n] != line:
		c.tell(n, c.lines[n], line)
	}
}

func (c *comparison) end() {
	switch n := c.second.steps; {
	case c.differs || c.first.Hash() == c.second.Hash():
	case n < len(c.lines):
		c.tell(n, c.lines[n], "(has ended)")
	default:
		c.tell(len(c.lines), "(a step whose text was not kept)", "(a step whose text was not kept)")
	}
}

func (c *comparison) tell(n int, first, second string) {
	c.tb.Helper()
	c.differs = true
	first, second = differing(first, second)
	c.tb.Errorf("testkit: seed %d is not the same run twice: after %s,\n\tthe first run:  %s\n\tthe second run: %s\n"+
		"look for iteration over a map that sends, goroutines, select, wall time, chance that is not the kit's, and what one run leaves for the next",
		c.seed, equalSteps(n), first, second)
}

func equalSteps(n int) string {
	if n == 1 {
		return "1 equal step"
	}
	return fmt.Sprintf("%d equal steps", n)
}

// differing cuts two long lines to the place where they differ.
func differing(a, b string) (string, string) {
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return window(a, at), window(b, at)
}

func window(s string, at int) string {
	const before, after = 120, 120
	to, from := min(len(s), at+after), 0
	if at > before {
		from = at - before
	}
	cut := s[from:to]
	if from > 0 {
		cut = "…" + cut
	}
	if to < len(s) {
		cut += "…"
	}
	return strings.ToValidUTF8(cut, "…")
}

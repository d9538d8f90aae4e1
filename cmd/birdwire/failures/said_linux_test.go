package failures_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/birdwire/birdwire/testkit/sim/judge"
)

// said is what the nodes' processes have logged of terms and views, as far as their
// logs were read. A process is "a@3": the node and its start.
type said struct {
	read  map[*node]int64              // how far
	taken map[term]string              // which process has taken a term first
	holds map[string]map[string]uint64 // by shard and process, what it has taken and not given up
	views map[string]view              // by process, the newest
	runs  map[*node]string             // the process that runs; none where it has said nothing yet
}

type term struct {
	shard  string
	number uint64
}

type view struct {
	number  uint64
	members string
}

func newSaid() *said {
	return &said{read: map[*node]int64{}, taken: map[term]string{}, holds: map[string]map[string]uint64{}, views: map[string]view{}, runs: map[*node]string{}}
}

// What the product says at the level debug (see actors/shard and cluster/assembly).
var (
	termLine = regexp.MustCompile(`msg="a term is (taken|given up)" .*shard=(\d+) term=(\d+) node=(\S+) incarnation=(\d+)`)
	viewLine = regexp.MustCompile(`msg="the node goes by another view" .*view=(\d+) node=(\S+) incarnation=(\d+) members="([^"]*)"`)
)

// more reads what came since, in whole lines.
func (s *said) more(nodes []*node) (wrong []error) {
	for _, n := range nodes {
		file, err := os.Open(n.log)
		if err != nil {
			continue // it never began
		}
		text, err := io.ReadAll(io.NewSectionReader(file, s.read[n], 1<<40))
		_ = file.Close() // it was read
		if err != nil {
			wrong = append(wrong, err)
		}
		for line := range bytes.Lines(text[:bytes.LastIndexByte(text, '\n')+1]) {
			if s.read[n] <= n.began {
				delete(s.runs, n)
			}
			if err := s.line(n, string(line)); err != nil {
				wrong = append(wrong, err)
			}
			s.read[n] += int64(len(line))
		}
		if s.read[n] <= n.began {
			delete(s.runs, n)
		}
	}
	return wrong
}

func (s *said) line(n *node, line string) error {
	if m := termLine.FindStringSubmatch(line); m != nil {
		by, shard := m[4]+"@"+m[5], "shard "+m[2]
		number, err := strconv.ParseUint(m[3], 10, 64)
		if err != nil {
			return err
		}
		s.runs[n] = by
		if m[1] != "taken" {
			delete(s.holds[shard], by)
			return nil
		}
		before := s.taken[term{shard, number}]
		s.taken[term{shard, number}] = by
		if s.holds[shard] == nil {
			s.holds[shard] = map[string]uint64{}
		}
		s.holds[shard][by] = number
		return judge.Term(shard, number, before, by)
	}
	if m := viewLine.FindStringSubmatch(line); m != nil {
		by := m[2] + "@" + m[3]
		number, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			return err
		}
		s.runs[n] = by
		before := s.views[by].number
		s.views[by] = view{number, m[4]}
		return judge.Growing(by, before, number)
	}
	return nil
}

// atRest is what is wrong once nothing moves any more: it may be right in a moment.
func (s *said) atRest(nodes []*node) error {
	alive, views := map[string]bool{}, map[string]string{}
	for _, n := range nodes {
		if by := s.runs[n]; by != "" && n.up() {
			alive[by], views[by] = true, s.views[by].members
		}
	}
	for shard, holds := range s.holds {
		var owners []string
		for by := range holds {
			if alive[by] {
				owners = append(owners, fmt.Sprintf("%s by term %d", by, holds[by]))
			}
		}
		if err := judge.Owner(shard, owners); err != nil {
			return err
		}
	}
	return judge.Agree(views)
}

// judgeSaid holds the processes' own words against what must be: a term is one
// process's, views are numbered upwards; and once all is well again a shard has one
// owner, and all see the same. A program that says nothing of it, as one from before,
// is not judged by that.
func (c *scene) judgeSaid() {
	c.t.Helper()
	eventually(c.t, func() string {
		for _, wrong := range c.said.more(c.nodes) {
			c.t.Error(wrong)
		}
		if err := c.said.atRest(c.nodes); err != nil {
			return err.Error()
		}
		return ""
	})
	if !c.own && (len(c.said.taken) == 0 || len(c.said.views) < len(c.nodes)) {
		c.t.Errorf("the logs speak of %d terms and the views of %d processes: they are not what is judged here", len(c.said.taken), len(c.said.views))
	}
}

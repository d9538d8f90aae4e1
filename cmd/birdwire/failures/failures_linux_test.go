package failures_test

import (
	"errors"
	"os"
	"testing"
)

// scenario is one thing that goes wrong.
type scenario struct {
	name  string
	nodes int
	quick bool // it is among those that the one check plays
	play  func(*scene)
	// own is that it has a cluster of its own; program is what its nodes are then, nil
	// for this tree's, and prepare is called before they begin.
	own     bool
	program func() (string, error)
	prepare func(*testing.T, *cluster)
}

// tell has the test hear of what goes wrong from now on.
func (c *cluster) tell(t *testing.T) {
	c.t = t
	for _, n := range c.nodes {
		n.t = t
	}
}

// TestFailures plays them.
func TestFailures(t *testing.T) {
	which := os.Getenv("FAILURES")
	if which != "quick" && which != "all" {
		t.Skip("minutes of real clusters: set FAILURES=quick or FAILURES=all, or run .ci/run failures")
	}
	p := &plays{t: t}
	defer p.end()
	for _, x := range scenarios {
		if which == "quick" && !x.quick {
			continue
		}
		t.Run(x.name, func(sub *testing.T) {
			s := p.stage(sub, x)
			s.failed = true
			s.play(sub, x.name, x.play)
			s.failed = sub.Failed()
		})
	}
	p.end()
	times.print(os.Stdout)
}

// plays has the stage that is there now: a second one would slow down both.
type plays struct {
	t   *testing.T
	now *stage
}

// stage is the one that is there, or a new one where that has other nodes, or a
// scenario ended badly on it.
func (p *plays) stage(t *testing.T, x scenario) *stage {
	t.Helper()
	if p.now != nil && (len(p.now.nodes) != x.nodes || p.now.failed || p.now.own || x.own) {
		p.end()
	}
	if p.now == nil {
		if x.program == nil {
			x.program = birdwire
		}
		program, err := x.program()
		if errors.Is(err, errNoHistory) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.now = &stage{cluster: newCluster(t, x.nodes, program), failed: true, own: x.own, said: newSaid()}
		if x.prepare != nil {
			x.prepare(t, p.now.cluster)
		}
		p.now.start()
	}
	p.now.tell(t)
	return p.now
}

func (p *plays) end() {
	s := p.now
	if s == nil {
		return
	}
	p.now = nil
	s.tell(p.t)
	defer s.end()
	if !s.failed {
		s.settleUp()
	}
}

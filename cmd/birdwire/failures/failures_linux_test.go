package failures_test

import (
	"os"
	"testing"
)

// scenario is one thing that goes wrong.
type scenario struct {
	name  string
	nodes int
	quick bool // it is among those that the one check plays
	play  func(*scene)
}

// scenarios are played in this order, those with as many nodes on one cluster.
var scenarios = []scenario{
	{"nothing goes wrong", 3, false, func(*scene) {}},
	{"the owner of a key is killed", 3, true, func(c *scene) {
		victim := c.nodes[0]
		for _, n := range c.nodes {
			if len(c.led(n)) < len(c.led(victim)) {
				victim = n
			}
		}
		c.breaks(victim)
		victim.kill()
		c.flows("while a node is gone")
		c.mended()
		victim.begin()
	}},
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
	program, err := birdwire()
	if err != nil {
		t.Fatal(err)
	}
	var s *stage
	defer func() {
		if s != nil {
			s.end()
		}
	}()
	for _, x := range scenarios {
		if which == "quick" && !x.quick {
			continue
		}
		t.Run(x.name, func(sub *testing.T) {
			if s != nil && (len(s.nodes) != x.nodes || s.failed) {
				s.end()
				s = nil
			}
			if s == nil {
				s = &stage{cluster: newCluster(sub, x.nodes, program), failed: true}
				s.start()
			}
			s.tell(sub)
			s.failed = true
			s.play(sub, x.name, x.play)
			s.failed = sub.Failed()
		})
	}
	times.print(os.Stdout)
}

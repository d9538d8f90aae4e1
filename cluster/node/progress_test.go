package node

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestARouterWithoutProgressIsNotReady(t *testing.T) {
	const now = time.Hour
	for _, c := range []struct {
		name      string
		lag, said time.Duration
		ready     bool
	}{
		{"handles all there is", 0, now, true},
		{"is late, as it may be", 9 * time.Second, now, true},
		{"is behind", 11 * time.Second, now, false},
		{"is silent", 0, now - 11*time.Second, false},
		{"has not begun", 0, 0, true},
	} {
		var p progress
		if c.said != 0 {
			p.tell(c.lag, c.said)
		}
		if err := p.check(now); (err == nil) != c.ready {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A node that cannot go on, as one that was replaced under its name, says so to
// whoever sends traffic, and to whoever runs it.
func TestANodeThatCannotGoOnIsNotReady(t *testing.T) {
	n := start(t, Config{})
	if err := n.Ready(t.Context()); err != nil {
		t.Fatalf("not ready after the start: %v", err)
	}
	n.fail(errors.New("another process has taken this node's name over"))
	n.fail(errors.New("and more, later"))
	res, err := http.Get("http://" + n.Listen() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "taken this node's name over") {
		t.Errorf("%d %s, %v", res.StatusCode, body, err)
	}
	if err := <-n.Failed(); !strings.Contains(err.Error(), "taken this node's name over") {
		t.Errorf("failed: %v", err)
	}
	if wrong := wrongOf(n); !slices.Equal(wrong, []string{"node"}) {
		t.Errorf("its operator is told of %v", wrong)
	}
}

// wrongOf is what an operator is told is wrong with the node.
func wrongOf(n *Node) (names []string) {
	for _, c := range (checks{n}).Look(context.Background()).Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

// Whoever runs the node hears of a router that is late, as whoever sends
// traffic does.
func TestHealthLooksAtTheRouter(t *testing.T) {
	n := start(t, Config{})
	if wrong := wrongOf(n); wrong != nil {
		t.Fatalf("after the start %v is wrong", wrong)
	}
	for range 100 { // the router itself says several times a second that it is not late
		n.behind.tell(time.Minute, n.clock.Elapsed())
		if wrong := wrongOf(n); slices.Equal(wrong, []string{"router"}) {
			return
		}
	}
	t.Fatal("the router is not looked at")
}

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/messages"
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

// What an operator reads of the newsdesk says how far it is, and is wrong only
// where stories are late.
func TestHowTheNewsdeskIs(t *testing.T) {
	const now = time.Hour
	at := func(sequence uint64) uint64 { return uint64(messages.EndOf(sequence)) }
	for name, c := range map[string]struct {
		said *newsdesk.Observation
		at   time.Duration
		want string
		ok   bool
	}{
		"nothing yet": {nil, 0, "not on this node", true},
		"elsewhere":   {&newsdesk.Observation{}, 0, "not on this node", true},
		"follows":     {&newsdesk.Observation{Here: true, Live: true, Stories: 3, Awake: 2, Position: at(7)}, now, "3 stories, 2 of them awake; 0s and 0 frames behind the log's end", true},
		"is behind":   {&newsdesk.Observation{Here: true, Behind: 20 * time.Second, Position: at(7)}, now, "20s and 3 frames behind", true},
		"is late":     {&newsdesk.Observation{Here: true, Behind: 2 * time.Minute, Position: at(7)}, now, "behind for 2m0s, by 3 frames", false},
		"is silent":   {&newsdesk.Observation{Here: true, Live: true, Position: at(10)}, now - 2*time.Minute, "said nothing for 2m0s", false},
	} {
		var p deskProgress
		if c.said != nil {
			p.last.Store(&deskReport{*c.said, c.at})
		}
		detail, err := p.look(now, 10)
		if err != nil {
			detail = err.Error()
		}
		if !strings.Contains(detail, c.want) || (err == nil) != c.ok {
			t.Errorf("%s: %q, %v; want %q", name, detail, err, c.want)
		}
	}
}

// A node that has the newsdesk shows its figures with their units in their names;
// another one shows none of them.
func TestFiguresOfTheNewsdesk(t *testing.T) {
	figures := func(said newsdesk.Observation) (all []string) {
		var p deskProgress
		p.last.Store(&deskReport{said, time.Hour})
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister(&p)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			all = append(all, fmt.Sprint(strings.TrimPrefix(f.GetName(), "birdwire_newsdesk_"), " ", f.GetMetric()[0].GetGauge().GetValue()))
		}
		return all
	}
	got := strings.Join(figures(newsdesk.Observation{
		Here: true, Live: true, Behind: 1500 * time.Millisecond, Stories: 3, Awake: 2, Queued: 4, Unsaid: 5,
		Position: uint64(messages.EndOf(7)), SnapshotAt: uint64(messages.EndOf(6)),
	}), ", ")
	const want = "awake_stories 2, behind_seconds 1.5, following 1, live_stories 3, queued_events 4, sequence 7, snapshot_sequence 6, unsaid_events 5"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got := figures(newsdesk.Observation{}); got != nil {
		t.Errorf("without a newsdesk: %v", got)
	}
}

package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"
)

// An election is not what somebody is paged for, unless it goes on; no majority is, and
// each is said once.
func TestWhatIsSaidOfTheMajority(t *testing.T) {
	lost := errors.New("this node reaches a, which is no majority of 3")
	type look struct {
		at   time.Duration
		err  error
		said string
	}
	for name, looks := range map[string][]look{
		"an election": {
			{0, nil, ""},
			{2 * time.Second, errElecting, "WARN"},
			{4 * time.Second, errElecting, ""},
			{6 * time.Second, nil, "INFO"},
			{8 * time.Second, nil, ""},
			{20 * time.Second, errElecting, "WARN"},
		},
		"one that goes on": {
			{0, errElecting, "WARN"},
			{electionMost - 1, errElecting, ""},
			{electionMost, errElecting, "ERROR"},
			{electionMost + time.Second, errElecting, ""},
			{electionMost + 2*time.Second, nil, "INFO"},
		},
		"no majority": {
			{0, lost, "ERROR"},
			{2 * time.Second, lost, ""},
			{4 * time.Second, errElecting, ""},
			{6 * time.Second, nil, "INFO"},
		},
		"an election, and then no majority": {
			{0, errElecting, "WARN"},
			{2 * time.Second, lost, "ERROR"},
			{4 * time.Second, nil, "INFO"},
		},
	} {
		var w quorumWord
		began := time.Now()
		for _, l := range looks {
			said := ""
			if level, say := w.next(l.err, began.Add(l.at)); say {
				said = fmt.Sprint(level)
			}
			if said != l.said {
				t.Errorf("%s: %v, %v: said %q, want %q", name, l.at, l.err, said, l.said)
			}
		}
	}
	if slog.LevelInfo != 0 {
		t.Error("the zero quorumWord has not told anything")
	}
}

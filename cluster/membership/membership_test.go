package membership_test

import (
	"testing"

	"github.com/birdwire/birdwire/cluster/membership"
)

// Only a process that is known to have ended may be taken from without asking it: one
// that is later than the view knows has begun since, whatever the one before it is.
func TestWhoHasEnded(t *testing.T) {
	view := membership.NewView(7,
		membership.Member{Name: "core", Incarnation: 2, State: membership.Core},
		membership.Member{Name: "leaving", Incarnation: 2, State: membership.Leaving},
		membership.Member{Name: "down", Incarnation: 2, State: membership.Down},
	)
	for _, test := range []struct {
		name        string
		incarnation uint64
		ended       bool
	}{
		{"core", 1, true},
		{"core", 2, false},
		{"core", 3, false},
		{"leaving", 2, false},
		{"down", 1, true},
		{"down", 2, true},
		{"down", 3, false},
		{"nobody", 1, true},
	} {
		if got := view.Ended(test.name, test.incarnation); got != test.ended {
			t.Errorf("process %d of %s has ended: %v", test.incarnation, test.name, got)
		}
	}
	if !(membership.View{}).Ended("core", 2) {
		t.Error("the zero view knows of a process that is there")
	}
}

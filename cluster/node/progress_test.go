package node

import (
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

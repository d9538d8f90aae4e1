package sim_test

import (
	"regexp"
	"testing"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

var dropped = regexp.MustCompile(`the mailbox of .* is full for`)

// TestWhatFullMailboxesDropIsMadeUpFor: whose are full the seeds say. A fault that drops
// nothing would pass as well; a few kinds of actors have little to drop.
func TestWhatFullMailboxesDropIsMadeUpFor(t *testing.T) {
	idle := 0
	for seed := uint64(1); seed <= 8; seed++ {
		n := 0
		o := testkit.Play(testkit.Plan{Scenario: "rules", Seed: seed, Options: map[string]int{"ten rounds": 20}, Log: true}, sim.RulesUnder(sim.FullMailboxes))
		if o.Failed() {
			t.Errorf("seed %d: %s", seed, o.Said)
		}
		for _, line := range o.Log.Told() {
			if dropped.MatchString(line) {
				n++
			}
		}
		if t.Logf("seed %d: %d dropped", seed, n); n == 0 {
			idle++
		}
	}
	if idle > 2 {
		t.Errorf("in %d of 8 runs nothing is dropped", idle)
	}
}

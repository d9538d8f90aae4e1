package sim_test

import (
	"testing"

	"github.com/birdwire/birdwire/testkit/sim"
)

// TestQueuesInsideActorsAreFullNowAndThen: that none is ever passed says something only
// where there is more than fits.
func TestQueuesInsideActorsAreFullNowAndThen(t *testing.T) {
	left := map[string]bool{
		"full: journal: events offered": true, "full: router: frames that came": true,
		"full: follower: messages before what is read": true,
	}
	for seed := uint64(1); len(left) > 0; seed++ {
		if seed > 40 {
			t.Fatalf("never reached by 40 seeds: %v", left)
		}
		o, err := sim.Play(sim.Plan{Scenario: "owner", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if o.Failed() {
			t.Errorf("seed %d: %s", seed, o.Said)
		}
		for place := range o.Reached {
			delete(left, place)
		}
	}
}

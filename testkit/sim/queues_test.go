package sim_test

import (
	"testing"

	"github.com/birdwire/birdwire/testkit/sim"
)

// TestQueuesInsideActorsAreFullNowAndThen: that none is ever passed says something only
// where there is more than fits.
func TestQueuesInsideActorsAreFullNowAndThen(t *testing.T) {
	reached := map[string]int{}
	for _, seed := range []uint64{2, 5, 11} {
		o, err := sim.Play(sim.Plan{Scenario: "owner", Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		if o.Failed() {
			t.Errorf("seed %d: %s", seed, o.Said)
		}
		for place, n := range o.Reached {
			reached[place] += n
		}
	}
	for _, queue := range []string{"journal: events offered", "router: frames that came", "follower: messages before what is read"} {
		if reached["full: "+queue] == 0 {
			t.Errorf("%q was never full: %v", queue, reached)
		}
	}
}

package sim_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// seeds is how many each sweep runs: few in an ordinary test, as many as
// SIM_SEEDS says otherwise.
func seeds(t *testing.T, few int) int {
	if n, err := strconv.Atoi(os.Getenv("SIM_SEEDS")); err == nil {
		return n
	}
	return few
}

// sweep posts for 30 s while faults of the kinds come and go, and holds that all
// are connected and have been handed everything, once, soon after the last.
func sweep(t *testing.T, few, nodes int, kinds ...sim.Fault) {
	testkit.RunSeeds(t, seeds(t, few), func(t *testing.T, k *testkit.Kit) {
		s := newSceneOf(k, nodes)
		swarm := s.Swarm(k.Rand.Uint64N(1<<62), kinds...)
		for i := range 300 {
			if i%5 == 0 {
				swarm.Step()
			}
			s.push(fmt.Sprint("n", 1+k.Rand.Uint64N(uint64(nodes))), "the moon", "the sun", "moon and sun", "nothing")
			s.Advance(100 * time.Millisecond)
		}
		swarm.Heal()
		s.Until(30*time.Second, "all clients are connected", s.Connected)
		s.check(8 * time.Second)
		t.Logf("%v\n%v\n%d connections", swarm, s.Net, s.Connections())
	})
}

func TestFaultsOfOneKind(t *testing.T) {
	for _, kind := range sim.Faults {
		t.Run(string(kind), func(t *testing.T) { sweep(t, 1, 3, kind) })
	}
}

func TestSwarm(t *testing.T) { sweep(t, 2, 3, sim.Faults...) }

func TestSwarmOfFive(t *testing.T) { sweep(t, 1, 5, sim.Faults...) }

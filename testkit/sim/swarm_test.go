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

// Posts for 30 s while faults of one kind come and go: all are connected and have
// been handed everything, once, soon after the last.
func TestFaultsOfOneKind(t *testing.T) {
	for _, kind := range sim.Faults {
		t.Run(string(kind), func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := newScene(k)
				swarm := s.Swarm(kind)
				work := k.Chance(testkit.Workload)
				for i := range 300 {
					if i%5 == 0 {
						swarm.Step()
					}
					s.Push(fmt.Sprint("n", 1+work.Choose("node", 3)), "the moon", "the sun", "moon and sun", "nothing")
					s.Advance(100 * time.Millisecond)
				}
				swarm.Heal()
				s.Until(15*time.Second, "all nodes see one view", s.Agree)
				s.Until(30*time.Second, "all clients are connected", s.Connected)
				s.Check(8 * time.Second)
				t.Logf("%v\n%v\n%d connections", swarm, s.Net, s.Connections())
			})
		})
	}
}

// Every scenario holds, with whatever size, duration and faults the seeds draw.
func TestScenarios(t *testing.T) {
	for _, s := range sim.Scenarios {
		t.Run(s.Name, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(_ *testing.T, k *testkit.Kit) { s.Run(k) })
		})
	}
}

package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// Rules are made, changed, paused and deleted at any node while posts come, and
// nothing fails: each post is decided by the rules as they were at its place, and
// no change is asked for twice.
func TestRulesThatChange(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := sim.NewScene(k, 3, 3)
		o := s.Own(s.Key, "moon", "sun", "star")
		work := k.Chance(testkit.Workload)
		for i := range 400 {
			o.Change(fmt.Sprint("change ", i))
			s.Push(s.Nodes()[work.Choose("node", 3)].Name, "the moon", "the sun", "moon and sun", "a star", "moon sun star", "nothing")
			s.Advance(work.Below("wait", 50*time.Millisecond))
		}
		s.Until(5*time.Second, "the owner is answered", o.Answered)
		s.Advance(8 * time.Second)
		s.CheckOwned(o)
		s.CheckCharged(s.Key, false)
		if o.Made < 50 || o.Again > 0 || len(o.Odd) > 0 {
			t.Errorf("nothing failed, and %v", o)
		}
	})
}

// Each kind of fault alone, while rules change.
func TestRulesThatChangeUnder(t *testing.T) {
	for _, kind := range sim.Faults {
		t.Run(string(kind), func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(_ *testing.T, k *testkit.Kit) { sim.RulesUnder(kind)(k) })
		})
	}
}

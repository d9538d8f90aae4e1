package sim_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// owned is a scene whose key has an owner who makes and changes its rules.
type owned struct {
	*scene
	owner *sim.Owner
}

func newOwned(k *testkit.Kit, nodes int) *owned {
	s := newSceneWith(k, nodes)
	return &owned{s, s.Own(s.key, k.Rand.Uint64N(1<<62), "moon", "sun", "star")}
}

// live posts at any node n times, some of them at once and some while a change
// is under way.
func (s *owned) live(k *testkit.Kit, n int, step func()) {
	for range n {
		step()
		for range 1 + k.Rand.Uint64N(3) {
			if k.Rand.Uint64N(3) == 0 {
				s.owner.Change()
			}
			s.push(s.Nodes()[k.Rand.Uint64N(uint64(len(s.Nodes())))].Name, "the moon", "the sun", "moon and sun", "a star", "moon sun star", "nothing")
		}
		s.Advance(time.Duration(1+k.Rand.Uint64N(100)) * time.Millisecond)
	}
}

// settled judges what came of it, and that what holds at last matches.
func (s *owned) settled() {
	s.TB.Helper()
	s.Until(30*time.Second, "the owner is answered", s.owner.Answered)
	for range 3 {
		s.push("n1", "moon sun star")
		s.Advance(100 * time.Millisecond)
	}
	s.Until(30*time.Second, "all clients are connected", s.Connected)
	s.Advance(8 * time.Second)
	s.CheckOwned(s.owner)
	s.CheckCharged(s.key, false)
	if s.TB.Failed() {
		s.TB.Log(s.owner)
	}
}

// Rules are made, changed, paused and deleted at any node while posts come: each
// post is decided by the rules as they were at its place.
func TestRulesThatChange(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newOwned(k, 3)
		s.live(k, 150, func() {})
		s.settled()
		if s.owner.Made < 50 || s.owner.Again > 0 || len(s.owner.Odd) > 0 {
			t.Errorf("nothing failed, and %v", s.owner)
		}
	})
}

// ofOwner is what befalls the node that owns the key while its rules change.
var ofOwner = map[string]func(s *owned, n *sim.Node) (heal func()){
	"drain":  func(s *owned, n *sim.Node) func() { n.Drain(); return func() { n.Stop(); s.Start(n.Name) } },
	"crash":  func(s *owned, n *sim.Node) func() { n.Crash(); return func() { s.Start(n.Name) } },
	"freeze": func(_ *owned, n *sim.Node) func() { n.Freeze(); return n.Thaw },
}

// The node that owns the key leaves, dies or is suspended in the middle of
// changes: whatever the owner was answered holds, and each post is decided once.
func TestRulesThatChangeWhileTheirNode(t *testing.T) {
	for _, what := range []string{"drain", "crash", "freeze"} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := newOwned(k, 3)
				s.live(k, 30, func() {})
				heal := ofOwner[what](s, s.Node(s.Node("n1").Owner(s.key)))
				s.live(k, 100+int(k.Rand.Uint64N(300)), func() {})
				heal()
				s.live(k, 60, func() {})
				s.settled()
			})
		})
	}
}

// Faults of all kinds, of which some are the seed's, while rules change.
func TestRulesThatChangeInASwarm(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		s := newOwned(k, 3)
		swarm := s.Swarm(k.Rand.Uint64N(1<<62), sim.Faults...)
		s.live(k, 400, swarm.Step)
		swarm.Heal()
		s.settled()
		t.Logf("%v\n%v\n%d changes, asked again %d times", swarm, s.Net, s.owner.Made, s.owner.Again)
	})
}

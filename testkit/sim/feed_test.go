package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// A feed that is made by way of one node is read by one, wherever that is, and goes
// on from its mark at another when that one ends: nothing that it shows is lost, and
// nothing comes twice.
func TestAFeedIsReadByOneNode(t *testing.T) {
	for what, kinds := range map[string][]sim.Fault{
		"in peace": nil, "crash": {sim.Crash}, "freeze": {sim.Freeze}, "store down": {sim.StoreDown}, "slow store": {sim.SlowStore}, "lost leader": {sim.LostLeader}, "cut": {sim.Cut}, "drain": {sim.Drain},
	} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := sim.NewScene(k, 3, 2, "moon")
				var feeds []*sim.Feed
				for i := range 6 {
					feeds = append(feeds, s.MakeFeed(s.Nodes()[i%3], fmt.Sprint("feed-", i)))
				}
				s.Advance(3 * time.Second)
				swarm := s.Swarm(kinds...)
				for i := range 40 {
					swarm.Step()
					for _, f := range feeds {
						f.Add(fmt.Sprint("moon ", i))
					}
					s.Advance(time.Second)
				}
				swarm.Heal()
				s.Until(30*time.Second, "all clients are connected", s.Connected)
				s.Advance(30 * time.Second)
				s.CheckDelivered("moon")
				readers := map[string]bool{}
				for _, f := range feeds {
					if len(s.Clients()[0].IDs()) == 0 || len(f.Polls) == 0 {
						t.Errorf("%s was never read", f.ID)
					}
					if kinds == nil && len(f.Polls) != 1 {
						t.Errorf("%s was read by %v", f.ID, f.Polls)
					}
					for by := range f.Polls {
						readers[by] = true
					}
					if n := s.Logged(f.ID + "-"); n != f.Count() {
						t.Errorf("%d of %s are in the log, want %d", n, f.ID, f.Count())
					}
				}
				if len(readers) < 2 {
					t.Errorf("all are read by %v: placement does nothing", readers)
				}
				t.Logf("%v\n%v", swarm, readers)
			})
		})
	}
}

// A feed that is deleted by way of a node that does not read it is read no more.
func TestAFeedIsDeletedWhereverItIsRead(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
		c := sim.New(k, 3)
		f := c.MakeFeed(c.Node("n1"), "feed-1")
		c.Advance(5 * time.Second)
		for i, n := range c.Nodes() {
			if f.Polls[n.Name+"@1"] == 0 {
				c.DeleteFeed(c.Nodes()[(i+3)%3], f)
				break
			}
		}
		c.Advance(2 * time.Second)
		before := fmt.Sprint(f.Polls)
		c.Advance(40 * time.Second)
		if now := fmt.Sprint(f.Polls); now != before {
			t.Errorf("polls were %s, and are %s", before, now)
		}
	})
}

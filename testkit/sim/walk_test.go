package sim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// A push on one node is delivered to a connection on another one whose key is
// on a third.
func TestFromPushToSocketOverThreeNodes(t *testing.T) {
	testkit.RunSeeds(t, seeds(t, 2), func(t *testing.T, k *testkit.Kit) {
		c := sim.New(k, 3)
		key := c.KeyOn("n3")
		c.MakeKey(c.Node("n1"), key)
		c.MakeRule(c.Node("n2"), key, "moon")
		client := c.Connect("ada", key, "n2")
		c.Advance(time.Second)
		if !client.Connected() {
			t.Fatalf("not connected: %v", client.Ends)
		}
		for i := range 20 {
			c.Publish("n1", fmt.Sprint(i), "the moon")
			c.Publish("n1", fmt.Sprint("no", i), "the sun")
			c.Advance(100 * time.Millisecond) // what a full journal refuses is offered again, and comes later
		}
		c.Advance(5 * time.Second)
		if got := client.IDs(); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19" {
			t.Errorf("handed %s; ends %v", got, client.Ends)
		}
	})
}

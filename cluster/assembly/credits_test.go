package assembly_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// Processes that die under load, one after the other, cost the key what they
// delivered: what the dead one held is settled from the log, whether clients
// begin anew or resume, and whichever of them are there.
func TestProcessesThatDieCostWhatTheyDelivered(t *testing.T) {
	const rounds = 5
	testkit.RunSeeds(t, 8, func(t *testing.T, k *testkit.Kit) {
		n, random := newNode(t, k), k.Rand
		n.makeKey("business")
		n.makeRule("moon", "moon")
		posted, ends := 0, random.Uint64N(2) == 0
		post := func() { n.post(fmt.Sprint(posted), "the moon"); posted++ }
		var all []*socket
		slack := 0 // what the log cannot tell
		round := func() {
			var open []*socket
			for range 1 + random.Uint64N(4) {
				open = append(open, n.connect(messages.Api_API_TWITTER))
			}
			all = append(all, open...)
			gone := 0
			for range 1 + random.Uint64N(80) {
				post()
				slack += gone // it may have been for those who have just gone
				if last := len(open) - 1; ends && random.Uint64N(20) == 0 && last > 0 {
					n.Tell(open[last].pid, &messages.SocketClosed{})
					n.Advance(10 * time.Millisecond)
					open = open[:last]
					gone++
				}
			}
			// The event that a connection was at when it last said so may have been
			// handed on in part; the next process's first one is there before its key is.
			slack += 2 * (len(open) + gone)
		}
		round()
		for i := range uint64(rounds) {
			testkit.Run(t, func(k *testkit.Kit) { // the one before is not stopped: it is dead
				n = nodeOn(t, k, n.disk, i+2)
				for range random.Uint64N(3) {
					post() // nobody is there
				}
				if n.cursor = nil; random.Uint64N(2) == 0 {
					back := min(uint64(posted), random.Uint64N(20))
					n.cursor = &messages.Cursor{Epoch: n.store.Journal().Epoch(), Position: messages.EndOf(uint64(posted) - back)}
				}
				if round(); i == rounds-1 {
					n.stop()
				}
			})
		}
		delivered := -len(all) // each was shown "connected" besides
		for _, s := range all {
			delivered += len(s.shown)
		}
		l := n.ledger()
		if lost := int(l.GetCharged()) - delivered; lost < 0 || lost > slack || len(l.GetOpen()) > 0 {
			t.Errorf("%d charged for %d deliveries of %d posts, want at most %d more; open are %v", l.GetCharged(), delivered, posted, slack, l.GetOpen())
		}
	})
}

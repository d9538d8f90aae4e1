package assembly_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// What is pushed arrives at the clients of all three APIs, by rules and by
// filters, on a node of which only the world is the test's own.
func TestFromPushToSocket(t *testing.T) {
	testkit.RunSeeds(t, 10, func(t *testing.T, k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		twitter, newsrank, kite := n.connect(messages.Api_API_TWITTER), n.connect(messages.Api_API_NEWSRANK), n.connect(messages.Api_API_KITE)
		twitter.want("connected")
		newsrank.want()
		kite.want("connected")
		n.Tell(newsrank.pid, &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}})
		n.Advance(100 * time.Millisecond)
		newsrank.want("subscribed")
		n.post("1", "to the moon")
		n.post("2", "to the sun")
		n.article("a", "Landed")
		twitter.want("1 moon")
		newsrank.want("a")
		kite.want("a")
		n.makeRule("sun", "sun") // live as soon as it is answered
		n.post("3", "the sun and the moon")
		twitter.want("3 moon", "3 sun")
		n.Tell(kite.pid, &messages.SocketClosed{Detail: "gone"})
		n.Advance(time.Second)
		n.article("b", "Taken off")
		kite.want()
		newsrank.want("b")
		n.stop()
	})
}

package assembly_test

import (
	"fmt"
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

// Each actor of a node fails in turn while clients follow: they get what is
// pushed before and after it, once.
func TestAFailureOfAnyActorLosesAndRepeatsNothing(t *testing.T) {
	for _, id := range []string{
		"node/router", "node/router-semantic", "node/journal", "node/desk", "node/upstreams", "node/upstreams/push",
		"node/shard/915", "node/shard/915/key-", "node/shard/915/key-abcdefghij-1/rule-",
	} {
		t.Run(id, func(t *testing.T) {
			testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
				n := newNode(t, k)
				n.makeKey("business")
				n.makeRule("moon", "moon")
				twitter, kite := n.connect(messages.Api_API_TWITTER), n.connect(messages.Api_API_KITE)
				n.post("0", "a moon")
				twitter.want("connected", "0 moon")
				kite.want("connected")
				for i := range 3 {
					if id == "node/shard/915/key-abcdefghij-1/rule-" {
						n.makeRule(fmt.Sprint("r", i), "mars") // a rule's actor is there while it is needed
					}
					n.fail(id)
					n.Advance(10 * time.Second) // a source that failed rests
					post, article := fmt.Sprint("p", i), fmt.Sprint("a", i)
					n.post(post, "the moon")
					n.article(article, "Landed")
					n.Advance(10 * time.Second)
					twitter.want(post + " moon")
					kite.want(article)
				}
				n.stop()
			})
		})
	}
}

// A connection that fails ends alone, and gives back what it held.
func TestAConnectionThatFailsEndsAlone(t *testing.T) {
	testkit.RunSeeds(t, 5, func(t *testing.T, k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		for range 7 { // more than may be open at once
			broken, other := n.connect(messages.Api_API_KITE), n.connect(messages.Api_API_KITE)
			n.fail("connection/" + broken.id)
			if broken.ended != "END_INTERNAL: internal error" {
				t.Fatalf("ended %q", broken.ended)
			}
			id := "a-" + other.id
			n.article(id, "Landed")
			other.want("connected", id)
			n.Tell(other.pid, &messages.SocketClosed{})
			n.Advance(100 * time.Millisecond)
		}
		n.stop()
	})
}

// The wall clock is set, forwards and back, while clients are connected: nobody
// is closed, nothing is late, nothing expires.
func TestAStepOfTheWallClockChangesNothing(t *testing.T) {
	const year = 366 * 24 * time.Hour
	for _, step := range []time.Duration{70 * time.Second, -70 * time.Second, 5 * time.Minute, -5 * time.Minute, year, -year} {
		t.Run(step.String(), func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				n := newNode(t, k)
				n.makeKey("business")
				n.makeRule("moon", "moon")
				twitter, kite := n.connect(messages.Api_API_TWITTER), n.connect(messages.Api_API_KITE)
				twitter.want("connected")
				kite.want("connected")
				for i := range 12 {
					n.Clock.Step(step)
					post, article := fmt.Sprint("p", i), fmt.Sprint("a", i)
					n.post(post, "the moon")
					twitter.want(post + " moon")
					n.Clock.Step(step)
					n.article(article, "Landed")
					kite.want(article)
					n.makeRule(fmt.Sprint("r", i), "mars")
					n.Advance(20 * time.Second)
				}
				for i := range 4 { // as many as a key may have are there, and stay
					n.Clock.Step(step)
					n.connect(messages.Api_API_TWITTER).want("connected")
					n.Advance(time.Duration(i) * time.Second)
				}
				n.Advance(10 * time.Minute)
				twitter.want()
				kite.want()
				n.stop()
			})
		})
	}
}

// A process that dies takes nothing with it that was answered; the next one on
// its disk goes on, and what was in the dead one's hands is free.
func TestTheNextProcessGoesOn(t *testing.T) {
	testkit.RunSeeds(t, 5, func(t *testing.T, k *testkit.Kit) {
		first := newNode(t, k)
		first.makeKey("business")
		first.makeRule("moon", "moon")
		for range 5 {
			first.connect(messages.Api_API_TWITTER)
		}
		first.post("1", "the moon")
		testkit.Run(t, func(k *testkit.Kit) { // the first is not stopped: it is dead
			next := nodeOn(t, k, first.disk, 2)
			var open []*socket
			for range 5 {
				open = append(open, next.connect(messages.Api_API_TWITTER))
			}
			next.post("2", "the moon again")
			for _, s := range open {
				s.want("connected", "2 moon")
			}
			next.stop()
		})
	})
}

// A clean end leaves no grant open, and has charged what was delivered.
func TestACleanEndSettlesCredits(t *testing.T) {
	testkit.RunSeeds(t, 5, func(t *testing.T, k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		n.connect(messages.Api_API_TWITTER)
		gone := n.connect(messages.Api_API_TWITTER)
		for i := range 3 {
			n.post(fmt.Sprint(i), "the moon")
		}
		n.Tell(gone.pid, &messages.SocketClosed{}) // within the last second
		n.stop()
		if l := n.ledger(); l.GetCharged() != 6 || len(l.GetOpen()) > 0 {
			t.Errorf("%d charged for 6 deliveries, %d grants open", l.GetCharged(), len(l.GetOpen()))
		}
	})
}

// A client that brings a cursor gets what it missed, or is told why it cannot.
func TestAClientComesBackWithItsCursor(t *testing.T) {
	testkit.RunSeeds(t, 5, func(t *testing.T, k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		for i := range 6 {
			n.post(fmt.Sprint(i), "the moon")
		}
		epoch := n.store.Journal().Epoch()
		n.cursor = &messages.Cursor{Epoch: epoch, Position: messages.EndOf(3)}
		n.connect(messages.Api_API_TWITTER).want("connected", "3 moon", "4 moon", "5 moon")
		n.cursor = &messages.Cursor{Epoch: "another", Position: messages.EndOf(3)}
		foreign := n.connect(messages.Api_API_TWITTER)
		foreign.want("connected", "error cursor is of another history; the first position still held is 4096; live events follow")
		n.cursor = &messages.Cursor{Epoch: epoch, Position: messages.EndOf(300)}
		late := n.connect(messages.Api_API_TWITTER)
		late.want("connected")
		n.Advance(13 * time.Second) // until the log's end is believed
		late.want("error cursor lies beyond the end of the log; the first position still held is 4096; live events follow")
		n.post("6", "the moon")
		foreign.want("6 moon")
		late.want("6 moon")
		n.stop()
	})
}

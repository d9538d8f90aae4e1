package assembly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

var shardID = fmt.Sprint("node/shard/", actors.ShardOf(keyID))

// A shard that has failed too often comes back by itself. Its clients, who ask
// for nothing in that time, are served again, and have missed nothing.
func TestAShardPastItsBudgetServesAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		posts, news := n.connect(messages.Api_API_TWITTER), n.connect(messages.Api_API_KITE)
		n.post("1", "the moon")
		posts.want("connected", "1 moon")
		for range 3 {
			for range 11 {
				n.kill(shardID)
			}
			k.Panics()
		}
		if left := k.DeadLetters(); len(left) == 0 {
			t.Error("the shard was not stopped: this test shows nothing")
		}
		n.post("2", "the moon, missed")
		n.article("a", "the moon")
		posts.want()
		news.want("connected", "a")
		k.Advance(5 * time.Second)
		posts.want("2 moon")
		n.post("3", "the moon again")
		posts.want("3 moon")
		n.makeRule("sun", "sun")
		n.post("4", "the sun")
		posts.want("4 sun")
		n.stop()
	})
}

// A shard that is given up and taken again on the same node: commands wait for
// it, and clients get what came in between.
func TestAShardThatIsGivenUpAndTakenAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		posts := n.connect(messages.Api_API_TWITTER)
		n.post("1", "the moon")
		posts.want("connected", "1 moon")

		shard := actor.NewPID(testkit.Address, shardID)
		number := uint32(actors.ShardOf(keyID))
		mover := k.Probe()
		mover.Request(shard, &messages.Deactivate{Shard: number})
		k.Advance(100 * time.Millisecond)
		testkit.Expect[*messages.Deactivated](mover)
		n.post("2", "the moon, again")
		var answers []proto.Message
		n.actors.AskKey(keyID, &messages.ListRules{KeyId: keyID}, 10*time.Second, func(m proto.Message, err error) {
			if err != nil {
				t.Errorf("the question ended: %v", err)
			}
			answers = append(answers, m)
		})
		k.Advance(3 * time.Second)
		posts.want()
		if len(answers) > 0 {
			t.Errorf("answered %v", answers)
		}
		mover.Request(shard, &messages.Activate{Shard: number})
		k.Advance(3 * time.Second)
		if got := testkit.Expect[*messages.Activated](mover); got.GetTerm() != 2 {
			t.Errorf("activated %v", got)
		}
		posts.want("2 moon")
		if len(answers) != 1 || answers[0].(*messages.RulesListed).GetTotal() != 1 {
			t.Errorf("answered %v", answers)
		}
		n.post("3", "the moon again")
		posts.want("3 moon")
		n.stop()
	})
}

// Shards that cannot give up what they own, as where the store has no majority, are
// late: the node says so, and ends all the same. They end in any order with the rest.
func TestShardsThatAreLate(t *testing.T) {
	for seed := range uint64(10) {
		o := testkit.Play(testkit.Plan{Seed: seed, Strategy: "priority"}, func(k *testkit.Kit) {
			n := newNode(k.TB, k)
			n.drop = func(_ string, message any) bool {
				_, lost := message.(*messages.Deactivate)
				return lost
			}
			var ended []error
			n.actors.Stop(func(err error) { ended = append(ended, err) })
			k.Advance(9 * time.Second)
			if len(ended) > 0 {
				k.TB.Fatalf("the end before it is late: %v", ended)
			}
			k.Advance(2 * time.Second)
			if len(ended) != 1 || ended[0] == nil || !strings.Contains(ended[0].Error(), "1024 actors did not end in time") {
				k.TB.Errorf("the end: %v", ended)
			}
			if left := n.left(); len(left) > 0 {
				k.TB.Errorf("actors are left: %v", left)
			}
		})
		if o.Failed() {
			t.Errorf("seed %d: %s", seed, o.Violations[0].Text)
		}
	}
}

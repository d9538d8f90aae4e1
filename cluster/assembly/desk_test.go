package assembly

import (
	"errors"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// A command whose key is moving is asked again until somebody owns the key, or
// its time is up.
func TestACommandIsAskedAgainWhileItsKeyMoves(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := &Node{address: testkit.Address, ports: Ports{Node: testkit.Address, System: k.System, Clock: k.Clock, Props: k.Props}}
		before, after := k.Probe(), k.Probe()
		own := func(pid *actor.PID) {
			for i := range n.shards {
				n.shards[i] = pid
			}
		}
		own(before.PID())
		desk, err := k.System.Root.SpawnNamed(n.deskProps(), deskID)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Stop(desk)
		var answers []proto.Message
		var last error
		ask := func() {
			n.AskKey("key-1", &messages.DescribeKey{KeyId: "key-1"}, 10*time.Second, func(m proto.Message, err error) {
				answers, last = append(answers, m), err
			})
		}
		ask()
		testkit.Expect[*messages.DescribeKey](before)
		before.Reply(&messages.NotOwner{KeyId: "key-1"})
		before.Reply(&messages.NotOwner{KeyId: "key-1"}) // twice: it is asked once
		own(after.PID())
		k.Advance(askAgain)
		testkit.Expect[*messages.DescribeKey](after)
		before.ExpectNoMessage(time.Second)
		after.Reply(&messages.KeyDescribed{Connections: 7})
		k.Settle()
		if len(answers) != 1 || last != nil || answers[0].(*messages.KeyDescribed).GetConnections() != 7 {
			t.Fatalf("answered %v, %v", answers, last)
		}
		ask()
		for range 50 { // nobody owns it for longer than the client waits
			k.Advance(askAgain)
			for range after.Messages() {
				after.Reply(&messages.NotOwner{KeyId: "key-1"})
			}
		}
		if len(answers) != 2 || !errors.Is(last, ErrNoAnswer) {
			t.Errorf("answered %v, %v", answers, last)
		}
	})
}

// An owner that ends with a command in its mailbox answers nothing. What may be done
// twice is asked of the next owner; what may not is not.
func TestACommandIsAskedAgainWhereItsOwnerHasEnded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := &Node{address: testkit.Address, ports: Ports{Node: testkit.Address, System: k.System, Clock: k.Clock, Props: k.Props}}
		before, after := k.Probe(), k.Probe()
		own := func(pid *actor.PID) {
			for i := range n.shards {
				n.shards[i] = pid
			}
		}
		desk, err := k.System.Root.SpawnNamed(n.deskProps(), deskID)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Stop(desk)
		answers := 0
		ask := func(command proto.Message) {
			own(before.PID())
			n.AskKey("key-1", command, 10*time.Second, func(_ proto.Message, err error) {
				if answers++; err != nil {
					t.Errorf("%T: %v", command, err)
				}
			})
		}
		ask(&messages.Admit{ConnectionId: "c1"})
		testkit.Expect[*messages.Admit](before)
		before.ExpectNoMessage(2 * ownerEvery) // it is the owner still
		own(after.PID())
		k.Advance(ownerEvery)
		testkit.Expect[*messages.Admit](after)
		after.ExpectNoMessage(2 * ownerEvery) // it is asked once
		after.Reply(&messages.Admitted{})
		k.Settle()
		if answers != 1 {
			t.Fatalf("%d answers, want one", answers)
		}
		ask(&messages.CreateRule{KeyId: "key-1"})
		testkit.Expect[*messages.CreateRule](before)
		own(after.PID())
		after.ExpectNoMessage(4 * ownerEvery)
		before.Reply(&messages.RuleShown{})
		k.Settle()
		if answers != 2 {
			t.Fatalf("%d answers, want two", answers)
		}
	})
}

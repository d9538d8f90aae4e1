package assembly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// tryOffer pushes a post and returns the answer.
func (n *node) tryOffer(id string) (got proto.Message) {
	n.t.Helper()
	e := &messages.Event{Id: "push:post:" + id + ":1", Source: "push", Body: &messages.Event_Post{Post: &messages.Post{Id: id, Text: "moon"}}}
	n.actors.Ask(n.actors.Push(), &messages.Offer{Id: 1, Events: []*messages.Event{e}}, 30*time.Second, func(m proto.Message, err error) { got = m })
	n.Advance(10 * time.Millisecond)
	return got
}

// A process that was replaced under its name writes nothing more, says so to
// who pushes and to its node, and does not try for ever.
func TestANodeWhoseNameWasTakenOverEnds(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		n.makeRule("moon", "moon")
		twitter := n.connect(messages.Api_API_TWITTER)
		n.post("1", "moon")
		twitter.want("connected", "1 moon")

		_, err := n.disk.Open(nil).Journal().Append(n.t.Context(), &messages.Frame{
			Node: testkit.Address, Incarnation: n.starts + 1, Number: 1, Events: []*messages.Event{{Id: "of the newer one"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			refused, ok := n.tryOffer(fmt.Sprint("late", i)).(*messages.OfferRefused)
			if !ok || refused.GetReason() != messages.RefuseReason_REFUSE_STOPPING || !strings.Contains(refused.GetDetail(), "taken this node's name over") {
				t.Fatalf("push %d was answered %v", i, refused)
			}
		}
		if len(n.failed) != 1 || !strings.Contains(n.failed[0].Error(), "taken this node's name over") {
			t.Fatalf("the node was told %v", n.failed)
		}
		n.failed = nil
		n.stop()
	})
}

// A router that misses a frame and cannot read the log is behind for as long as
// that lasts. That of semantic filters slows nobody; the other one has pushes
// refused, and taken again as soon as it can read.
func TestOnlyTheRouterOfPostsSlowsPushes(t *testing.T) {
	for id, slows := range map[string]bool{"node/router": true, "node/router-semantic": false} {
		t.Run(id, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				n := newNode(t, k)
				blind, missed := true, false
				n.drop = func(to string, message any) bool {
					if _, frame := message.(*messages.FrameAppended); frame && to == id && !missed {
						missed = true
						return true
					}
					return to == id && blind && strings.HasSuffix(fmt.Sprintf("%T", message), ".readBack")
				}
				refused := 0
				for i := range 20 {
					if m, ok := n.tryOffer(fmt.Sprint("p", i)).(*messages.OfferRefused); ok {
						if refused++; m.GetReason() != messages.RefuseReason_REFUSE_BUSY || !strings.Contains(m.GetDetail(), "behind") {
							t.Errorf("refused %v", m)
						}
					}
					n.Advance(time.Second)
				}
				if !missed || slows && refused < 15 || !slows && refused > 0 {
					t.Errorf("missed a frame: %v; %d of 20 pushes were refused", missed, refused)
				}
				blind = false
				n.Advance(11 * time.Second) // the answers that it waits for were lost
				for i := range 5 {
					if m, ok := n.tryOffer(fmt.Sprint("again", i)).(*messages.Appended); !ok {
						t.Errorf("a push after that was answered %v", m)
					}
				}
				n.stop()
			})
		})
	}
}

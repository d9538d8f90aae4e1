package sim

import (
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// Publish pushes a post at the node, or at the next one where that does not take
// it, until it is known to be in the log.
func (c *Cluster) Publish(node, id, text string) {
	c.TB.Helper()
	c.publishBy(account{"ada", "7"}, node, id, text)
}

// account is who writes posts: a username, which may change, and a number.
type account struct{ username, id string }

// publishBy is Publish of a post that the account has written.
func (c *Cluster) publishBy(who account, node, id, text string) {
	c.TB.Helper()
	post, err := push.ParsePost(fmt.Appendf(nil, `{"id":%q,"text":%q,"created_at":"2026-03-04T12:00:00Z","author":{"id":%q,"username":%q}}`, id, text, who.id, who.username))
	if err != nil {
		c.TB.Fatal(err)
	}
	p := &publisher{cluster: c, at: c.place(node), event: &messages.Event{
		Id: "push:post:" + id + ":1", Source: "push", DetectedMs: c.Clock.Now().UnixMilli(), Body: &messages.Event_Post{Post: post},
	}}
	p.since = c.end().Sequence()
	c.offered = append(c.offered, p)
	p.offer()
}

type publisher struct {
	cluster *Cluster
	event   *messages.Event
	at      int
	asked   int    // 0: it is known to be in the log
	since   uint64 // the log's end when it was first offered
}

func (p *publisher) offer() {
	n := p.cluster.nodes[p.at%len(p.cluster.nodes)]
	p.asked++
	asked := p.asked
	if n.Awake() {
		n.Actors.Ask(n.Actors.Push(), &messages.Offer{Id: 1, Events: []*messages.Event{p.event}}, askWithin, func(m proto.Message, err error) {
			if asked != p.asked {
				return
			}
			if _, ok := m.(*messages.Appended); ok && err == nil {
				p.asked = 0
				p.cluster.checkAcknowledged(p.event)
				return
			}
			p.cluster.Later(retryFirst, func() { p.next(asked) })
		})
	}
	// The process may end before it answers.
	p.cluster.Later(askWithin+time.Second, func() { p.next(asked) })
}

func (p *publisher) next(asked int) {
	if asked == p.asked {
		p.at++
		p.offer()
	}
}

func secretOf(keyID string) []byte {
	hash := sha256.Sum256([]byte("secret of " + keyID))
	return hash[:]
}

// ask asks the key's owner by way of a node, until it answers.
func (c *Cluster) ask(n *Node, keyID string, command proto.Message) proto.Message {
	c.TB.Helper()
	var got proto.Message
	var failed error
	n.Actors.AskKey(keyID, command, 10*time.Second, func(m proto.Message, err error) { got, failed = m, err })
	for range 1100 {
		if c.Advance(10 * time.Millisecond); got != nil || failed != nil {
			break
		}
	}
	if failed != nil || got == nil {
		c.TB.Fatalf("sim: %T by way of %s: %v", command, n.Name, failed)
	}
	return got
}

// MakeKey makes a key of the business plan.
func (c *Cluster) MakeKey(n *Node, keyID string) {
	c.TB.Helper()
	c.keys = append(c.keys, keyID)
	c.secrets[keyID] = secretOf(keyID)
	m := c.ask(n, keyID, &messages.CreateKey{Key: &messages.Key{
		Id: keyID, Name: "test", Plan: "business", SecretHash: c.secrets[keyID], State: messages.KeyState_KEY_ACTIVE,
		Scopes: []string{"ws:connect", "rules:write"},
	}})
	if _, ok := m.(*messages.KeyDescribed); !ok {
		c.TB.Fatalf("sim: create %s: %v", keyID, m)
	}
}

// MakeRule makes a rule of the key, which is its tag and query.
func (c *Cluster) MakeRule(n *Node, keyID, query string) {
	c.TB.Helper()
	m := c.ask(n, keyID, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{
		Tag: query, Query: query, Status: "active", IntervalSeconds: 1, MaxResultsPerPoll: 20,
	}})
	if _, ok := m.(*messages.RuleShown); !ok {
		c.TB.Fatalf("sim: create rule %s of %s: %v", query, keyID, m)
	}
}

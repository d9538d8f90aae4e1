package sim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/testkit"
)

// mailboxes say how much those of one process hold: what a real process's do, while
// those of one kind of actor may be full. They are asked at every message.
type mailboxes struct {
	runtime.Bounds
	node    *Node
	full    string // the kind of actor whose mailboxes are; "": none
	fate    *testkit.Chance
	dropped *int              // of all
	passed  map[string]string // by kind of actor: how a real bound was passed
	hangs   map[string]func(message any) bool
}

// Hang has the node's actors of the kind handle none of those messages any more, until
// nil. They are told to stop all the same.
func (n *Node) Hang(kind string, at func(message any) bool) { n.mailboxes.hangs[kind] = at }

// Drop is testkit.Bounds. What may not be dropped is put in all the same: there is
// only so much of it, so that twice the bound is never reached.
func (m *mailboxes) Drop(kind string, waits, bytes int, message any) bool {
	if most, size := (runtime.Bounds{}).Of(kind); waits > 2*most || bytes > 2*size {
		m.passed[kind] = fmt.Sprintf("%d messages of %d bytes wait, the bound is %d of %d; then came %T", waits, bytes, most, size, message)
	}
	if kind == "connection" {
		m.node.checkHanded(message)
	}
	if at := m.hangs[kind]; at != nil && at(message) {
		return true
	}
	if !m.Bounds.Drop(kind, waits, bytes, message) && !m.isFull(kind, message) {
		return false
	}
	*m.dropped++
	return true
}

// isFull says whether the mailbox is taken for full just when the message comes: it is
// then dropped where the policy lets it be. Every other one finds room, as where an actor
// that is behind handles some meanwhile.
func (m *mailboxes) isFull(kind string, message any) bool {
	if kind != m.full || !(runtime.Bounds{Most: 1}).Drop(kind, 1, 0, message) {
		return false
	}
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	return m.fate.Once(fmt.Sprintf("the mailbox of %s is full for %T", kind, message), 2)
}

// bounded are the kinds of actors whose mailboxes drop something.
var bounded = []string{"router", "journal", "shard", "apikey", "connection", "monitor", "filterrule", "source"}

// checkMailboxes holds that no mailbox has grown past its bound.
func (c *Cluster) checkMailboxes() {
	for _, n := range c.nodes {
		for _, kind := range slices.Sorted(maps.Keys(n.mailboxes.passed)) {
			c.Violated("mailboxes are bounded", "%s at %s: %s", kind, n.Name, n.mailboxes.passed[kind])
		}
		clear(n.mailboxes.passed)
	}
}

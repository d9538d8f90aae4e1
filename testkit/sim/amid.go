package sim

import (
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// This file is what happens in the middle of what a node does: between two calls of
// Advance nobody is told anything any more, so that what begins there meets empty
// mailboxes.

// moment is when so many messages more of that name have come to actors of a kind.
type moment struct {
	amidst
	left int
	do   func()
}

// amidst are messages amid which something may happen.
type amidst struct {
	kind string // of the actors that are told
	name string
}

// eventful are those in which a node's work goes on, and at which it may fall ill. Few of
// all messages are, and so most of what begins amid any of them begins between two that
// nobody waits for.
var eventful = []amidst{{"shard", "Matched"}, {"apikey", "Matched"}, {"router", "FrameAppended"}}

// moving are those, too, in which it takes or gives up what it owns, and at which an owner
// may change something. So many come at once of those that many shards are told.
var moving = slices.Concat(eventful, []amidst{
	{"shard", "Activate"}, {"shard", "Deactivate"}, {"apikey", "EndKey"}, {"apikey", "QueriesPut"}, {"shard", "TakeSlot"},
})

// amid has f done once the node's actors have been told so many more of the messages, as
// one step of the loop among those that are due then. Its process ends, and nothing
// is done.
func (n *Node) amid(of amidst, after int, f func()) {
	lane := n.cluster.Lane("what comes amid messages at " + n.Name)
	alive := n.ofNow(f)
	n.moments = append(n.moments, &moment{of, after, func() { lane.Add(alive) }})
}

// calm forgets what has not come.
func (c *Cluster) calm() {
	for _, n := range c.nodes {
		n.moments = nil
	}
}

// posted is told of each message that one of the node's actors is told.
func (n *Node) posted(kind string, message any) {
	if e, ok := message.(*actor.MessageEnvelope); ok {
		message = e.Message
	}
	n.checkFreed(message)
	m, ok := message.(proto.Message)
	if !ok || len(n.moments) == 0 {
		return
	}
	name := string(m.ProtoReflect().Descriptor().Name())
	n.moments = slices.DeleteFunc(n.moments, func(m *moment) bool {
		if m.kind != kind || m.name != name {
			return false
		}
		if m.left--; m.left < 0 {
			m.do()
		}
		return m.left < 0
	})
}

// checkFreed holds that a place is free once whoever gave it back is told so: it says so
// no more, and if its owner ends nobody else knows it.
func (n *Node) checkFreed(message any) {
	freed, ok := message.(*messages.Released)
	if !ok {
		return
	}
	c := n.cluster
	for _, id := range c.keys {
		for _, slot := range c.shard(id).GetSlots() {
			if slot.GetConnectionId() == freed.GetConnectionId() {
				c.Violated("a place of which it is said that it is free is free", "%s of %s is told so at %s, and is in the record", slot.GetConnectionId(), id, n.Name)
			}
		}
	}
}

// sometimesAmid has it happen at rest, or amid some of the messages, as is chosen.
func (n *Node) sometimesAmid(all []amidst, by *testkit.Chance, what string, f func()) {
	if !by.Often(what+": amid messages", 3, 4) {
		f()
		return
	}
	of := all[by.Choose(what+": which", uint64(len(all)))]
	most := uint64(8)
	if of.name == "Activate" || of.name == "Deactivate" {
		most = 256
	}
	n.amid(of, int(by.Choose(what+": after how many", most)), f)
}

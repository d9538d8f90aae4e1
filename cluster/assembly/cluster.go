package assembly

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

// placed is where everything is in one view. It is made once a view and never
// changed: whoever looks something up reads one pointer.
type placed struct {
	table  *placement.Table
	owners [actors.Shards]*actor.PID // each shard's actor on the node that owns it
	// Of the other nodes that are alive.
	relays, journals []*actor.PID
}

func (n *Node) peer() link.Peer {
	return link.Peer{Node: n.ports.Node, Incarnation: n.ports.Incarnation}
}

// SetView tells the node who is there now. It may be called from any goroutine,
// by one at a time.
func (n *Node) SetView(view membership.View) {
	n.place(view)
	n.ports.System.Root.Send(n.pid(ownershipID), &placedAgain{})
	n.ports.System.Root.Send(n.pid(newsdeskID), &newsdesk.Placed{})
}

// View is what the node goes by; the zero View of one that is alone.
func (n *Node) View() membership.View {
	if p := n.placed.Load(); p != nil {
		return p.table.View()
	}
	return membership.View{}
}

func (n *Node) place(view membership.View) {
	p := &placed{table: placement.Shards(view, actors.Shards)}
	self := n.peer()
	for number := range p.owners {
		p.owners[number] = n.shards[number] // which says that it is not the owner, where nobody is
		if m, ok := p.table.Owner(number); ok && peerOf(m) != self {
			p.owners[number] = actor.NewPID(peerOf(m).Address(), fmt.Sprint(shardPrefix, number))
		}
	}
	for _, m := range view.Members() {
		if m.State == membership.Down || m.Name == self.Node {
			continue
		}
		p.relays = append(p.relays, actor.NewPID(peerOf(m).Address(), relayID))
		p.journals = append(p.journals, actor.NewPID(peerOf(m).Address(), journalID))
	}
	n.placed.Store(p)
}

func peerOf(m membership.Member) link.Peer {
	return link.Peer{Node: m.Name, Incarnation: m.Incarnation}
}

var _ actors.Owners = (*Node)(nil)

// Owner is the shard's actor on the node that owns the key, as far as this one
// knows.
func (n *Node) Owner(keyID string) *actor.PID {
	number := actors.ShardOf(keyID)
	if p := n.placed.Load(); p != nil {
		return p.owners[number]
	}
	return n.shards[number]
}

// owns says whether the shard's place is here.
func (n *Node) owns(number int) bool {
	p := n.placed.Load()
	if p == nil {
		return true
	}
	m, ok := p.table.Owner(number)
	return ok && peerOf(m) == n.peer()
}

// holder is the shard's actor in another process that is alive.
func (n *Node) holder(number int, node string, incarnation uint64) *actor.PID {
	if !n.View().Alive(node, incarnation) {
		return nil
	}
	return actor.NewPID(link.Peer{Node: node, Incarnation: incarnation}.Address(), fmt.Sprint(shardPrefix, number))
}

// ended says whether the process that holds the slot has. Of a node that is
// alone: whoever is not this process.
func (n *Node) ended(s *messages.Slot) bool {
	if s.GetNode() == n.ports.Node {
		return s.GetIncarnation() != n.ports.Incarnation
	}
	return n.placed.Load() == nil || n.View().Ended(s.GetNode(), s.GetIncarnation())
}

// connectionOf is the connection that holds the slot, on any node; nil where it
// is known to have ended.
func (n *Node) connectionOf(s *messages.Slot) *actor.PID {
	switch {
	case s.GetNode() == n.ports.Node && s.GetIncarnation() == n.ports.Incarnation:
		return n.Connection(s.GetConnectionId())
	case n.ended(s):
		return nil
	}
	peer := link.Peer{Node: s.GetNode(), Incarnation: s.GetIncarnation()}
	return actor.NewPID(peer.Address(), connectionPrefix+s.GetConnectionId())
}

// routers are where the journal sends frames: this node's, and one relay for
// each other node, so that a frame is sent there once.
func (n *Node) routers() func() []*actor.PID {
	own := []*actor.PID{n.pid(routerID), n.pid(semanticID)}
	own = own[:len(own):len(own)]
	return func() []*actor.PID {
		if p := n.placed.Load(); p != nil {
			return append(own, p.relays...)
		}
		return own
	}
}

// slowed is whom a router that is behind tells to take less: the node's journal,
// or by way of its relay those of all nodes.
func (n *Node) slowed() *actor.PID {
	if n.placed.Load() == nil {
		return n.Journal()
	}
	return n.pid(relayID)
}

// Serves says whether the node may have clients: its lease is live, and it
// belongs to the core, or gives up what it owns in order.
func (n *Node) Serves() bool {
	if n.placed.Load() == nil {
		return true
	}
	m, ok := n.View().Member(n.ports.Node)
	return ok && peerOf(m) == n.peer() && (m.State == membership.Core || m.State == membership.Leaving) && (n.ports.Lease == nil || n.ports.Lease.Live())
}

// left has the ownership look again: the shard may have been given up on
// somebody's word who knew less.
func (n *Node) left(number int) {
	if n.placed.Load() != nil {
		n.ports.System.Root.Send(n.pid(ownershipID), &left{number})
	}
}

func (n *Node) clusterActors() []spec {
	p := n.ports
	own := []*actor.PID{n.pid(routerID), n.pid(semanticID)}
	return []spec{
		{name: "ownership", group: groupQuestions, care: vital, props: p.Props("ownership", func() actor.Actor {
			return &ownership{clock: p.Clock, shards: n.shards[:], owns: n.owns, timers: actors.NewTimers(p.Clock)}
		}, stopOnFailure)},
		{name: "releases", group: groupQuestions, care: vital, props: p.Props("releases", func() actor.Actor {
			return &releases{owners: n, rare: p.Sometimes, timers: actors.NewTimers(p.Clock), open: map[string]*messages.Release{}}
		}, stopOnFailure)},
		{name: "relay", group: groupRouters, care: vital, props: p.Props("relay", func() actor.Actor {
			return &relay{routers: own, journal: n.Journal(), others: func() []*actor.PID { return n.placed.Load().journals }}
		}, stopOnFailure)},
	}
}

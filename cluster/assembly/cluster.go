package assembly

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

// placed is where everything is in one view. It is made once a view and never
// changed: whoever looks something up reads one pointer.
type placed struct {
	self   link.Peer
	table  *placement.Table
	owners [actors.Shards]*actor.PID // each shard's actor on the node that owns it
	// Of the other nodes that are alive.
	relays, journals []*actor.PID
	// apart are those that are alive and outside the core, and since when they are
	// known to be.
	apart map[link.Peer]actors.Instant
}

func (n *Node) peer() link.Peer {
	return link.Peer{Node: n.ports.Node, Incarnation: n.ports.Incarnation}
}

// setView has the node go by the view.
func (n *Node) setView(view membership.View) {
	p := n.place(view)
	n.ports.Logger.Debug("the node goes by another view", "view", view.Number(), "node", n.ports.Node, "incarnation", n.ports.Incarnation, "members", view)
	n.ports.System.Root.Send(n.pid(ownershipID), &placedAgain{p})
	n.ports.System.Root.Send(n.pid(newsdeskID), &actors.Placed{})
	n.ports.System.Root.Send(n.pid(upstreamsID), &actors.Placed{})
}

// View is what the node goes by; the zero View of one that is alone.
func (n *Node) View() membership.View {
	if p := n.placed.Load(); p != nil {
		return p.table.View()
	}
	return membership.View{}
}

func (n *Node) place(view membership.View) *placed {
	p := &placed{self: n.peer(), table: placement.Shards(view, actors.Shards), apart: map[link.Peer]actors.Instant{}}
	before, addresses := n.placed.Load(), map[string]string{}
	for _, m := range view.Members() {
		addresses[m.Name] = peerOf(m).Address()
		if m.State != membership.Apart {
			continue
		}
		p.apart[peerOf(m)] = n.ports.Clock.Elapsed()
		if before != nil {
			if since, was := before.apart[peerOf(m)]; was {
				p.apart[peerOf(m)] = since
			}
		}
	}
	var made []actor.PID // some at a time
	for number := range p.owners {
		p.owners[number] = n.shards[number] // where nobody is the owner, it says so, or is not there
		m, ok := p.table.Owner(number)
		if !ok || peerOf(m) == p.self {
			continue
		}
		address := addresses[m.Name]
		if before != nil && before.owners[number].GetAddress() == address { // most stay where they are
			p.owners[number] = before.owners[number]
		} else {
			if len(made) == 0 {
				made = make([]actor.PID, 32)
			}
			p.owners[number], made = &made[0], made[1:]
			p.owners[number].Address, p.owners[number].Id = address, n.shards[number].GetId()
		}
	}
	for _, m := range view.Members() {
		if m.State == membership.Down || m.Name == p.self.Node {
			continue
		}
		p.relays = append(p.relays, actor.NewPID(peerOf(m).Address(), relayID))
		p.journals = append(p.journals, actor.NewPID(peerOf(m).Address(), journalID))
	}
	n.placed.Store(p)
	return p
}

// owns says whether the shard's place is here.
func (p *placed) owns(number int) bool {
	m, ok := p.table.Owner(number)
	return ok && peerOf(m) == p.self
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

// owns says whether the shard's place is here now.
func (n *Node) owns(number int) bool {
	p := n.placed.Load()
	return p == nil || p.owns(number)
}

// holder is the shard's actor in another process that may serve it.
func (n *Node) holder(ctx context.Context, number int, node string, incarnation uint64) (*actor.PID, error) {
	return n.held(ctx, node, incarnation, shardID(number))
}

// held is the actor of that id in the process that a record names; nil: that one has
// ended. One that is later than the view knows has taken what it holds a moment ago,
// serves it, and is asked as any other; so is one that was taken for dead and is back.
func (n *Node) held(ctx context.Context, node string, incarnation uint64, id string) (*actor.PID, error) {
	if n.View().Ended(node, incarnation) {
		behind, err := n.behind(ctx, node, incarnation)
		if err != nil {
			return nil, err
		}
		if !behind && n.View().Ended(node, incarnation) {
			return nil, nil
		}
	}
	return actor.NewPID(link.Peer{Node: node, Incarnation: incarnation}.Address(), id), nil
}

// behind says whether the store has something newer of a process than what the view
// that is asked next was made of. A view is up to a second old, and older where the
// store is slow: one that was suspended and taken for dead may be back since, and have
// taken what a record names that was read just now.
func (n *Node) behind(ctx context.Context, node string, incarnation uint64) (bool, error) {
	if n.ports.Cluster == nil || node == n.ports.Node {
		return false, nil
	}
	var known membership.Record
	if records := n.records.Load(); records != nil {
		for _, r := range *records {
			if r.Name == node {
				known = r
			}
		}
	}
	if known.Incarnation > incarnation || known.Incarnation == incarnation && known.Ended {
		return false, nil // it does not come back
	}
	kept, err := n.stored.Get(ctx, actors.LeaseRecord(node))
	switch {
	case errors.Is(err, messages.ErrNotFound), errors.Is(err, messages.ErrDamaged): // no member, until it writes one
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read the lease of node %s: %w", node, err)
	}
	return kept.Revision != known.Revision, nil
}

// ended says whether the process that holds the slot has, or the slot's connection:
// one that is apart for as long as it takes a dead one's lease to run out has ended
// all that it had, and may have nobody left to tell so. Of a node that is alone:
// whoever is not this process.
func (n *Node) ended(s *messages.Slot) bool {
	if s.GetNode() == n.ports.Node {
		return s.GetIncarnation() != n.ports.Incarnation
	}
	p := n.placed.Load()
	if p == nil || p.table.View().Number() > 0 && p.table.View().Ended(s.GetNode(), s.GetIncarnation()) {
		return true
	}
	since, apart := p.apart[link.Peer{Node: s.GetNode(), Incarnation: s.GetIncarnation()}]
	return apart && n.ports.Clock.Elapsed()-since >= membership.DeadLapse
}

// doubtful says whether the process that holds the slot may have ended: it is not
// reached, or others take it for no part of the cluster.
func (n *Node) doubtful(s *messages.Slot) bool {
	peer := link.Peer{Node: s.GetNode(), Incarnation: s.GetIncarnation()}
	if n.placed.Load() == nil || peer == n.peer() {
		return false
	}
	m, ok := n.View().Member(peer.Node)
	serves := ok && peerOf(m) == peer && (m.State == membership.Core || m.State == membership.Leaving)
	return !serves || !slices.Contains(n.ports.Cluster.Peers.Up(), peer)
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

// Serving is nil while traffic should come to the node, or says in words for an
// operator why it should not. It answers at once, from any goroutine.
func (n *Node) Serving() error { return n.apart() }

// apart is why the node may own nothing and have no client. Where it may, its lease
// is live, and it belongs to the core, or gives up what it owns in order.
func (n *Node) apart() error {
	if n.placed.Load() == nil {
		return nil
	}
	if !n.own.Live() {
		why := "it could not be renewed in time"
		if w := n.unserving.Load(); w != nil && !n.own.Held() {
			why = *w
		}
		return fmt.Errorf("%w: %s", ErrLapsed, why)
	}
	view := n.View()
	m, ok := view.Member(n.ports.Node)
	switch {
	case !ok || peerOf(m) != n.peer():
		return fmt.Errorf("%w: the cluster's records do not have it", ErrApart)
	case m.State == membership.Core || m.State == membership.Leaving:
		return nil
	}
	var core []string
	for _, m := range view.Members() {
		if m.State == membership.Core {
			core = append(core, m.Name)
		}
	}
	return fmt.Errorf("%w: it does not reach, or is not reached by, all of the others that reach each other: %s", ErrApart, strings.Join(core, ", "))
}

// Drain has the node give up what it owns to the others, while its clients stay,
// or take part again. Of a node that is alone nothing comes of it.
func (n *Node) Drain(leaving bool) {
	if n.placed.Load() != nil {
		n.ports.System.Root.Send(n.pid(leaseID), &draining{leaving})
	}
}

// left has the ownership look again: the shard may have been given up on
// somebody's word who knew less.
func (n *Node) left(number int) {
	if n.placed.Load() != nil {
		n.ports.System.Root.Send(n.pid(ownershipID), &left{number})
	}
}

// turned notes that the shard is about to handle something, in which it may hang.
func (n *Node) turned(number int) {
	if n.placed.Load() != nil && !n.turns[number].Load() {
		n.turns[number].Store(true)
	}
}

func (n *Node) clusterActors() []spec {
	p := n.ports
	own := []*actor.PID{n.pid(routerID), n.pid(semanticID)}
	records := p.Work.Lease
	if records == nil {
		records = p.Work.Records
	}
	return []spec{
		{name: "lease", group: groupRouters, care: vital, props: p.Props("lease", func() actor.Actor {
			return &lease{
				node: n, clock: p.Clock, worker: records, peers: p.Cluster.Peers, own: n.own, log: p.Logger.With("actor", "lease"),
				timers: actors.NewTimers(p.Clock), ledger: membership.NewLedger(p.Node), reach: map[string]actors.Instant{},
			}
		}, stopOnFailure)},
		{name: "watchdog", group: groupQuestions, care: vital, props: p.Props("watchdog", func() actor.Actor {
			return &watchdog{
				node: n, clock: p.Clock, log: p.Logger.With("actor", "watchdog"), store: records, pool: p.Work.Records, handled: &n.handled, worked: &n.worked, timers: actors.NewTimers(p.Clock),
			}
		}, stopOnFailure)},
		{name: "ownership", group: groupQuestions, care: vital, props: p.Props("ownership", func() actor.Actor {
			return &ownership{clock: p.Clock, parent: n.pid(supervisorID), shards: n.shards[:], begun: n.begun[:], owns: n.owns, timers: actors.NewTimers(p.Clock)}
		}, stopOnFailure)},
		{name: "releases", group: groupQuestions, care: vital, props: p.Props("releases", func() actor.Actor {
			return &releases{owners: n, rare: p.Sometimes, timers: actors.NewTimers(p.Clock), open: map[string]*messages.Release{}}
		}, stopOnFailure)},
		{name: "relay", group: groupRouters, care: vital, props: p.Props("relay", func() actor.Actor {
			return &relay{routers: own, journal: n.Journal(), others: func() []*actor.PID { return n.placed.Load().journals }}
		}, stopOnFailure)},
	}
}

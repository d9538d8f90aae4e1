package assembly

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/cluster/placement"
	"github.com/birdwire/birdwire/messages"
)

// Peers is what the node's link knows of the others. link.Remote is it. Both may
// be called from any goroutine.
type Peers interface {
	Up() []link.Peer    // those with whom there is a session, by node
	Ended() []link.Peer // processes that are known to have ended, by node
}

// lease renews the node's record, reads those of the others, and makes the node's
// views of them.
//
//	apart --all is given up, the record renewed and the others' read--> held
//	held --the lease has run out, or the node makes no progress--> apart
//
// While the node is apart its record says that it is unfit, so that nobody counts
// on it. It is held again only after everything that the node owned and every
// connection that it had has ended: others may have taken them for dead.
//
// It looks at the link and the store at every tick: a message that told of a
// change could be lost, and 500 ms late is soon enough. One look is under way at a
// time. A restart begins apart.
type lease struct {
	node   *Node
	clock  actors.Clock
	worker actors.Worker
	peers  Peers
	own    *membership.Own
	log    *slog.Logger
	timers actors.Timers
	ledger *membership.Ledger

	written *messages.Lease // the record as this instance wrote it last; nil: it has not
	wroteAt actors.Instant  // when that write began
	readAt  actors.Instant  // when the newest reading that counts began
	apartAt actors.Instant  // since when it is not held
	fitAt   actors.Instant  // since when the record says that it may be; while it is apart
	looking bool            // a worker has the record
	doubt   bool            // a write of it has failed since: the store may have it, or have it later
	failing bool            // the last look failed
	leaving bool
	without string                    // what has hung here, by name
	stuck   string                    // why the node makes no progress; "" where it does
	gone    bool                      // another process has the node's name
	reach   map[string]actors.Instant // by node: when it was seen up last
	giving  map[string]bool           // actors that have yet to give up what they own
	round   uint64                    // of giving up
	askedAt actors.Instant            // when they were asked last
	number  uint64                    // of the newest view
}

type (
	leaseTime struct{ of *lease }
	// giveUp asks an actor for the end of all that it owns. It answers gaveUp.
	giveUp struct{ round uint64 }
	gaveUp struct {
		round uint64
		who   string
	}
	// progressing: the node makes progress, or does not and why.
	progressing struct{ stuck string }
	// hangs: what there is one of in the cluster does, here, by name; "": not any more.
	hangs    struct{ name string }
	draining struct{ leaving bool }
)

const (
	lookEvery   = 500 * time.Millisecond
	lookTime    = 5 * time.Second // for one look at the store
	giveUpAgain = 2 * time.Second
	// seenAfter is how long the record says that the node is fit before it takes
	// part: others that have begun at the same time are then seen in its first
	// view, and nothing moves twice.
	seenAfter = 2 * lookEvery
	// settleFor is how long a node that has started or parted stays unfit: its
	// sessions with all others are there by then. Without it, it would displace
	// one that is well for as long as the two do not reach each other yet.
	settleFor = time.Second
	// missedFor is how long a peer counts as reached after its session has ended:
	// one that was reset is back by then.
	missedFor     = time.Second
	detailSettles = "it has just started, or come back, and makes its links"
	detailGiving  = "it has yet to give up what it owned before: "
)

func (l *lease) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		l.begin(ctx)
	case *actor.Stopping, *actor.Restarting:
		l.timers.Stop()
	case *leaseTime:
		if m.of == l {
			l.tick(ctx)
		}
	case *looked:
		if m.of == l {
			l.looked(ctx, m)
		}
	case *gaveUp:
		l.given(m.round, m.who)
	case *actors.GivenUp:
		who := upstreamsID
		if m.Name == NewsdeskName {
			who = newsdeskID
		}
		l.given(m.Round, who)
	case *progressing:
		l.stuck = m.stuck
		if m.stuck != "" {
			l.part(ctx, m.stuck)
		}
		l.look(ctx)
	case *hangs:
		l.without = m.name
		l.look(ctx)
	case *messages.DrainNode:
		l.drain(ctx)
	case *messages.ListConnections:
		if list := l.node.ports.Cluster.Connections; list != nil {
			ctx.Respond(list(m))
		}
	case *messages.CloseConnection:
		ctx.Respond(&messages.ConnectionClosed{Found: l.node.EndConnection(m.GetId())})
	case *draining:
		l.leaving = m.leaving
		l.look(ctx)
	case *forget:
		l.forget(ctx, m)
	case *forgot:
		l.forgot(ctx, m)
	case *actors.WorkPanicked:
		l.looking = false
	}
}

// begin is a start, or a restart: what was held before is not known to be.
func (l *lease) begin(ctx actor.Context) {
	l.number = l.node.View().Number()
	l.own.Hold()
	l.part(ctx, "it has just started")
	l.tick(ctx)
}

func (l *lease) tick(ctx actor.Context) {
	l.timers.Set(leaseTime{}, lookEvery, ctx.Self(), &leaseTime{l})
	l.check(ctx)
	for _, p := range l.peers.Ended() {
		l.ledger.Ended(p.Node, p.Incarnation)
	}
	if len(l.giving) > 0 && l.clock.Elapsed()-l.askedAt >= giveUpAgain {
		l.askGiving(ctx)
	}
	l.see()
	l.look(ctx)
}

// check comes before anything is made of what has arrived: a process that was
// suspended wakes with answers from before.
func (l *lease) check(ctx actor.Context) {
	if l.own.Held() && !l.own.Current() {
		l.part(ctx, fmt.Sprintf("its lease could not be renewed for %v", membership.OwnLapse))
	}
}

// part has the node give up everything.
func (l *lease) part(ctx actor.Context, why string) {
	l.node.unserving.Store(&why)
	if !l.own.Held() {
		return
	}
	l.own.GiveUp()
	l.apartAt = l.clock.Elapsed()
	l.round++
	l.giving = map[string]bool{}
	for _, id := range givers {
		l.giving[id] = true
	}
	members := slices.Clone(l.node.View().Members())
	for i := range members {
		if members[i].Name == l.node.ports.Node {
			members[i].State = membership.Apart
		}
	}
	l.number++
	l.node.setView(membership.NewView(l.number, members...))
	l.askGiving(ctx)
}

// givers are the actors that own something by the lease.
var givers = []string{supervisorID, ownershipID, upstreamsID, newsdeskID}

func (l *lease) askGiving(ctx actor.Context) {
	l.askedAt = l.clock.Elapsed()
	for _, id := range givers {
		switch {
		case !l.giving[id]:
		case id == upstreamsID, id == newsdeskID:
			ctx.Request(l.node.pid(id), &actors.GiveUp{Round: l.round})
		default:
			ctx.Request(l.node.pid(id), &giveUp{l.round})
		}
	}
}

func (l *lease) given(round uint64, who string) {
	if round == l.round {
		delete(l.giving, who)
		l.see()
	}
}

// unfit is what the record says.
func (l *lease) unfit() string {
	switch {
	case l.stuck != "":
		return l.stuck
	case len(l.giving) > 0:
		var left []string
		for _, id := range givers {
			if l.giving[id] {
				left = append(left, id)
			}
		}
		return detailGiving + strings.Join(left, ", ")
	case !l.own.Held() && l.clock.Elapsed()-l.apartAt < settleFor:
		return detailSettles
	}
	return ""
}

// look has the store asked: for the others' records, and where it is time or
// something has changed, for the renewal of the node's own.
func (l *lease) look(ctx actor.Context) {
	if l.looking || l.gone {
		return
	}
	p := l.node.ports
	record := &messages.Lease{
		Node: p.Node, Incarnation: p.Incarnation, Version: p.Cluster.Version, Leaving: l.leaving, Unfit: l.unfit(), Without: l.without, Renewals: l.written.GetRenewals() + 1,
	}
	record.Reaches = l.reached()
	if l.clock.Elapsed()-l.wroteAt < membership.RenewEvery && !l.doubt && same(record, l.written) {
		record = nil
	}
	l.doubt = l.doubt || record != nil
	l.looking = l.worker.Do(ctx.Self(), lookTime, looking(l, record))
}

// reached are the nodes that were up until a moment ago, by name.
func (l *lease) reached() (names []string) {
	now := l.clock.Elapsed()
	for _, peer := range l.peers.Up() {
		l.reach[peer.Node] = now
	}
	for _, peer := range l.peers.Ended() {
		if !slices.ContainsFunc(l.peers.Up(), func(p link.Peer) bool { return p.Node == peer.Node }) {
			delete(l.reach, peer.Node)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.reach)) {
		if now-l.reach[name] > missedFor {
			delete(l.reach, name)
			continue
		}
		names = append(names, name)
	}
	return names
}

func same(a, b *messages.Lease) bool {
	return b != nil && a.GetLeaving() == b.GetLeaving() && a.GetUnfit() == b.GetUnfit() && a.GetWithout() == b.GetWithout() && slices.Equal(a.GetReaches(), b.GetReaches())
}

func (l *lease) looked(ctx actor.Context, m *looked) {
	l.looking = false
	l.check(ctx)
	if m.wrote != nil {
		if l.written == nil || l.written.GetUnfit() != "" && m.wrote.GetUnfit() == "" {
			l.fitAt = m.began
		}
		l.written, l.wroteAt, l.doubt = m.wrote, m.began, false
		l.own.Renewed(m.began)
		l.ledger.Wrote(m.revision)
	}
	if m.replaced {
		l.gone = true
		l.part(ctx, "another process has its name")
		l.node.ports.Failed(fmt.Errorf("a later process of node %s has started: two must not run under one name", l.node.ports.Node))
		return
	}
	if failing := m.err != nil; failing != l.failing {
		l.failing = failing
		l.log.Warn("the cluster's records", "readable", !failing, "error", m.err)
	}
	if m.err == nil && l.ledger.Read(m.reading) {
		l.readAt = m.reading.Began
		l.node.readAt.Store(int64(m.reading.Ended))
		for _, p := range l.peers.Ended() {
			l.ledger.Ended(p.Node, p.Incarnation)
		}
	}
	l.see()
}

// see makes the node's view of what is known now.
func (l *lease) see() {
	records := l.ledger.Records()
	said := slices.Clone(records)
	defer l.node.records.Store(&said) // after the view: who finds a revision there finds the view that it made, see Node.behind
	hold := false
	for i := range records {
		r := &records[i]
		if r.Name != l.node.ports.Node || l.own.Held() {
			continue
		}
		if hold = l.mayHold(r); !hold {
			r.Unfit, r.Lapsed = "apart", false
		}
	}
	view := placement.View(l.number+1, records)
	if len(records) == 0 || !hold && slices.Equal(view.Members(), l.node.View().Members()) {
		return
	}
	if hold {
		l.own.Hold()
	}
	l.number++
	l.node.setView(view)
}

// drain passes on what an operator has asked another node for. The word is for this
// process alone: its address has the incarnation.
func (l *lease) drain(ctx actor.Context) {
	if begin := l.node.ports.Cluster.Drain; begin != nil {
		begin()
		ctx.Respond(&messages.NodeDrains{})
	}
}

// mayHold says whether the lease may be held again: nothing is left of before, and
// the record, as it was read since, says so to all.
func (l *lease) mayHold(own *membership.Record) bool {
	return len(l.giving) == 0 && l.stuck == "" && !l.gone && l.readAt >= max(l.apartAt, l.fitAt+seenAfter) && l.own.Current() &&
		own.Incarnation == l.node.ports.Incarnation && own.Unfit == "" && !own.Lapsed
}

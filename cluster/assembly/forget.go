package assembly

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/membership"
	"github.com/birdwire/birdwire/messages"
)

// Why a member is not forgotten.
var (
	// ErrNoMember: the cluster's records have none of that name.
	ErrNoMember = errors.New("no member of the cluster has that name")
	// ErrAlive: its process is there, or may be.
	ErrAlive = errors.New("the member may be alive")
	// ErrNotServing: the node that was asked is apart itself, and cannot know.
	ErrNotServing = errors.New("this node does not serve: ask another one")
)

// Forget takes a member that is down for good out of the cluster, so that the others
// have its part dealt out among them. Until then they keep it only for as long as it
// takes to come back. done is called once, from an actor's turn, with nil where it is
// out, else with one of the errors above, or the store's.
//
// A process that is alive is never taken out: the record has to have lapsed, nobody may
// reach the process, and the record is deleted only as it was when that was seen; a
// process that is there after all writes it again, and is a member as one that is new.
// Of a node that is alone there is nobody to forget.
func (n *Node) Forget(name string, done func(error)) {
	if n.placed.Load() == nil {
		done(fmt.Errorf("forget %s: %w", name, ErrNoMember))
		return
	}
	n.ports.System.Root.Send(n.pid(leaseID), &forget{name, done})
}

type (
	forget struct {
		name string
		done func(error)
	}
	forgot struct {
		*forget
		err error
	}
)

func (l *lease) forget(ctx actor.Context, m *forget) {
	revision := l.ledger.Revision(m.name)
	if err := l.mayForget(m.name); err != nil {
		m.done(fmt.Errorf("forget %s: %w", m.name, err))
		return
	}
	records := l.node.ports.Store.Control()
	if !l.worker.Do(ctx.Self(), lookTime, func(c context.Context) any {
		return &forgot{m, records.Delete(c, actors.LeaseRecord(m.name), revision)}
	}) {
		m.done(fmt.Errorf("forget %s: too much is asked of the store: try again", m.name))
	}
}

// mayForget is nil where the member's process has ended, as far as anybody knows.
func (l *lease) mayForget(name string) error {
	records := l.ledger.Records()
	i := slices.IndexFunc(records, func(r membership.Record) bool { return r.Name == name })
	switch {
	case l.node.apart() != nil:
		return ErrNotServing
	case i < 0:
		return ErrNoMember
	case !records[i].Lapsed:
		return fmt.Errorf("%w: it renews its lease, or did until a moment ago", ErrAlive)
	case slices.ContainsFunc(l.peers.Up(), func(p link.Peer) bool { return p.Node == name }):
		return fmt.Errorf("%w: this node reaches it", ErrAlive)
	}
	for _, r := range records {
		if !r.Lapsed && slices.Contains(r.Reaches, name) {
			return fmt.Errorf("%w: %s reaches it", ErrAlive, r.Name)
		}
	}
	return nil
}

func (l *lease) forgot(ctx actor.Context, m *forgot) {
	switch {
	case m.err == nil, errors.Is(m.err, messages.ErrNotFound):
		l.log.Warn("a member was taken out of the cluster: what it kept is dealt out again", "member", m.name)
		m.done(nil)
		l.look(ctx)
	case errors.Is(m.err, messages.ErrConflict):
		m.done(fmt.Errorf("forget %s: %w: it has just renewed its lease", m.name, ErrAlive))
	default:
		m.done(fmt.Errorf("forget %s: %w", m.name, m.err))
	}
}

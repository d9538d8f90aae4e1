package router

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// This file is the router's side of the conversation with followers: see
// actors/engine/follow for theirs.
//
// What a follower is sent is numbered by the position that it tells up to, and names the
// number of what it was sent before. So a message that was lost is noticed with
// the next one, or with Through, and those who want the same still share one.

// join takes a follower's filters from the next event on. One that comes again
// is answered again; one that was overtaken by a later one is not answered.
func (r *router) join(ctx actor.Context, m *messages.Join) {
	sub := r.state.subscriptions.connections[m.GetConnectionId()]
	if sub != nil && m.GetJoin() < sub.join {
		return
	}
	if sub != nil && m.GetJoin() != 0 && (m.GetJoin() == sub.join || m.GetQuery() != nil && m.GetQuery() == sub.query) {
		sub.join = m.GetJoin() // asked for again, or joined again with what it has
		ctx.Respond(r.joinedOf(sub))
		return
	}
	if !r.overtakes(ctx, m) {
		return
	}
	if wait, detail := r.afford(sub, m); wait > 0 {
		ctx.Respond(&messages.JoinRefused{
			Join: m.GetJoin(), Again: sub == nil, Detail: detail, RetryAfterMs: wait.Milliseconds() + 1,
		})
		return
	}
	r.submit(ctx, &change{
		line: "connection/" + m.GetConnectionId(), sender: ctx.Sender(), join: m, queries: []*messages.Query{m.GetQuery()},
	})
}

// overtakes forgets the Joins of the connection that are on their way and not
// wanted any more. False: the one on its way is this one, or a later one.
func (r *router) overtakes(ctx actor.Context, m *messages.Join) bool {
	line := "connection/" + m.GetConnectionId()
	for _, c := range r.lines[line] {
		if m.GetJoin() != 0 && m.GetJoin() <= c.join.GetJoin() {
			return false
		}
	}
	r.drop(ctx, line, func(*change) bool { return true })
	return true
}

// afford pays for a Join out of the connection's budget and its key's, or says
// how long to wait. A connection that has subscribed keeps what it has; one
// that has nothing yet waits.
func (r *router) afford(sub *subscriber, m *messages.Join) (wait time.Duration, detail string) {
	cost, now := float64(joinCost+termsOf(m.GetQuery())), r.cfg.Clock.Elapsed()
	if sub != nil {
		if wait := sub.budget.take(cost, connectionBurst, connectionRate, now); wait > 0 {
			return wait, fmt.Sprintf("too many or too large subscriptions on this connection: try again in %.1f s", wait.Seconds())
		}
	}
	if m.GetKeyId() == "" {
		return 0, ""
	}
	if wait := r.budgets.of(m.GetKeyId(), now).take(cost, keyBurst, keyRate, now); wait > 0 {
		if sub != nil {
			sub.budget.giveBack(cost)
		}
		return wait, fmt.Sprintf("too many or too large subscriptions with this key: try again in %.1f s", wait.Seconds())
	}
	return 0, ""
}

// joins commits a Join: from here on its query decides what the connection is
// sent, and the one before it does not.
func (r *router) joins(ctx actor.Context, c *change) {
	m := c.join
	if detail := c.prepared[0].refused; detail != "" {
		r.answer(ctx, c, &messages.JoinRefused{Detail: detail, Join: m.GetJoin()})
		return
	}
	sub, first := r.state.subscriptions.subscribe(r.state.index, m, actors.Referred(m.GetConnection(), c.sender), c.ids[0])
	delete(r.state.unowned, c.ids[0])
	if first {
		sub.newest = uint64(r.state.through())
	}
	r.answer(ctx, c, r.joinedOf(sub))
	r.merge(ctx)
}

func (r *router) joinedOf(sub *subscriber) *messages.Joined {
	return &messages.Joined{Position: uint64(r.state.through()), Number: sub.newest, Join: sub.join}
}

// leave forgets a follower, unless it has joined again since. It says so
// itself when it ends, also after a failure; watching each of them would cost
// more memory than they have.
func (r *router) leave(ctx actor.Context, m *messages.Leave) {
	left := &messages.Left{Join: m.GetJoin()}
	r.drop(ctx, "connection/"+m.GetConnectionId(), func(c *change) bool {
		return m.GetJoin() == 0 || m.GetJoin() >= c.join.GetJoin()
	})
	sub := r.state.subscriptions.connections[m.GetConnectionId()]
	if sub != nil && (m.GetJoin() == 0 || m.GetJoin() >= sub.join) {
		if m.GetJoin() == sub.join {
			left.Position, left.Number = uint64(r.state.through()), sub.newest
		}
		r.state.subscriptions.leave(r.state.index, m.GetConnectionId())
	}
	if ctx.Sender() != nil {
		ctx.Respond(left)
	}
}

// askThrough answers after all deliveries sent so far. A key asks in its
// shard's name, so that the answer goes the way that Matched goes and does not
// overtake it.
func (r *router) askThrough(ctx actor.Context, m *messages.AskThrough) {
	if m.GetConnectionId() == "" {
		if key := r.state.subscriptions.key(m.GetKeyId()); key != nil {
			ctx.Respond(r.throughOfKey(key))
			return
		}
		ctx.Respond(&messages.Through{KeyId: m.GetKeyId(), Position: uint64(r.state.through())})
		return
	}
	sub := r.state.subscriptions.connections[m.GetConnectionId()]
	switch {
	case sub == nil || m.GetJoin() > sub.join:
		ctx.Respond(&messages.Rejoin{Join: m.GetJoin()})
	case m.GetJoin() == sub.join:
		ctx.Respond(r.throughOf(sub))
	}
}

func (r *router) throughOf(sub *subscriber) *messages.Through {
	return &messages.Through{ConnectionId: sub.id, Position: uint64(r.state.through()), Number: sub.newest, Join: sub.join}
}

func (r *router) throughOfKey(key *keyed) *messages.Through {
	return &messages.Through{
		KeyId: key.id, Position: uint64(r.state.through()), Number: key.number, Numbering: key.numbering,
	}
}

// missed: what is at or before the end of the frame at sequence was not, or
// not wholly, handed on. Everybody's numbers go on as if it had been, and they
// are told so: who finds something missing reads it from the log, and what the
// log does not have they meet there.
func (r *router) missed(ctx actor.Context, sequence uint64) {
	for _, sub := range sortedBy(r.state.subscriptions.connections) {
		sub.mask, sub.special, sub.newest = mask{}, nil, uint64(messages.EndOf(sequence))
		ctx.Send(sub.pid, r.throughOf(sub))
	}
	for _, key := range r.state.subscriptions.everyKey() {
		key.hits = nil
		key.number++
		ctx.Send(r.cfg.Owners.Owner(key.id), r.throughOfKey(key))
	}
}

// sortedBy lists what is in m by id, so that what is sent to them is sent in
// an order that does not depend on the map.
func sortedBy[T any](m map[string]T) []T {
	ids := slices.SortedFunc(maps.Keys(m), strings.Compare)
	all := make([]T, len(ids))
	for i, id := range ids {
		all[i] = m[id]
	}
	return all
}

package apikey

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/messages"
)

// askAgain comes when the router has been silent.
type askAgain struct{ of *key }

// matched turns one frame's hits into one message to all connections.
func (k *key) matched(ctx actor.Context, m *messages.Matched) {
	switch {
	case actors.ShardTerm(m.GetTerm()) != actors.ShardTerm(k.stream.Term()):
		k.cfg.Count("matched_stray") // it was put by an owner before, or by one after
		return
	case !k.live():
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.Term()})
		return
	case !k.cfg.Lease.Live():
		k.cfg.Count("matched_unleased")
		k.timers.Set(unleasedTime{}, unleasedWait, k.self, &unleasedTime{k})
		return
	}
	hits, out := k.stream.Matched(m)
	k.follow(ctx, out)
	now := k.cfg.Clock.Now().UnixMilli()
	deliveries, touched, stale := k.deliveriesOf(hits, now)
	if len(stale) > 0 {
		k.tellRouter(ctx, &messages.PutQueries{KeyId: k.id, Term: k.stream.Term(), Remove: stale})
	}
	if len(deliveries) == 0 {
		return
	}
	message := k.stream.Deliver(deliveries, m.GetBytes())
	for _, member := range k.stream.Members() {
		ctx.Send(member.To.(*actor.PID), message)
	}
	k.delivered(ctx)
	k.count(ctx, touched, now)
}

// unleasedWait is how long what was matched without a lease waits to be looked for: the
// stream sees that something is missing only with the next word of the router, and on a
// quiet log that is minutes.
const unleasedWait = time.Second

type unleasedTime struct{ of *key }

// unleased has the router say how far it is, once there is a lease again.
func (k *key) unleased(ctx actor.Context) {
	if !k.cfg.Lease.Live() {
		k.timers.Set(unleasedTime{}, unleasedWait, k.self, &unleasedTime{k})
		return
	}
	k.follow(ctx, k.stream.ProveAll())
}

// deliveriesOf also returns the parts that were hit, with the events in hits,
// and the versions that the router should not have any more: their removal was
// lost, or is on its way.
func (k *key) deliveriesOf(hits []*messages.Hit, now int64) (ds []*messages.Delivery, touched []*part, stale []*messages.QueryName) {
	if len(hits) == 0 {
		return nil, nil, nil
	}
	k.hitAt = k.cfg.Clock.Elapsed()
	ds = make([]*messages.Delivery, 0, len(hits)) // mostly one query of the key matches an event
	set, status := k.changes.Set, history.NoConnection
	if k.stream.Joined() {
		status = history.Delivered
	}
	for _, hit := range hits {
		k.record.Begins(messages.Position(hit.GetPosition()))
		for i, number := range hit.GetK() {
			version := hit.GetVersion()[i]
			origin, verdict := set.Decide(number, version, hit.GetPosition())
			if verdict == definitions.Stale {
				stale = append(stale, &messages.QueryName{K: number, Version: version})
			}
			if verdict != definitions.Deliver {
				continue
			}
			d := &messages.Delivery{Position: hit.GetPosition(), K: number, Event: hit.GetEvent(), Origin: origin}
			ds = append(ds, d)
			p := k.parts.byK[number]
			if p == nil {
				continue // it was deleted since
			}
			k.record.Add(number, history.NewEntry(messages.Position(hit.GetPosition()), hit.GetEvent(), origin, now, status))
			if len(p.hits) == 0 {
				touched = append(touched, p)
			}
			p.hits = append(p.hits, hit.GetEvent())
		}
	}
	return ds, touched, stale
}

// through is the router's word on how far it is. From before it had the queries
// of this instance it proves nothing: what would have matched since is nowhere.
func (k *key) through(ctx actor.Context, m *messages.Through) {
	if k.synced && messages.Position(m.GetPosition()) >= k.from {
		k.follow(ctx, k.stream.Through(m))
	}
}

// sync: the router has the key's queries. Whoever asked before is answered now.
func (k *key) sync(ctx actor.Context, from messages.Position) {
	if !k.synced {
		k.synced, k.from = true, from
		k.follow(ctx, k.stream.Again())
	}
}

// join registers the connection after the router's answer, so that it begins
// at the log's head and not where something last matched.
func (k *key) join(ctx actor.Context, m *messages.Join) {
	at := actors.Referred(m.GetConnection(), ctx.Sender())
	switch {
	case k.changes.Key != nil && !k.live():
		ctx.Send(at, &messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"})
	case k.guests.Of(m.GetConnectionId()) == nil:
		k.respond(ctx, &messages.JoinRefused{Join: m.GetJoin(), Detail: "the connection has no slot of the key: connect again"})
	default:
		k.follow(ctx, k.stream.Join(m, ctx.Sender(), at))
	}
}

func (k *key) askAgain(ctx actor.Context, m *askAgain) {
	if m.of == k {
		k.follow(ctx, k.stream.Again())
	}
}

// serveStream answers what concerns the stream.
func (k *key) serveStream(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Matched, *messages.Through:
		k.routed(ctx, m)
	case *messages.AskThrough:
		k.follow(ctx, k.stream.AskThrough(m, ctx.Sender()))
	case *messages.Join:
		k.join(ctx, m)
	case *messages.Leave:
		k.leave(ctx, m)
	case *messages.AskQueries:
		k.follow(ctx, k.stream.AskQueries(m, ctx.Sender()))
	}
}

func (k *key) leave(ctx actor.Context, m *messages.Leave) {
	var to any
	if ctx.Sender() != nil {
		to = ctx.Sender()
	}
	k.follow(ctx, k.stream.Leave(m, to))
}

// follow does what the stream says.
func (k *key) follow(ctx actor.Context, out []stream.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case stream.Tell:
			k.tellFollower(ctx, o.To, o.Message)
		case stream.TellQueries:
			k.tellFollower(ctx, o.To, k.queries(o))
		case stream.AskRouter:
			k.tellRouter(ctx, &messages.AskThrough{KeyId: k.id})
			k.timers.Set(askAgain{}, k.cfg.AnswerWithin, k.self, &askAgain{k})
		case stream.Answered:
			k.timers.Cancel(askAgain{})
		case stream.LostMatched:
			k.cfg.Count("matched_lost")
			k.log.Warn("a message of the router was lost; the key's connections read the log", "seen", o.Seen, "sent", o.Sent)
		}
	}
}

// queries are those that decide the events of a replay, as far as the router's
// word reaches.
func (k *key) queries(o stream.TellQueries) *messages.Queries {
	answer := &messages.Queries{Ask: o.Ask.GetAsk(), Position: uint64(o.Position), Since: k.changes.Set.Since()}
	if k.live() {
		answer.Queries = k.changes.Set.Queries(o.Ask.GetFrom(), uint64(o.Position))
	}
	return answer
}

// tellFollower sends to a connection that has asked; it may have ended since.
func (k *key) tellFollower(ctx actor.Context, to, message any) {
	if pid, ok := to.(*actor.PID); ok && pid != nil {
		ctx.Send(pid, message)
	}
}

package apikey

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/messages"
)

// askAgain comes when the router has been silent.
type askAgain struct{ of *key }

// matched turns one frame's hits into one message to all connections.
func (k *key) matched(ctx actor.Context, m *messages.Matched) {
	if !k.live() {
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.Term()})
		return
	}
	hits, out := k.stream.Matched(m)
	k.follow(ctx, out)
	deliveries, touched, stale := k.deliveriesOf(hits)
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
	k.count(ctx, touched)
}

// deliveriesOf also returns the standings that were hit, with the events in
// s.hits, and the numbers of queries that should not have matched: those of
// rules deleted or paused, whose removal the router has not heard of or lost.
func (k *key) deliveriesOf(hits []*messages.Hit) (ds []*messages.Delivery, touched []*standing, stale []*messages.QueryName) {
	connected := k.stream.Joined()
	now := k.cfg.Clock.Now()
	for _, hit := range hits {
		p := messages.Position(hit.GetPosition())
		k.hitAt = k.cfg.Clock.Elapsed()
		k.history.begins(p)
		last := uint32(0)
		for i, number := range hit.GetK() {
			name := &messages.QueryName{K: number, Version: hit.GetVersion()[i]}
			s := k.standing.byK[number]
			if s == nil || s.at(name.GetVersion()) == nil {
				stale = append(stale, name)
				continue
			}
			if p <= messages.Position(s.definition().After()) || number == last {
				continue
			}
			last = number
			d := &messages.Delivery{Position: hit.GetPosition(), K: number, Event: hit.GetEvent(), Origin: s.at(name.GetVersion()).origin}
			ds = append(ds, d)
			s.log.add(logged{delivery: d, at: now, status: statusOf(connected)})
			if len(s.hits) == 0 {
				touched = append(touched, s)
			}
			s.hits = append(s.hits, hit.GetEvent())
		}
	}
	return ds, touched, stale
}

// join registers the connection after the router's answer, so that it begins
// at the log's head and not where something last matched.
func (k *key) join(ctx actor.Context, m *messages.Join) {
	at := actor.NewPID(m.GetConnection().GetAddress(), m.GetConnection().GetId())
	switch {
	case k.record != nil && !k.live():
		ctx.Send(at, &messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"})
	case k.slotOf(m.GetConnectionId()) == nil:
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
	case *messages.Matched:
		k.matched(ctx, m)
	case *messages.Through:
		k.follow(ctx, k.stream.Through(m))
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
			k.tellFollower(ctx, o.To, &messages.Queries{Ask: o.Ask.GetAsk(), Position: uint64(o.Position), Queries: k.queries()})
		case stream.AskRouter:
			k.tellRouter(ctx, &messages.AskThrough{KeyId: k.id})
			k.stopAsking = k.cfg.Clock.After(k.cfg.AnswerWithin, ctx.Self(), &askAgain{k})
		case stream.Answered:
			if k.stopAsking != nil {
				k.stopAsking()
				k.stopAsking = nil
			}
		case stream.LostMatched:
			k.cfg.Count("matched_lost")
			k.log.Warn("a message of the router was lost; the key's connections read the log", "seen", o.Seen, "sent", o.Sent)
		}
	}
}

// tellFollower sends to a connection that has asked; it may have ended since.
func (k *key) tellFollower(ctx actor.Context, to, message any) {
	if pid, ok := to.(*actor.PID); ok && pid != nil {
		ctx.Send(pid, message)
	}
}

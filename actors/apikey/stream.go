package apikey

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// stream is the funnel: what the router has matched becomes deliveries, in log
// order, to all of the key's connections.
type stream struct {
	term       uint64
	number     uint64            // of the newest Deliveries
	position   messages.Position // everything matched at or before it was sent
	matched    uint64            // number of the newest Matched; 0: none seen yet
	hitAt      time.Time         // when something last matched
	joined     []*joined         // in order of joining; at most the key's connections
	joining    []*joined         // waiting for a position
	through    []*asking         // waiting for one too; at most one a connection
	asked      bool              // the router was, and has not answered
	stopAsking func()            // the timer of that
}

// askAgain comes when the router has been silent.
type askAgain struct{ of *key }

type joined struct {
	connection string
	pid        *actor.PID // deliveries go here
	sender     *actor.PID // of Join
}

type asking struct {
	connection string
	sender     *actor.PID
}

func (s *stream) find(connection string) *joined {
	for _, j := range s.joined {
		if j.connection == connection {
			return j
		}
	}
	return nil
}

func (s *stream) leave(connection string) {
	s.joined = slices.DeleteFunc(s.joined, func(j *joined) bool { return j.connection == connection })
	s.joining = slices.DeleteFunc(s.joining, func(j *joined) bool { return j.connection == connection })
	s.through = slices.DeleteFunc(s.through, func(a *asking) bool { return a.connection == connection })
}

// matched turns one frame's hits into one message to all connections.
func (k *key) matched(ctx actor.Context, m *messages.Matched) {
	if !k.live() {
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.term})
		return
	}
	if m.GetNumber() != 0 {
		k.checkNumber(ctx, m.GetNumber()-1)
		k.stream.matched = m.GetNumber()
	}
	deliveries, touched, stale := k.deliveriesOf(m.GetHits())
	if len(stale) > 0 {
		k.tellRouter(ctx, &messages.PutQueries{KeyId: k.id, Term: k.stream.term, Remove: stale})
	}
	if len(deliveries) == 0 {
		return
	}
	k.stream.number++
	message := &messages.Deliveries{Term: k.stream.term, Number: k.stream.number, Deliveries: deliveries, Bytes: m.GetBytes()}
	for _, j := range k.stream.joined {
		ctx.Send(j.pid, message)
	}
	k.count(ctx, touched)
}

// deliveriesOf also returns the standings that were hit, with the events in
// s.hits, and the numbers of queries that should not have matched: those of
// rules deleted or paused, whose removal the router has not heard of or lost.
func (k *key) deliveriesOf(hits []*messages.Hit) (ds []*messages.Delivery, touched []*standing, stale []*messages.QueryName) {
	connected := len(k.stream.joined) > 0
	now := k.cfg.Clock.Now()
	for _, hit := range hits {
		p := messages.Position(hit.GetPosition())
		if p <= k.stream.position {
			continue // had already
		}
		k.stream.position, k.stream.hitAt = p, now
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

// checkNumber: before is the number of Matched that should have come so far. If
// one was lost the log has it: connections read from where they stand.
func (k *key) checkNumber(ctx actor.Context, before uint64) {
	if k.stream.matched == 0 || k.stream.matched == before {
		return
	}
	k.cfg.Count("matched_lost")
	k.log.Warn("a message of the router was lost; the key's connections read the log", "seen", k.stream.matched, "sent", before)
	all := k.stream.joined
	k.stream.joined, k.stream.through = nil, nil
	for _, j := range all {
		ctx.Send(j.pid, &messages.Rejoin{})
	}
}

// join registers the connection behind the router's answer, so that it begins
// at the log's head and not where something last matched.
func (k *key) join(ctx actor.Context, m *messages.Join) {
	pid := actor.NewPID(m.GetConnection().GetAddress(), m.GetConnection().GetId())
	switch {
	case k.record != nil && !k.live():
		ctx.Send(pid, &messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"})
		return
	case k.slotOf(m.GetConnectionId()) == nil:
		k.respond(ctx, &messages.JoinRefused{Detail: "the connection has no slot of the key: connect again"})
		return
	}
	k.stream.leave(m.GetConnectionId())
	k.stream.joining = append(k.stream.joining, &joined{connection: m.GetConnectionId(), pid: pid, sender: ctx.Sender()})
	k.askRouter(ctx)
}

func (k *key) askThrough(ctx actor.Context, m *messages.AskThrough) {
	id := m.GetConnectionId()
	if k.stream.find(id) == nil {
		if !slices.ContainsFunc(k.stream.joining, func(j *joined) bool { return j.connection == id }) {
			k.respond(ctx, &messages.Rejoin{}) // joined to an instance before this one
		}
		return
	}
	if !slices.ContainsFunc(k.stream.through, func(a *asking) bool { return a.connection == id }) {
		k.stream.through = append(k.stream.through, &asking{id, ctx.Sender()})
	}
	k.askRouter(ctx)
}

// askRouter asks up to where everything is matched; whoever asks meanwhile is
// served by the same answer.
func (k *key) askRouter(ctx actor.Context) {
	if k.stream.asked {
		return
	}
	k.stream.asked = true
	k.tellRouter(ctx, &messages.AskThrough{KeyId: k.id})
	k.stream.stopAsking = k.cfg.Clock.After(k.cfg.AnswerWithin, ctx.Self(), &askAgain{k})
}

func (k *key) askAgain(ctx actor.Context, m *askAgain) {
	if m.of == k {
		k.stream.asked = false
		k.askRouter(ctx)
	}
}

// through came behind every Matched up to its position.
func (k *key) through(ctx actor.Context, m *messages.Through) {
	s := &k.stream
	if m.GetNumber() != 0 {
		k.checkNumber(ctx, m.GetNumber())
		s.matched = m.GetNumber()
	}
	if s.asked {
		s.asked = false
		s.stopAsking()
	}
	s.position = max(s.position, messages.Position(m.GetPosition()))
	joining, through := s.joining, s.through
	s.joining, s.through = nil, nil
	for _, j := range joining {
		s.joined = append(s.joined, j)
		ctx.Send(j.sender, &messages.Joined{Position: uint64(s.position), Term: s.term, Number: s.number})
	}
	for _, a := range through {
		ctx.Send(a.sender, &messages.Through{ConnectionId: a.connection, KeyId: k.id, Position: uint64(s.position)})
	}
}

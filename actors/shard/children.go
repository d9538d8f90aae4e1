package shard

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// child is one key's actor.
type child struct {
	keyID   string
	pid     *actor.PID
	budget  actors.Budget
	asked   uint64 // the StopIfIdle under way; 0 once anything was handed on since
	stopped bool   // its budget is spent
}

// cooling is a key whose actor was stopped: it is not started before until.
type cooling struct {
	until actors.Instant
	wait  time.Duration
}

const (
	coolFirst = time.Second
	coolMost  = time.Minute
)

// route hands a message on to its key's actor, which is started if need be.
func (s *shard) route(ctx actor.Context) {
	keyID, ok := keyOf(ctx.Message())
	if !ok {
		return
	}
	if !actors.ValidID(keyID) || actors.ShardOf(keyID) != s.number {
		s.misrouted(ctx, keyID)
		return
	}
	if s.forward(ctx, keyID) {
		return
	}
	if s.guessed(ctx.Message(), keyID) {
		ctx.Respond(unknownKey)
		return
	}
	if detail := s.start(ctx, keyID); detail != "" {
		actors.Present(ctx).Refuse(ctx, detail)
		return
	}
	s.forward(ctx, keyID)
}

// guessed says whether a client presents a key that there is not. It is told
// so here: an actor and a reading of the store for each guess would be work
// that anybody can make, and would take the places of keys that there are.
func (s *shard) guessed(message any, keyID string) bool {
	switch message.(type) {
	case *messages.Admit, *messages.Authorize:
		_, known := s.known[keyID]
		return !known
	case *messages.CreateKey:
		set(&s.known, keyID, struct{}{})
	}
	return false
}

var unknownKey = &messages.Refused{Refusal: messages.Refusal_REFUSAL_UNKNOWN_KEY, Detail: "the key is not one that is known here"}

// misrouted answers for ids that no key can have, and for keys of other shards.
func (s *shard) misrouted(ctx actor.Context, keyID string) {
	if actors.ValidID(keyID) {
		s.answer(ctx, &messages.NotOwner{KeyId: keyID, Shard: uint32(actors.ShardOf(keyID))})
		return
	}
	switch actors.Unavailable(ctx.Message(), "").(type) {
	case *messages.Refused:
		s.answer(ctx, unknownKey)
	case *messages.Rejected:
		s.answer(ctx, &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND, Field: "id", Detail: "there is no such key"})
	}
}

// forward hands the present message on; false where the key's actor is not there.
func (s *shard) forward(ctx actor.Context, keyID string) bool {
	c := s.children[keyID]
	if c == nil {
		return false
	}
	c.asked = 0
	ctx.Forward(c.pid)
	return true
}

// start has the key's actor running; detail says why it cannot.
func (s *shard) start(ctx actor.Context, keyID string) (detail string) {
	if s.children[keyID] != nil {
		return ""
	}
	if cool := s.cooling[keyID]; cool != nil && s.cfg.Clock.Elapsed() < cool.until {
		return detailCooling
	}
	if len(s.children) >= s.cfg.KeysMost {
		return detailFull
	}
	// Every start has a name of its own: a predecessor may still be stopping.
	s.spawned++
	pid, err := ctx.SpawnNamed(s.cfg.Key(keyID), fmt.Sprintf("%s-%d", keyID, s.spawned))
	if err != nil {
		s.log().Error("a key's actor cannot be started", "key", keyID, "error", err)
		return detailCooling
	}
	c := &child{keyID: keyID, pid: pid, budget: actors.Budget{Most: s.cfg.RestartsMost, Within: s.cfg.RestartsWithin}}
	set(&s.children, keyID, c)
	set(&s.byPID, pid.GetId(), c)
	return ""
}

// owned answers a key that starts.
func (s *shard) owned(ctx actor.Context, m *messages.AskKey) {
	c := s.children[m.GetKeyId()]
	if c == nil || ctx.Sender() == nil || !c.pid.Equal(ctx.Sender()) {
		return // one that is being stopped
	}
	s.starts++
	s.tell(ctx, c.pid, &messages.KeyOwned{
		KeyId: c.keyID,
		Term:  actors.KeyTerm(s.term, s.starts),
		Slots: s.slots.of(c.keyID),
	})
}

// idle stops a key that is still idle after everything that was handed on:
// then its mailbox holds nothing, and nothing is lost.
func (s *shard) idle(ctx actor.Context, m *messages.KeyIdle) {
	c := s.children[m.GetKeyId()]
	if c == nil || ctx.Sender() == nil || !c.pid.Equal(ctx.Sender()) {
		return
	}
	if m.GetAsked() == 0 && c.asked == 0 {
		s.asks++
		c.asked = s.asks
		ctx.Send(c.pid, &messages.StopIfIdle{KeyId: c.keyID, Number: c.asked})
	}
	if m.GetAsked() == 0 || m.GetAsked() != c.asked {
		return
	}
	s.forget(c)
	delete(s.cooling, c.keyID)
	ctx.Stop(c.pid)
}

func (s *shard) forget(c *child) {
	delete(s.children, c.keyID)
	delete(s.byPID, c.pid.GetId())
}

// HandleFailure restarts the one key that failed. One that fails too often is
// stopped, and started again when it has cooled down.
func (s *shard) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, pid *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	c := s.byPID[pid.GetId()]
	if c == nil || s.leave.begun {
		supervisor.StopChildren(pid)
		return
	}
	c.asked = 0
	c.stopped = c.budget.Apply(s.cfg.Clock.Elapsed(), system, supervisor, pid, reason)
	s.cfg.Count("key_restarted")
	s.log().Error("a key's actor failed", "key", c.keyID, "restarted", !c.stopped, "reason", reason)
}

// terminated is the end of a key that did not ask for it.
func (s *shard) terminated(ctx actor.Context, m *actor.Terminated) {
	c := s.byPID[m.Who.GetId()]
	if c == nil || s.ending {
		return
	}
	s.forget(c)
	if s.leave.begun {
		s.leaveOn(ctx)
		return
	}
	cool := s.cooling[c.keyID]
	if cool == nil {
		cool = &cooling{}
		set(&s.cooling, c.keyID, cool)
	}
	cool.wait = min(max(2*cool.wait, coolFirst), coolMost)
	cool.until = s.cfg.Clock.Elapsed() + cool.wait
	s.cfg.Count("key_stopped")
	s.log().Error("a key's actor is stopped and cools down", "key", c.keyID, "failed_too_often", c.stopped, "for", cool.wait)
	s.timers.Set(coolTime{keyID: c.keyID}, cool.wait, ctx.Self(), &coolTime{s, c.keyID})
}

// cooled starts a key that has connections: they wait for word from it.
func (s *shard) cooled(ctx actor.Context, m *coolTime) {
	s.timers.Cancel(coolTime{keyID: m.keyID})
	if m.of == s && len(s.slots.byKey[m.keyID]) > 0 {
		s.start(ctx, m.keyID)
	}
}

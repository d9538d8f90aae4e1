package apikey

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey/permit"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

const (
	overloadRetry  = time.Second
	detailOverload = "too many connections at once: try again"
)

// metered says whether a frame of the API costs this key a credit.
func (k *key) metered(api messages.Api) bool { return price.Metered(api) && k.plan().Credits > 0 }

// verify is nil for the credential of an active key, which then was used.
func (k *key) verify(c *messages.Credential) *messages.Refused {
	now := k.cfg.Clock.Now()
	r := permit.Verify(k.changes.Key, c, now.UnixMilli())
	if r == nil {
		k.changes.Used(now.Truncate(time.Minute).UnixMilli())
	}
	return r
}

// admissible is nil where a slot decides.
func (k *key) admissible(m *messages.Admit) *messages.Refused {
	if r := k.verify(m.GetCredential()); r != nil {
		return r
	}
	if r := k.mayUse(m.GetApi()); r != nil {
		return r
	}
	if k.metered(m.GetApi()) && k.ledger.exhausted() {
		return permit.Refuse(messages.Refusal_REFUSAL_CREDITS, "the month's credits are used up")
	}
	return nil
}

// mayUse is nil where the key's own fields and its plan allow connections to
// the API.
func (k *key) mayUse(api messages.Api) *messages.Refused {
	plan, offered := k.cfg.Plans[k.changes.Key.GetPlan()]
	if !offered {
		k.log.Error("the key's plan is not configured", "plan", k.changes.Key.GetPlan())
	}
	return permit.Use(k.changes.Key, api, plan.Connections, offered)
}

func overloaded(detail string) *messages.Refused {
	return &messages.Refused{Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: overloadRetry.Milliseconds(), Detail: detail}
}

func (k *key) admit(ctx actor.Context, m *messages.Admit) {
	if r := k.admissible(m); r != nil {
		ctx.Respond(r)
		return
	}
	slot := &messages.Slot{
		KeyId: k.id, Api: m.GetApi(), Node: m.GetNode(), Incarnation: m.GetIncarnation(),
		ConnectionId: m.GetConnectionId(), TakenMs: k.cfg.Clock.Now().UnixMilli(),
	}
	if !k.guests.Admit(slot, ctx.Sender()) {
		ctx.Respond(overloaded(detailOverload))
		return
	}
	ctx.Request(ctx.Parent(), &messages.TakeSlot{Slot: slot, Limit: int32(k.plan().Connections[m.GetApi()])})
}

func (k *key) slotTaken(ctx actor.Context, m *messages.SlotTaken) {
	w, waits := k.guests.Take(m.GetConnectionId())
	if !waits {
		// Released in between, or asked for twice and refused the first time: it is
		// nobody's, unless the first of two has it.
		if k.guests.Of(m.GetConnectionId()) == nil {
			k.freeSlot(ctx, m.GetConnectionId(), nil)
		}
		return
	}
	to := w.To.(*actor.PID)
	if !k.live() { // revoked in between
		k.freeSlot(ctx, m.GetConnectionId(), nil)
		ctx.Send(to, permit.Refuse(messages.Refusal_REFUSAL_REVOKED, "the key has been revoked"))
		return
	}
	k.guests.Add(k.cfg.Clock.Elapsed(), w.Slot)
	ctx.Send(to, &messages.Admitted{
		KeyId: k.id, Plan: k.changes.Key.GetPlan(), Pro: k.plan().Pro, Metered: k.metered(w.Slot.GetApi()),
	})
}

func (k *key) slotRefused(ctx actor.Context, m *messages.SlotRefused) {
	w, waits := k.guests.Take(m.GetConnectionId())
	if !waits {
		return
	}
	to := w.To.(*actor.PID)
	switch {
	case m.GetRetry():
		ctx.Send(to, overloaded(m.GetDetail()))
	default:
		ctx.Send(to, &messages.Refused{
			Refusal: messages.Refusal_REFUSAL_CONNECTIONS, RetryAfterMs: k.cfg.ProbeWithin.Milliseconds(), Detail: m.GetDetail(),
		})
		probed := k.guests.Probe(k.cfg.Clock.Elapsed(), w.Slot.GetApi())
		k.watch(ctx, probed, &messages.Probe{WithinMs: k.cfg.ProbeWithin.Milliseconds()})
	}
}

// watch has the key hear of connections that are not there; message, where
// there is one, is for those that are.
func (k *key) watch(ctx actor.Context, slots []*messages.Slot, message any) {
	for _, slot := range slots {
		pid := k.cfg.Connection(slot)
		if pid == nil {
			continue
		}
		if message != nil {
			ctx.Send(pid, message)
		}
		k.watchOne(ctx, slot, pid)
	}
}

func (k *key) watchOne(ctx actor.Context, slot *messages.Slot, pid *actor.PID) {
	if k.guests.Watch(k.cfg.Clock.Elapsed(), slot, pid.GetId()) {
		ctx.Watch(pid)
	}
}

// reap gives the slots back whose processes have ended: nobody else says that they
// are free. The shard counts them as free already, where they are in the way. What they
// held of credit counts as used from then on, so that it is looked for with the ledger's
// ticks and not by the minute alone.
func (k *key) reap(ctx actor.Context) {
	for _, slot := range slices.Clone(k.guests.Slots()) {
		if k.cfg.Connection(slot) == nil {
			k.release(ctx, slot.GetConnectionId(), nil)
		}
	}
}

// slotsTime comes a while after the start: what a predecessor was told of a
// connection's end may be lost with it, and its slot must not be.
type slotsTime struct{ of *key }

// release ends a connection's stay: what it holds unsaid counts as used. Whoever
// asks for it, if anybody, is answered by the shard.
func (k *key) release(ctx actor.Context, connectionID string, asker *actor.PID) {
	k.guests.Remove(connectionID)
	k.follow(ctx, k.stream.Leave(&messages.Leave{ConnectionId: connectionID}, nil))
	k.ledger.forget(ctx, connectionID)
	k.freeSlot(ctx, connectionID, asker)
}

func (k *key) freeSlot(ctx actor.Context, connectionID string, asker *actor.PID) {
	ctx.RequestWithCustomSender(ctx.Parent(), &messages.FreeSlot{KeyId: k.id, ConnectionId: connectionID}, asker)
}

// authorize answers for one REST call.
func (k *key) authorize(ctx actor.Context, m *messages.Authorize) {
	r := k.verify(m.GetCredential())
	if r == nil && m.GetScope() != "" {
		r = permit.Scope(k.changes.Key, m.GetScope())
	}
	if r == nil {
		if wait := k.requests.Take(k.cfg.Clock.Elapsed(), k.plan().Requests); wait > 0 {
			r = permit.Refuse(messages.Refusal_REFUSAL_RATE, fmt.Sprintf("more than the plan's %d requests a minute", k.plan().Requests))
			r.RetryAfterMs = wait.Milliseconds()
		}
	}
	if r != nil {
		ctx.Respond(r)
		return
	}
	ctx.Respond(&messages.Authorized{Key: k.shown()})
}

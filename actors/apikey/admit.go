package apikey

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey/permit"
	"github.com/birdwire/birdwire/messages"
)

const (
	// admittingMost bounds the admissions under way; past it they are refused.
	admittingMost  = 1024
	overloadRetry  = time.Second
	detailOverload = "too many connections at once: try again"
)

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
	if k.metered(m.GetApi()) && k.exhausted() {
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
	if len(k.guests.admitting) >= admittingMost {
		ctx.Respond(overloaded(detailOverload))
		return
	}
	slot := &messages.Slot{
		KeyId: k.id, Api: m.GetApi(), Node: m.GetNode(), Incarnation: m.GetIncarnation(),
		ConnectionId: m.GetConnectionId(), TakenMs: k.cfg.Clock.Now().UnixMilli(),
	}
	k.guests.admitting[m.GetConnectionId()] = &admission{slot: slot, sender: ctx.Sender()}
	ctx.Request(ctx.Parent(), &messages.TakeSlot{Slot: slot, Limit: int32(k.plan().Connections[m.GetApi()])})
}

func (k *key) slotTaken(ctx actor.Context, m *messages.SlotTaken) {
	a := k.guests.take(m.GetConnectionId())
	if a == nil {
		return // released in between, and so given back after it
	}
	if !k.live() { // revoked in between
		k.freeSlot(ctx, m.GetConnectionId())
		ctx.Send(a.sender, permit.Refuse(messages.Refusal_REFUSAL_REVOKED, "the key has been revoked"))
		return
	}
	k.guests.add(a.slot)
	ctx.Send(a.sender, &messages.Admitted{
		KeyId: k.id, Plan: k.changes.Key.GetPlan(), Pro: k.plan().Pro, Metered: k.metered(a.slot.GetApi()),
	})
}

func (k *key) slotRefused(ctx actor.Context, m *messages.SlotRefused) {
	a := k.guests.take(m.GetConnectionId())
	switch {
	case a == nil:
	case m.GetRetry():
		ctx.Send(a.sender, overloaded(m.GetDetail()))
	default:
		ctx.Send(a.sender, &messages.Refused{
			Refusal: messages.Refusal_REFUSAL_CONNECTIONS, RetryAfterMs: k.cfg.ProbeWithin.Milliseconds(), Detail: m.GetDetail(),
		})
		k.guests.probe(ctx, a.slot.GetApi())
	}
}

// slotsTime comes a while after the start.
type slotsTime struct{ of *key }

// release ends a connection's stay: what it holds unsaid counts as used.
func (k *key) release(ctx actor.Context, connectionID string) {
	k.guests.remove(connectionID)
	k.follow(ctx, k.stream.Leave(&messages.Leave{ConnectionId: connectionID}, nil))
	k.forgetCredit(ctx, connectionID)
	k.freeSlot(ctx, connectionID)
}

func (k *key) freeSlot(ctx actor.Context, connectionID string) {
	ctx.Send(ctx.Parent(), &messages.FreeSlot{KeyId: k.id, ConnectionId: connectionID})
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

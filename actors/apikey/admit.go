package apikey

import (
	"crypto/subtle"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// admission waits for its slot.
type admission struct {
	slot   *messages.Slot
	sender *actor.PID
}

const (
	// admittingMost bounds the admissions under way; past it they are refused.
	admittingMost  = 1024
	overloadRetry  = time.Second
	detailOverload = "too many connections at once: try again"
)

// noHash is compared with where there is no key, so that an unknown id takes
// as long as a wrong secret.
var noHash [32]byte

// verify is nil for the credential of an active key.
func (k *key) verify(c *messages.Credential) *messages.Refused {
	now := same(k.changes.Key.GetSecretHash(), c)
	former := same(k.changes.Key.GetFormerHash(), c) && k.cfg.Clock.Now().UnixMilli() < k.changes.Key.GetFormerUntilMs()
	if !now && !former {
		return refused(messages.Refusal_REFUSAL_UNKNOWN_KEY, "the key is not one that is known here")
	}
	if !k.live() {
		return refused(messages.Refusal_REFUSAL_REVOKED, "the key has been revoked")
	}
	k.changes.Used(k.cfg.Clock.Now().Truncate(time.Minute).UnixMilli())
	return nil
}

// same takes the same time whatever it finds, also where there is no hash.
func same(hash []byte, c *messages.Credential) bool {
	known := len(hash) > 0
	if !known {
		hash = noHash[:]
	}
	return subtle.ConstantTimeCompare(hash, c.GetSecretHash()) == 1 && known
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
		return refused(messages.Refusal_REFUSAL_CREDITS, "the month's credits are used up")
	}
	return nil
}

// mayUse is nil where the key's own fields and its plan allow connections to
// the API.
func (k *key) mayUse(api messages.Api) *messages.Refused {
	if apis := k.changes.Key.GetApis(); len(apis) > 0 && !slices.Contains(apis, api) {
		return refused(messages.Refusal_REFUSAL_SCOPE, "the key is not for this API")
	}
	if !k.has(scopeConnect) {
		return refused(messages.Refusal_REFUSAL_SCOPE, "the key lacks the scope "+scopeConnect)
	}
	plan, ok := k.cfg.Plans[k.changes.Key.GetPlan()]
	if !ok {
		k.log.Error("the key's plan is not configured", "plan", k.changes.Key.GetPlan())
		return refused(messages.Refusal_REFUSAL_PLAN, fmt.Sprintf("the plan %q is not offered any more", k.changes.Key.GetPlan()))
	}
	if plan.Connections[api] <= 0 {
		return refused(messages.Refusal_REFUSAL_PLAN, fmt.Sprintf("the plan %q has no such connections", k.changes.Key.GetPlan()))
	}
	return nil
}

func refused(why messages.Refusal, detail string) *messages.Refused {
	return &messages.Refused{Refusal: why, Detail: detail}
}

// has says whether the key has the scope; who may write may read.
func (k *key) has(scope string) bool {
	scopes := k.changes.Key.GetScopes()
	if slices.Contains(scopes, scope) {
		return true
	}
	what, reads := strings.CutSuffix(scope, ":read")
	return reads && slices.Contains(scopes, what+":write")
}

func (k *key) admit(ctx actor.Context, m *messages.Admit) {
	if r := k.admissible(m); r != nil {
		ctx.Respond(r)
		return
	}
	if len(k.admitting) >= admittingMost {
		ctx.Respond(&messages.Refused{
			Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: overloadRetry.Milliseconds(), Detail: detailOverload,
		})
		return
	}
	slot := &messages.Slot{
		KeyId: k.id, Api: m.GetApi(), Node: m.GetNode(), Incarnation: m.GetIncarnation(),
		ConnectionId: m.GetConnectionId(), TakenMs: k.cfg.Clock.Now().UnixMilli(),
	}
	k.admitting[m.GetConnectionId()] = &admission{slot: slot, sender: ctx.Sender()}
	ctx.Request(ctx.Parent(), &messages.TakeSlot{Slot: slot, Limit: int32(k.plan().Connections[m.GetApi()])})
}

func (k *key) slotTaken(ctx actor.Context, m *messages.SlotTaken) {
	a := k.admitting[m.GetConnectionId()]
	if a == nil {
		return // released meanwhile, and so given back after it
	}
	delete(k.admitting, m.GetConnectionId())
	if !k.live() { // revoked meanwhile
		k.freeSlot(ctx, m.GetConnectionId())
		ctx.Send(a.sender, refused(messages.Refusal_REFUSAL_REVOKED, "the key has been revoked"))
		return
	}
	if k.slotOf(m.GetConnectionId()) == nil {
		k.slots = append(k.slots, a.slot)
		k.takenAt[m.GetConnectionId()] = k.cfg.Clock.Elapsed()
	}
	ctx.Send(a.sender, &messages.Admitted{
		KeyId: k.id, Plan: k.changes.Key.GetPlan(), Pro: k.plan().Pro, Metered: k.metered(a.slot.GetApi()),
	})
}

func (k *key) slotRefused(ctx actor.Context, m *messages.SlotRefused) {
	a := k.admitting[m.GetConnectionId()]
	if a == nil {
		return
	}
	delete(k.admitting, m.GetConnectionId())
	if m.GetRetry() {
		ctx.Send(a.sender, &messages.Refused{
			Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: overloadRetry.Milliseconds(), Detail: m.GetDetail(),
		})
		return
	}
	ctx.Send(a.sender, &messages.Refused{
		Refusal: messages.Refusal_REFUSAL_CONNECTIONS, RetryAfterMs: k.cfg.ProbeWithin.Milliseconds(), Detail: m.GetDetail(),
	})
	k.probe(ctx, a.slot.GetApi())
}

// probe has the connections of a full key show that their clients are there:
// those that do not end themselves, and one that is not there at all (it is
// watched) gives its slot back here.
func (k *key) probe(ctx actor.Context, api messages.Api) {
	now := k.cfg.Clock.Elapsed()
	if now-k.probedAt[api] < k.cfg.ProbeWithin {
		return
	}
	k.probedAt[api] = now
	for _, slot := range k.slots {
		if slot.GetApi() != api {
			continue
		}
		if pid := k.cfg.Connection(slot); pid != nil {
			ctx.Send(pid, &messages.Probe{WithinMs: k.cfg.ProbeWithin.Milliseconds()})
			k.watch(ctx, slot, pid)
		}
	}
}

// watch has the key hear of a connection that is not there. A young slot's may
// be on its way still.
func (k *key) watch(ctx actor.Context, slot *messages.Slot, pid *actor.PID) {
	age := k.cfg.Clock.Elapsed() - k.takenAt[slot.GetConnectionId()]
	if _, watched := k.watched[pid.GetId()]; !watched && age >= k.cfg.SlotGrace {
		k.watched[pid.GetId()] = slot.GetConnectionId()
		ctx.Watch(pid)
	}
}

// slotsTime comes a while after the start: what a predecessor was told of a
// connection's end may be lost with it, and its slot must not be.
type slotsTime struct{ of *key }

func (k *key) checkSlots(ctx actor.Context, m *slotsTime) {
	if m.of != k {
		return
	}
	for _, slot := range k.slots {
		if pid := k.cfg.Connection(slot); pid != nil {
			k.watch(ctx, slot, pid)
		}
	}
}

// gone: a connection that was probed has ended. Of one on a node that is out
// of reach nothing is known: its slot stays until that node's lease says more.
func (k *key) gone(ctx actor.Context, m *actor.Terminated) {
	id, ok := k.watched[m.Who.GetId()]
	if !ok {
		return
	}
	delete(k.watched, m.Who.GetId())
	if m.Why != actor.TerminatedReason_AddressTerminated {
		k.release(ctx, id)
	}
}

// release ends a connection's stay: what it holds unsaid counts as used.
func (k *key) release(ctx actor.Context, connectionID string) {
	delete(k.admitting, connectionID)
	delete(k.takenAt, connectionID)
	for id, connection := range k.watched {
		if connection == connectionID {
			delete(k.watched, id)
		}
	}
	k.follow(ctx, k.stream.Leave(&messages.Leave{ConnectionId: connectionID}, nil))
	k.slots = slices.DeleteFunc(k.slots, func(s *messages.Slot) bool { return s.GetConnectionId() == connectionID })
	k.forgetCredit(ctx, connectionID)
	k.freeSlot(ctx, connectionID)
}

func (k *key) freeSlot(ctx actor.Context, connectionID string) {
	ctx.Send(ctx.Parent(), &messages.FreeSlot{KeyId: k.id, ConnectionId: connectionID})
}

func (k *key) slotOf(connectionID string) *messages.Slot {
	for _, s := range k.slots {
		if s.GetConnectionId() == connectionID {
			return s
		}
	}
	return nil
}

// authorize answers for one REST call.
func (k *key) authorize(ctx actor.Context, m *messages.Authorize) {
	if r := k.verify(m.GetCredential()); r != nil {
		ctx.Respond(r)
		return
	}
	if s := m.GetScope(); s != "" && !k.has(s) {
		ctx.Respond(refused(messages.Refusal_REFUSAL_SCOPE, "the key lacks the scope "+s))
		return
	}
	if wait := k.requests.take(k.cfg.Clock.Elapsed(), k.plan().Requests); wait > 0 {
		r := refused(messages.Refusal_REFUSAL_RATE, fmt.Sprintf("more than the plan's %d requests a minute", k.plan().Requests))
		r.RetryAfterMs = wait.Milliseconds()
		ctx.Respond(r)
		return
	}
	ctx.Respond(&messages.Authorized{Key: k.shown()})
}

// bucket spreads a minute's requests: it is full at first and fills steadily.
type bucket struct {
	level float64
	at    actors.Instant
}

// take is 0, or how long until the next request is allowed.
func (b *bucket) take(now actors.Instant, perMinute int) time.Duration {
	if perMinute <= 0 {
		return 0
	}
	most := float64(perMinute)
	b.level = min(most, b.level+(now-b.at).Minutes()*most)
	b.at = now
	if b.level >= 1 {
		b.level--
		return 0
	}
	return max(time.Duration((1-b.level)/most*float64(time.Minute)), time.Millisecond)
}

package apikey

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/messages"
)

// idle says that nothing would be lost if the actor stopped now.
func (k *key) idle() bool {
	return k.guests.None() && k.stream.Idle() &&
		k.changes.Idle() && k.gate.Len() == 0 &&
		k.ledger.idle() &&
		len(k.parts.byPID) == 0 && k.record.Idle() &&
		k.writtenUsed() &&
		(k.record.Empty() || k.cfg.Clock.Elapsed()-k.hitAt >= k.cfg.LogKeep)
}

// idleDue comes once a minute: it sends children home that nobody needs, gives
// slots of the dead back, writes when the key was last used, deletes what is left of a revoked key,
// proves to its connections how far it is, every other time, and says so when nobody needs the key.
func (k *key) idleDue(ctx actor.Context) {
	now := k.cfg.Clock.Elapsed()
	if k.proves = !k.proves; !k.proves {
		k.follow(ctx, k.stream.ProveAll()) // before each of them asks: see actors/connection, ProveMost
	}
	k.timers.Set(idleTime{}, k.cfg.IdleAfter, ctx.Self(), &idleTime{k})
	k.parts.retire(ctx)
	k.reap(ctx)
	k.watch(ctx, k.unjoined(), nil) // one that was admitted when it had ended already says nothing
	if !k.writtenUsed() && k.changes.Idle() {
		k.do(ctx, k.changes.Do(0, change.WriteUsed{}))
	}
	if k.changes.Littered() && k.changes.Idle() {
		k.do(ctx, k.changes.Do(0, change.Tidy{}))
	}
	if now-k.usedAt >= k.cfg.IdleAfter && k.idle() {
		ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: k.id})
	}
}

// writtenUsed says that the store knows when the key was last used.
func (k *key) writtenUsed() bool {
	_, written := k.changes.LastUsed()
	return k.changes.Key == nil || written
}

// leaveIfUnknown: an id that no key has costs an actor for one answer only.
func (k *key) leaveIfUnknown(ctx actor.Context) {
	if k.changes.Key == nil && k.idle() {
		ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: k.id})
	}
}

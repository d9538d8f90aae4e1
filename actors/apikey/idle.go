package apikey

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// idle says that nothing would be lost if the actor stopped now.
func (k *key) idle() bool {
	return len(k.slots) == 0 && len(k.admitting) == 0 && k.stream.Idle() &&
		k.operation == nil && len(k.queue) == 0 &&
		(k.purse == nil || k.purse.Clear()) && k.ledger.operation == nil &&
		len(k.byPID) == 0 && !k.history.reading &&
		(k.record == nil || k.lastUsed <= k.record.GetLastUsedMs()) &&
		(!k.standing.remembers() || k.cfg.Clock.Elapsed()-k.hitAt >= k.cfg.LogKeep)
}

// idleDue comes once a minute: it sends children home that nobody needs,
// writes when the key was last used, and says so when nobody needs the key.
func (k *key) idleDue(ctx actor.Context) {
	now := k.cfg.Clock.Elapsed()
	k.cfg.Clock.After(k.cfg.IdleAfter, ctx.Self(), &idleTime{k})
	for _, s := range k.standing.sorted {
		if s.child != nil && !s.retiring && now-s.usedAt >= k.cfg.IdleAfter {
			s.retiring = true
			ctx.Request(s.child, &messages.Retire{})
		}
	}
	if k.record != nil && k.lastUsed > k.record.GetLastUsedMs() && k.operation == nil {
		k.begin(ctx, nil, func(ctx actor.Context) {
			k.writeKey(ctx, func(*messages.Key) {}, func(ctx actor.Context, err error) { k.done(ctx, nil) })
		})
	}
	if now-k.usedAt >= k.cfg.IdleAfter && k.idle() {
		ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: k.id})
	}
}

// leaveIfUnknown: an id that no key has costs an actor for one answer only.
func (k *key) leaveIfUnknown(ctx actor.Context) {
	if k.record == nil && k.idle() {
		ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: k.id})
	}
}

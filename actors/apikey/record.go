package apikey

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// Bounds of a key's own fields, in characters.
const (
	maxKeyName  = 100
	maxKeyOwner = 200
)

// endAll closes the connections of a key that is no more. Their slots come
// back as they end.
func (k *key) endAll(ctx actor.Context) {
	k.endSlots(ctx, func(*messages.Slot) bool { return true },
		&messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"})
}

func (k *key) endSlots(ctx actor.Context, which func(*messages.Slot) bool, end *messages.End) {
	for _, slot := range k.guests.Slots() {
		if !which(slot) {
			continue
		}
		pid := k.cfg.Connection(slot)
		if m := k.stream.Member(slot.GetConnectionId()); m != nil {
			pid = m.To.(*actor.PID)
		}
		if pid != nil {
			ctx.Send(pid, end)
		}
	}
}

// described is how the key is. The record inside is a copy.
func (k *key) described() *messages.KeyDescribed {
	month, used := k.ledger.usage()
	return &messages.KeyDescribed{
		Key: k.shown(), Connections: int32(len(k.guests.Slots())), Slots: slices.Clone(k.guests.Slots()),
		Month: month, CreditsUsed: used, CreditsLimit: k.plan().Credits,
	}
}

// shown is the record without what nobody may see.
func (k *key) shown() *messages.Key {
	shown := proto.Clone(k.changes.Key).(*messages.Key)
	shown.SecretHash, shown.FormerHash = nil, nil
	shown.LastUsedMs, _ = k.changes.LastUsed()
	return shown
}

// faultIn names the first field of a key that is not as it must be, and why.
func faultIn(cfg *Config, r *messages.Key) (field, why string) {
	if why := actors.TextFault(r.GetName(), 1, maxKeyName); why != "" {
		return "name", why
	}
	if why := actors.TextFault(r.GetOwner(), 0, maxKeyOwner); why != "" {
		return "owner", why
	}
	if _, ok := cfg.Plans[r.GetPlan()]; !ok {
		return "plan", "is not a plan that is configured here"
	}
	for _, s := range r.GetScopes() {
		if why := actors.TextFault(s, 1, maxKeyName); why != "" || len(cfg.Scopes) > 0 && !slices.Contains(cfg.Scopes, s) {
			return "scopes", "there is no such scope"
		}
	}
	for _, api := range r.GetApis() {
		if _, ok := messages.Api_name[int32(api)]; !ok || api == messages.Api_API_UNSPECIFIED {
			return "apis", "there is no such API"
		}
	}
	return "", ""
}

// endRefused closes the connections of APIs that the key may not use any more.
// Those that are too many for a smaller plan stay: the next ones are refused.
func (k *key) endRefused(ctx actor.Context) {
	k.endSlots(ctx, func(s *messages.Slot) bool { return k.mayUse(s.GetApi()) != nil },
		&messages.End{Reason: messages.EndReason_END_EVICTED, Detail: "the key may no longer use this API"})
}

// month names the month that t falls in, in UTC: "2026-11".
func month(t time.Time) string { return t.UTC().Format("2006-01") }

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

// expelTime has the key look again whom it must not have.
type expelTime struct{ of *key }

// unwelcome is what a connection is told that the key may not have: it has been
// revoked, or may not use that API. nil: it may. Those that are too many for a
// smaller plan stay: the next ones are refused.
func (k *key) unwelcome(slot *messages.Slot) *messages.End {
	switch {
	case !k.live():
		return &messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"}
	case k.mayUse(slot.GetApi()) != nil:
		return &messages.End{Reason: messages.EndReason_END_EVICTED, Detail: "the key may no longer use this API"}
	}
	return nil
}

// expel ends the connections that the key may not have, and again until they are
// gone: what tells them may be lost on its way. Their slots come back as they end.
func (k *key) expel(ctx actor.Context) {
	again := false
	for _, slot := range k.guests.Slots() {
		end := k.unwelcome(slot)
		if end == nil {
			continue
		}
		pid := k.cfg.Connection(slot)
		if m := k.stream.Member(slot.GetConnectionId()); m != nil {
			pid = m.To.(*actor.PID)
		}
		if pid == nil {
			continue
		}
		again = true
		ctx.Send(pid, end)
		k.watchOne(ctx, slot, pid) // it may have been admitted when it had ended already
	}
	if again {
		k.timers.Set(expelTime{}, k.cfg.AnswerWithin, k.self, &expelTime{k})
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

// month names the month that t falls in, in UTC: "2026-11".
func month(t time.Time) string { return t.UTC().Format("2006-01") }

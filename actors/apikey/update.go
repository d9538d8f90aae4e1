package apikey

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// graceMost bounds how long a former secret is taken after a rotation.
const graceMost = 90 * 24 * time.Hour

// rotate exchanges the secret; connections stay.
func (k *key) rotate(ctx actor.Context, m *messages.RotateKey) {
	grace := time.Duration(m.GetGraceMs()) * time.Millisecond
	switch {
	case len(m.GetSecretHash()) != hashLength:
		k.done(ctx, rejected(messages.Rejection_REJECTION_INVALID, "secret_hash", "must be a SHA-256"))
		return
	case m.GetGraceMs() < 0 || m.GetGraceMs() > graceMost.Milliseconds():
		k.done(ctx, rejected(messages.Rejection_REJECTION_INVALID, "grace_seconds", fmt.Sprintf("must be from 0 to %d", int(graceMost.Seconds()))))
		return
	}
	k.rewrite(ctx, func(r *messages.Key) {
		r.FormerHash, r.FormerUntilMs = nil, 0
		if grace > 0 {
			r.FormerHash, r.FormerUntilMs = r.GetSecretHash(), k.cfg.Clock.Now().Add(grace).UnixMilli()
		}
		r.SecretHash = m.GetSecretHash()
	}, func(actor.Context) {})
}

// updateKey changes what the message names, and ends the connections that the
// key may no longer have. Those that are too many for a smaller plan stay: the
// next ones are refused.
func (k *key) updateKey(ctx actor.Context, m *messages.UpdateKey) {
	if k.record == nil {
		k.done(ctx, noKey())
		return
	}
	to := &messages.Key{
		Name: k.record.GetName(), Owner: k.record.GetOwner(), Plan: k.record.GetPlan(), Scopes: k.record.GetScopes(), Apis: k.record.GetApis(),
	}
	for _, field := range m.GetFields() {
		switch field {
		case "name":
			to.Name = m.GetKey().GetName()
		case "owner":
			to.Owner = m.GetKey().GetOwner()
		case "plan":
			to.Plan = m.GetKey().GetPlan()
		case "scopes":
			to.Scopes = m.GetKey().GetScopes()
		case "apis":
			to.Apis = m.GetKey().GetApis()
		default:
			k.done(ctx, rejected(messages.Rejection_REJECTION_INVALID, field, "cannot be changed"))
			return
		}
	}
	if field, why := k.keyFault(to); why != "" {
		k.done(ctx, rejected(messages.Rejection_REJECTION_INVALID, field, why))
		return
	}
	k.rewrite(ctx, func(r *messages.Key) {
		r.Name, r.Owner, r.Plan, r.Scopes, r.Apis = to.GetName(), to.GetOwner(), to.GetPlan(), to.GetScopes(), to.GetApis()
	}, k.endRefused)
}

// rewrite changes the record of an active key, and answers with what it is then.
func (k *key) rewrite(ctx actor.Context, change func(*messages.Key), then func(ctx actor.Context)) {
	switch {
	case k.record == nil:
		k.done(ctx, noKey())
		return
	case !k.live():
		k.done(ctx, rejected(messages.Rejection_REJECTION_CONFLICT, "state", "the key has been revoked"))
		return
	}
	k.writeKey(ctx, change, func(ctx actor.Context, err error) {
		if err != nil {
			k.doneUnknown(ctx, err)
			return
		}
		then(ctx)
		k.done(ctx, k.described())
	})
}

// keyFault names the first field of a key that is not as it must be, and why.
func (k *key) keyFault(r *messages.Key) (field, why string) {
	if why := actors.TextFault(r.GetName(), 1, maxKeyName); why != "" {
		return "name", why
	}
	if why := actors.TextFault(r.GetOwner(), 0, maxKeyOwner); why != "" {
		return "owner", why
	}
	if _, ok := k.cfg.Plans[r.GetPlan()]; !ok {
		return "plan", "is not a plan that is configured here"
	}
	for _, s := range r.GetScopes() {
		if why := actors.TextFault(s, 1, maxKeyName); why != "" || len(k.cfg.Scopes) > 0 && !slices.Contains(k.cfg.Scopes, s) {
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
func (k *key) endRefused(ctx actor.Context) {
	k.endSlots(ctx, func(s *messages.Slot) bool { return k.mayUse(s.GetApi()) != nil },
		&messages.End{Reason: messages.EndReason_END_EVICTED, Detail: "the key may no longer use this API"})
}

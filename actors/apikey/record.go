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
	hashLength  = 32 // bytes: SHA-256
)

// serveKey answers what concerns the key's own record.
func (k *key) serveKey(ctx actor.Context) {
	sender := ctx.Sender()
	switch m := ctx.Message().(type) {
	case *messages.CreateKey:
		k.begin(ctx, sender, func(ctx actor.Context) { k.createKey(ctx, m) })
	case *messages.RevokeKey:
		k.begin(ctx, sender, k.revoke)
	case *messages.RotateKey:
		k.begin(ctx, sender, func(ctx actor.Context) { k.rotate(ctx, m) })
	case *messages.UpdateKey:
		k.begin(ctx, sender, func(ctx actor.Context) { k.updateKey(ctx, m) })
	case *messages.DescribeKey:
		if k.record == nil {
			k.respond(ctx, noKey())
			return
		}
		k.respond(ctx, k.described())
	case *messages.ListBilling:
		if k.record == nil {
			k.respond(ctx, noKey())
			return
		}
		month, used := k.usage()
		k.respond(ctx, &messages.BillingListed{Month: month, CreditsUsed: used, CreditsLimit: k.plan().Credits})
	}
}

func (k *key) respond(ctx actor.Context, answer any) {
	if ctx.Sender() != nil {
		ctx.Respond(answer)
	}
}

func (k *key) createKey(ctx actor.Context, m *messages.CreateKey) {
	if k.record != nil {
		k.done(ctx, rejected(messages.Rejection_REJECTION_CONFLICT, "id", "there is such a key already"))
		return
	}
	record, why := k.newRecord(m.GetKey())
	if why != nil {
		k.done(ctx, why)
		return
	}
	data, err := proto.Marshal(record)
	if err != nil {
		k.done(ctx, rejected(messages.Rejection_REJECTION_INVALID, "name", err.Error()))
		return
	}
	k.write(ctx, actors.KeyRecord(k.id), data, 0, func(ctx actor.Context, revision uint64, err error) {
		if err != nil {
			k.doneUnknown(ctx, err)
			return
		}
		k.record, k.revision, k.nextK = record, revision, record.GetNextK()
		k.openPurse(&loaded{month: month(k.cfg.Clock.Now())})
		k.done(ctx, k.described())
	})
}

// newRecord checks what a new key is to be, and completes it.
func (k *key) newRecord(given *messages.Key) (*messages.Key, *messages.Rejected) {
	invalid := func(field, why string) (*messages.Key, *messages.Rejected) {
		return nil, rejected(messages.Rejection_REJECTION_INVALID, field, why)
	}
	if len(given.GetSecretHash()) != hashLength {
		return invalid("secret_hash", "must be a SHA-256")
	}
	if field, why := k.keyFault(given); why != "" {
		return invalid(field, why)
	}
	return &messages.Key{
		Id: k.id, Name: given.GetName(), Owner: given.GetOwner(), Plan: given.GetPlan(), Scopes: given.GetScopes(), Apis: given.GetApis(),
		SecretHash: given.GetSecretHash(), State: messages.KeyState_KEY_ACTIVE, CreatedMs: k.cfg.Clock.Now().UnixMilli(), NextK: 1,
	}, nil
}

// revoke ends the key for good and its connections with it.
func (k *key) revoke(ctx actor.Context) {
	if k.record == nil {
		k.done(ctx, noKey())
		return
	}
	if !k.live() {
		k.done(ctx, k.described())
		return
	}
	k.writeKey(ctx, func(r *messages.Key) { r.State = messages.KeyState_KEY_REVOKED }, func(ctx actor.Context, err error) {
		if err != nil {
			k.doneUnknown(ctx, err)
			return
		}
		ctx.Send(k.cfg.Router, &messages.DropKey{KeyId: k.id, Term: k.stream.Term()})
		k.endAll(ctx)
		k.done(ctx, k.described())
	})
}

// endAll closes the connections of a key that is no more. Their slots come
// back as they end.
func (k *key) endAll(ctx actor.Context) {
	k.endSlots(ctx, func(*messages.Slot) bool { return true },
		&messages.End{Reason: messages.EndReason_END_REVOKED, Detail: "the key has been revoked"})
}

func (k *key) endSlots(ctx actor.Context, which func(*messages.Slot) bool, end *messages.End) {
	for _, slot := range k.slots {
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

// described is how the key stands. The record inside is a copy.
func (k *key) described() *messages.KeyDescribed {
	month, used := k.usage()
	return &messages.KeyDescribed{
		Key: k.shown(), Connections: int32(len(k.slots)), Slots: slices.Clone(k.slots),
		Month: month, CreditsUsed: used, CreditsLimit: k.plan().Credits,
	}
}

// shown is the record without what nobody may see.
func (k *key) shown() *messages.Key {
	shown := proto.Clone(k.record).(*messages.Key)
	shown.SecretHash, shown.FormerHash = nil, nil
	shown.LastUsedMs = max(shown.GetLastUsedMs(), k.lastUsed)
	return shown
}

// usage is the present month and what it has cost so far.
func (k *key) usage() (string, int64) {
	k.purse.Turn(month(k.cfg.Clock.Now()))
	return k.purse.Month(), k.purse.Used()
}

func noKey() *messages.Rejected {
	return rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such key")
}

func rejected(why messages.Rejection, field, detail string) *messages.Rejected {
	return &messages.Rejected{Rejection: why, Field: field, Detail: detail}
}

// month names the month that t falls in, in UTC: "2026-11".
func month(t time.Time) string { return t.UTC().Format("2006-01") }

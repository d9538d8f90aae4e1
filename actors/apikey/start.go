package apikey

import (
	"errors"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

// starting is before shard and store have answered.
func (k *key) starting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.KeyOwned:
		k.stream = stream.New(m.GetTerm())
		k.guests.Add(k.cfg.Clock.Elapsed(), m.GetSlots()...)
		k.wanted = k.wanted || len(m.GetSlots()) > 0
		k.load(ctx)
	case *loaded:
		if m == k.loading {
			k.started(ctx, m)
		}
	case *reloadTime:
		if m.of == k {
			k.load(ctx)
		}
	case *messages.StopIfIdle, *messages.QueriesPut, *messages.SlotTaken, *messages.SlotRefused, *messages.Retired,
		*messages.AuthorsLearnt, *messages.MonitorDrafted, *messages.RuleDrafted, *actor.Terminated,
		*messages.ThroughTaken, *answered, *idleTime, *askAgain, *slotsTime, *logFirst, *expireTime, *expelTime, *rejoinTime, *proofTime, *unleasedTime,
		*secondTime, *gatherTime, *credited, *creditAgain, *monthRead, *bounded, *bequestTime, *lookTime, *looked, *endTime,
		*remembered, *pageRead, *historyTime:
		// answers to an instance before, which knew what they meant
	default:
		switch h := actors.Present(ctx); {
		case k.damaged != nil && h.Refuse(ctx, actors.StoreDetail(k.damaged)):
		case !k.held.Add(h, hold.Size(m)):
			h.Refuse(ctx, detailStarting)
		case h.Answerable():
			k.want(ctx)
		}
	}
}

// load reads the key's records: in the line of those that nobody waits for,
// unless somebody does. A post that thousands of keys want has all of them
// started, and whoever asks for one of them must not wait for the others.
func (k *key) load(ctx actor.Context) {
	by := k.cfg.Waker
	if k.wanted {
		by = k.cfg.Worker
	}
	k.loading = &loaded{of: k}
	k.loadRecords(ctx, k.loading, by)
}

// want says that somebody waits. What is read for nobody is not waited for then:
// its answer is dropped.
func (k *key) want(ctx actor.Context) {
	if !k.wanted {
		if k.wanted = true; k.loading != nil {
			k.load(ctx)
		}
	}
}

type reloadTime struct{ of *key }

// started begins to serve with what was read.
func (k *key) started(ctx actor.Context, l *loaded) {
	k.loading = nil
	if k.damaged = nil; errors.Is(l.Err, messages.ErrDamaged) {
		k.damaged = l.Err
	}
	if l.Err != nil {
		wait := k.store.Failed()
		k.log.Warn("reading the key's records failed; they are read again", "in", wait, "error", l.Err)
		k.timers.Set(reloadTime{}, wait, ctx.Self(), &reloadTime{k})
		k.held.Keep(func(h actors.Held) bool { return !h.Refuse(ctx, actors.StoreDetail(l.Err)) })
		return
	}
	k.store.Succeeded()
	k.tellCorrupt(l)
	k.behavior.Become(k.running)
	k.do(ctx, k.changes.Start(&l.Loaded))
	k.openLedger(l)
	k.timers.Set(idleTime{}, k.cfg.IdleAfter, ctx.Self(), &idleTime{k})
	k.expire(ctx)
	k.tellConnections(ctx)
	k.ledger.inherit(ctx, messages.Position(l.End))
	for _, h := range k.held.Take() {
		h.Serve(ctx)
	}
	k.leaveIfUnknown(ctx)
}

// reloaded is what was read because the machine asked for it.
func (k *key) reloaded(ctx actor.Context, l *loaded) {
	if l != k.loading {
		return
	}
	k.loading = nil
	k.tellCorrupt(l)
	k.do(ctx, k.changes.Answer(&l.Loaded))
	if l.Err == nil {
		k.openLedger(l)
		k.expel(ctx) // what was found may be a revocation, of which nothing was known
	}
}

func (k *key) tellCorrupt(l *loaded) {
	for _, name := range l.corrupt {
		k.cfg.Count("record_corrupt")
		k.log.Error("a record cannot be read; it is left out until it is repaired or deleted", "record", name)
	}
}

func (k *key) openLedger(l *loaded) {
	if k.changes.Key != nil {
		k.ledger.open(month(l.at), l.ledger, l.begun)
	}
}

// tellConnections brings those that the key had before it began again to it.
func (k *key) tellConnections(ctx actor.Context) {
	if len(k.guests.Slots()) > 0 {
		k.timers.Set(slotsTime{}, k.cfg.SlotGrace, ctx.Self(), &slotsTime{k})
	}
	if k.expel(ctx); k.live() {
		k.rejoin(ctx)
	}
}

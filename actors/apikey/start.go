package apikey

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/messages"
)

// starting is before shard and store have answered.
func (k *key) starting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.KeyStands:
		k.stream, k.slots = stream.New(m.GetTerm()), slices.Clone(m.GetSlots())
		for _, slot := range k.slots {
			k.takenAt[slot.GetConnectionId()] = k.cfg.Clock.Elapsed()
		}
		k.startLoad(ctx, m.GetAgain())
	case *loaded:
		if m.of == k {
			k.loaded(ctx, m)
		}
	case *reloadTime:
		if m.of == k {
			k.startLoad(ctx, m.again)
		}
	case *messages.StopIfIdle, *messages.QueriesPut, *messages.SlotTaken, *messages.SlotRefused, *messages.Retired,
		*messages.AuthorsLearnt, *messages.MonitorDrafted, *messages.RuleDrafted, *actor.Terminated,
		*written, *awaitOver, *childFailed, *secondTime, *credited, *creditAgain, *idleTime, *askAgain, *slotsTime, *remembered:
		// answers to an instance before, which knew what they meant
	default:
		k.hold(ctx)
	}
}

func (k *key) hold(ctx actor.Context) {
	if len(k.held) == k.cfg.HeldMost {
		k.unavailable(ctx, detailStarting)
		return
	}
	k.held = append(k.held, held{ctx.Message(), ctx.Sender()})
}

const (
	detailStarting = "the key's records are being read: try again"
	detailStore    = "the store does not answer: try again; nothing is known to have changed"
	detailBusy     = "too many changes at once: try again"
	detailRouter   = "the router does not answer: try again; nothing is known to have changed"
	detailChild    = "the change failed inside the server, the log says why; nothing has changed"
)

// loaded is a worker's answer.
type loaded struct {
	of       *key
	token    uint64 // of the operation that asked; 0 at the start
	again    bool
	record   *messages.Key // nil: there is none
	revision uint64
	standing []*standing
	corrupt  []string
	ledger   *messages.Ledger
	month    string
	err      error
}

type reloadTime struct {
	of    *key
	token uint64
	again bool
}

func (k *key) startLoad(ctx actor.Context, again bool) {
	k.load(ctx, &loaded{of: k, again: again})
}

func (k *key) load(ctx actor.Context, l *loaded) {
	cfg, id := k.cfg, k.id
	l.month = month(cfg.Clock.Now())
	k.work(ctx, cfg.StoreTimeout, func(work context.Context) any {
		l.err = l.read(work, cfg, id)
		return l
	})
}

func (l *loaded) read(ctx context.Context, cfg Config, id string) error {
	data, revision, err := cfg.Records.Get(ctx, actors.KeyRecord(id))
	if errors.Is(err, actors.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("load key: %w", err)
	}
	record := &messages.Key{}
	if err := proto.Unmarshal(data, record); err != nil {
		return fmt.Errorf("load key: its record is corrupt: %w", err)
	}
	for _, prefix := range []string{actors.MonitorRecord(id, ""), actors.RuleRecord(id, "")} {
		records, err := cfg.Records.List(ctx, prefix)
		if err != nil {
			return fmt.Errorf("load key: list %s: %w", prefix, err)
		}
		for _, r := range records {
			s := &standing{revision: r.Revision}
			if prefix == actors.RuleRecord(id, "") {
				s.rule = &messages.Rule{}
				err = proto.Unmarshal(r.Data, s.rule)
			} else {
				s.monitor = &messages.Monitor{}
				err = proto.Unmarshal(r.Data, s.monitor)
			}
			if err != nil {
				l.corrupt = append(l.corrupt, r.Key)
				continue
			}
			l.standing = append(l.standing, s)
		}
	}
	if l.ledger, err = cfg.Counters.Usage(ctx, id, l.month); err != nil {
		return fmt.Errorf("load key: usage of %s: %w", l.month, err)
	}
	l.record, l.revision = record, revision
	return nil
}

func (k *key) loaded(ctx actor.Context, l *loaded) {
	if l.err != nil {
		wait := k.failed()
		k.log.Warn("reading the key's records failed; they are read again", "in", wait, "error", l.err)
		k.cfg.Clock.After(wait, ctx.Self(), &reloadTime{of: k, again: l.again})
		k.refuseHeld(ctx)
		return
	}
	k.backoff = 0
	k.take(ctx, l)
	k.openPurse(l)
	k.behavior.Become(k.running)
	k.cfg.Clock.After(k.cfg.IdleAfter, ctx.Self(), &idleTime{k})
	k.tellConnections(ctx)
	if l.again {
		k.begin(ctx, nil, k.resync)
	}
	held := k.held
	k.held = nil
	for _, h := range held {
		ctx.Receive(&actor.MessageEnvelope{Message: h.message, Sender: h.sender})
	}
	k.leaveIfUnknown(ctx)
}

// take makes what was read the truth.
func (k *key) take(ctx actor.Context, l *loaded) {
	for _, name := range l.corrupt {
		k.cfg.Count("record_corrupt")
		k.log.Error("a record cannot be read; it is left out until it is mended or deleted", "record", name)
	}
	k.record, k.revision = l.record, l.revision
	k.nextK = max(k.record.GetNextK(), 1)
	k.lastUsed = max(k.lastUsed, k.record.GetLastUsedMs())
	for _, gone := range k.standing.replace(l.standing, k.cfg.LogMost) {
		k.stopChild(ctx, gone)
	}
}

func (k *key) openPurse(l *loaded) {
	if k.purse == nil && k.record != nil {
		k.purse = credit.New(fmt.Sprintf("%x", k.stream.Term()), k.cap(), l.month, l.ledger.GetCharged())
	}
}

// tellConnections brings those that the key had before it began anew to it.
func (k *key) tellConnections(ctx actor.Context) {
	if len(k.slots) > 0 {
		k.cfg.Clock.After(k.cfg.SlotGrace, ctx.Self(), &slotsTime{k})
	}
	if !k.live() {
		k.endAll(ctx)
		return
	}
	for _, slot := range k.slots {
		pid := k.cfg.Connection(slot)
		if pid == nil {
			continue
		}
		if slot.GetApi() == messages.Api_API_TWITTER {
			ctx.Send(pid, &messages.Rejoin{Term: k.stream.Term()})
		}
		if k.metered(slot.GetApi()) {
			// What it asked for may have been lost: nothing granted, ask again.
			ctx.Send(pid, &messages.CreditGranted{})
		}
	}
}

// refuseHeld answers those that wait for an answer; the others are kept.
func (k *key) refuseHeld(ctx actor.Context) {
	kept := k.held[:0]
	for _, h := range k.held {
		answer := actors.Unavailable(h.message, detailStore)
		if answer == nil {
			kept = append(kept, h)
		} else if h.sender != nil {
			ctx.Send(h.sender, answer)
		}
	}
	k.held = kept
}

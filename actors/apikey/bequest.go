package apikey

import (
	"context"
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

// A crash leaves a grant open: it is charged, and nobody knows what was spent of
// it. The log does: the grant names who may have spent of it, from where on, and
// a connection is handed an event once. So once nobody spends of it any more, what
// is over that is given back:
//
//	recall every connection of an instance before ─▶ all have come, or are gone
//	   ─▶ count in the log what they may have been handed ─▶ settle
//
// Where no connection of an instance before is left when the key starts, as
// after the end of a whole process, what was spent was spent on events that were
// in the log at that time, and later ones do not count.

// Spent says what may have been delivered. Called inside a Worker only.
type Spent interface {
	// Spent is the most that the spenders can have been charged for the events at
	// or before through (0: the log's end) that the queries match, or that are no
	// posts. It is at most most, and that where the log does not tell.
	Spent(ctx context.Context, queries []*messages.Query, spenders []*messages.Spender, through messages.Position, most int64) (int64, error)
}

// bequest is what instances of the key before this one have left open, on its
// way to be settled.
type bequest struct {
	// former are connections that may still spend what an instance before has
	// granted: until each has come to this account nothing is settled.
	former  map[string]bool
	through messages.Position // nothing was spent on what comes after; 0: the log's end, once all have come
	moved   messages.Position // up to where an instance before may have been spent of: where all had come
	reading bool              // the log is read
	backoff hold.Backoff
}

// strangers are the former, in order.
func (b *bequest) strangers() []string { return slices.Sorted(maps.Keys(b.former)) }

type (
	// bounded is a worker's answer.
	bounded struct {
		of    *ledger
		spent int64
		err   error
	}
	bequestTime struct{ of *ledger }
	lookTime    struct{ of *ledger }
	// looked is a worker's answer: the month's ledger.
	looked struct {
		of     *ledger
		mark   uint64 // of the purse, when it was asked
		ledger *messages.Ledger
		err    error
	}
)

// inherit begins to settle what instances before have left open. end is the
// log's, as it was after the slots were known.
func (l *ledger) inherit(ctx actor.Context, end messages.Position) {
	if l.purse == nil || l.cfg.Spent == nil {
		return
	}
	for _, slot := range l.guests.Slots() {
		if price.Metered(slot.GetApi()) {
			l.bequest.former[slot.GetConnectionId()] = true
		}
	}
	l.bequest.moved = end
	l.lookLater(ctx)
	if len(l.purse.Inherited()) == 0 {
		return
	}
	l.cfg.Sometimes.Reached(actors.GrantInherited)
	if len(l.bequest.former) == 0 {
		l.bequest.through = end
	}
	l.recall(ctx, l.bequest.strangers())
	l.tick(ctx)
	l.bequeath(ctx)
}

// moved: the connection spends of this account, or has ended.
func (l *ledger) moved(ctx actor.Context, connection string) {
	if l.bequest.former[connection] {
		delete(l.bequest.former, connection)
		l.bequest.moved = max(l.bequest.moved, l.handled())
		l.bequeath(ctx)
	}
}

// lookLater has the ledger read once more, after as long as a store may take to do what
// an instance before has asked it for and had no answer to: that would stay charged.
func (l *ledger) lookLater(ctx actor.Context) {
	if l.plan().Credits > 0 {
		l.timers.Set(lookTime{}, l.cfg.SlotGrace, ctx.Self(), &lookTime{l})
	}
}

func (l *ledger) look(ctx actor.Context) {
	counters, id, of := l.cfg.Counters, l.id, month(l.cfg.Clock.Now())
	mark := l.purse.Mark()
	l.work(ctx, l.cfg.Worker, l.cfg.StoreTimeout, func(work context.Context) any {
		m := &looked{of: l, mark: mark}
		m.ledger, m.err = counters.Usage(work, id, of)
		return m
	})
}

func (l *ledger) looked(ctx actor.Context, m *looked) {
	if m.err != nil || len(l.bequest.former) > 0 || l.bequest.reading || !l.purse.Inherit(m.ledger.GetOpen(), m.mark) {
		l.lookLater(ctx)
		return
	}
	l.bequest.through = l.bequest.moved
	l.bequeath(ctx)
}

// bequeath has the log read once nobody spends of what was left open.
func (l *ledger) bequeath(ctx actor.Context) {
	inherited := l.purse.Inherited()
	if len(l.bequest.former) > 0 || l.bequest.reading || len(inherited) == 0 {
		return
	}
	l.bequest.reading = true
	var spenders []*messages.Spender
	var most int64
	for _, g := range inherited {
		spenders = append(spenders, g.GetSpenders()...)
		most += g.GetSize()
	}
	if slices.ContainsFunc(inherited, func(g *messages.Grant) bool { return len(g.GetSpenders()) == 0 }) {
		spenders = nil // whose that was is not known
	}
	if since, known := l.known(); !known || slices.ContainsFunc(spenders, func(s *messages.Spender) bool { return s.GetAfter() < since }) {
		spenders = nil // what matched is not: the rules of then are not kept
	}
	spent, queries, through := l.cfg.Spent, l.queries(), l.bequest.through
	l.work(ctx, l.cfg.Reader, l.cfg.HistoryTimeout, func(work context.Context) any {
		b := &bounded{of: l}
		b.spent, b.err = spent.Spent(work, queries, spenders, through, most)
		return b
	})
}

func (l *ledger) bounded(ctx actor.Context, b *bounded) {
	l.bequest.reading = false
	if b.err != nil {
		wait := l.bequest.backoff.Failed()
		l.log.Warn("what was spent before a crash cannot be read from the log; it is read again", "in", wait, "error", b.err)
		l.timers.Set(bequestTime{}, wait, ctx.Self(), &bequestTime{l})
		return
	}
	l.purse.Bequeath(b.spent)
	l.serve(ctx)
}

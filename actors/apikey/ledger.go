package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/actors/apikey/guests"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

// ledger is the key's purse with its way to the store and to the connections
// that spend. Its messages name it, and so the instance of the key.
//
// This file is the store's side: one operation under way, the same one until
// its outcome is certain. The connections' side is in lend.go, what a crash has
// left in bequest.go.
type ledger struct {
	cfg     *Config
	id      string // of the key
	log     *slog.Logger
	timers  *actors.Timers
	guests  *guests.Guests
	account func() uint64 // what connections call it: the key's term
	plan    func() Plan
	queries func() []*messages.Query // that what was delivered is found by
	handled func() messages.Position // what was handed on under this account, or is past
	known   func() (uint64, bool)    // from which position on they are all; false: of no event
	work    func(ctx actor.Context, by actors.Worker, timeout time.Duration, work func(context.Context) any)

	purse     *credit.Purse // nil: there is no such key
	backoff   hold.Backoff
	asking    map[string]*actor.PID // by connection id
	ticking   int                   // in how many seconds a secondTime comes; 0: none is on its way
	gathering bool                  // a gatherTime is on its way
	gathered  bool                  // it has come, and nothing was reserved since
	calling   bool                  // all that is held unspent is called back, and then it is settled
	ended     bool                  // it is settled, and then the actor stops
	reading   bool                  // the store is asked what the month was charged
	readings  int                   // in a row that met an operation under way
	curious   []actors.Held         // wait for that; at most curiousMost
	begun     string                // the latest month that is known to have a ledger
	bequest   bequest
}

func newLedger(k *key) *ledger {
	return &ledger{
		cfg: &k.cfg, id: k.id, log: k.log, timers: &k.timers, guests: k.guests, work: k.workBy,
		account: func() uint64 { return k.stream.Term() },
		plan:    k.plan,
		queries: func() []*messages.Query { return k.changes.Set.Queries(0, 0) },
		known:   func() (uint64, bool) { return k.changes.Set.Since(), k.live() },
		handled: func() messages.Position { return messages.Position(k.stream.Position()) },
		backoff: hold.Store(), asking: map[string]*actor.PID{}, bequest: bequest{former: map[string]bool{}, backoff: hold.Store()},
	}
}

// curiousMost is how many may wait to be told what a key has used; past it they
// are told to ask again.
const curiousMost = 64

// readingsMost is how often a month is read for those who wait. An operation that
// the store refuses again and again would have it read for ever.
const readingsMost = 8

// monthsKept is how many months' ledgers are kept.
const monthsKept = 14

type (
	secondTime struct{ of *ledger }
	// credited is a worker's answer.
	credited struct {
		of        *ledger
		operation *credit.Operation
		grant     *messages.Grant
		err       error
	}
	creditAgain struct {
		of        *ledger
		operation *credit.Operation
	}
	// monthRead is a worker's answer.
	monthRead struct {
		of     *ledger
		month  string
		mark   uint64 // of the purse, when it was asked
		ledger *messages.Ledger
		err    error
	}
)

// receive takes what the store and timers have to say.
func (l *ledger) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *secondTime:
		if m.of == l {
			l.second(ctx)
		}
	case *gatherTime:
		if m.of == l {
			l.gathering, l.gathered = false, l.purse.Lacking()
			l.serve(ctx)
		}
	case *credited:
		if m.of == l && m.operation == l.purse.Pending() {
			l.credited(ctx, m)
		}
	case *creditAgain:
		if m.of == l && m.operation == l.purse.Pending() {
			l.run(ctx, m.operation)
		}
	case *monthRead:
		if m.of == l {
			l.monthRead(ctx, m)
		}
	case *bounded:
		if m.of == l {
			l.bounded(ctx, m)
		}
	case *endTime:
		if m.of == l && l.calling {
			l.settle(ctx)
		}
	case *lookTime:
		if m.of == l {
			l.look(ctx)
		}
	case *looked:
		if m.of == l {
			l.looked(ctx, m)
		}
	case *bequestTime:
		if m.of == l {
			l.bequeath(ctx)
		}
	}
}

// open begins with what the store has of the month; begun says that it has anything.
func (l *ledger) open(month string, kept *messages.Ledger, begun bool) {
	if l.purse != nil {
		return
	}
	l.purse = credit.New(fmt.Sprintf("%x", l.account()), l.limit(), month, kept)
	if begun {
		l.begun = month
	}
}

// limit is what a month may be charged: a tenth more than the quota, so that a
// key whose connections hold some unspent still gets all that was paid for.
func (l *ledger) limit() int64 {
	quota := l.plan().Credits
	return quota/10*11 + quota%10*11/10
}

// update tells the purse what may have changed since it was last asked: the plan
// and the month.
func (l *ledger) update() {
	l.purse.SetLimit(l.limit())
	l.turn()
}

func (l *ledger) turn() { l.purse.Turn(month(l.cfg.Clock.Now())) }

func (l *ledger) exhausted() bool {
	l.update()
	return l.purse.Exhausted()
}

// usage is the present month and what it has cost so far.
func (l *ledger) usage() (string, int64) {
	l.turn()
	return l.purse.Month(), l.purse.Used()
}

// idle says that nothing is open or under way.
func (l *ledger) idle() bool { return (l.purse == nil || l.purse.Clear()) && !l.reading }

// prune deletes the ledgers of long ago.
func (l *ledger) prune(ctx actor.Context) {
	counters, id, count := l.cfg.Counters, l.id, l.cfg.Count
	l.work(ctx, l.cfg.Worker, l.cfg.StoreTimeout, func(work context.Context) any {
		if err := counters.Prune(work, id, monthsKept); err != nil {
			count("prune_failed") // the next month tries again
		}
		return nil
	})
}

// run does an operation.
func (l *ledger) run(ctx actor.Context, o *credit.Operation) {
	counters, reservation := l.cfg.Counters, Reservation{
		KeyID: l.id, Month: o.Month, N: o.Reserve, Limit: l.limit(), Spenders: o.Spenders, Op: o.ID,
		Replaces: o.Replaces.Grant, Used: o.Replaces.Used,
	}
	l.work(ctx, l.cfg.Worker, l.cfg.StoreTimeout, func(work context.Context) any {
		c := &credited{of: l, operation: o}
		if o.Settle == nil {
			c.grant, c.err = counters.Reserve(work, reservation)
			return c
		}
		for _, s := range o.Settle {
			if c.err = counters.Settle(work, s.Grant, s.Used); c.err != nil {
				return c
			}
		}
		return c
	})
}

func (l *ledger) credited(ctx actor.Context, c *credited) {
	switch o := c.operation; {
	case errors.Is(c.err, messages.ErrExhausted):
		l.purse.Refused(o)
	case errors.Is(c.err, messages.ErrNotFound):
		l.purse.Lost(o)
	case c.err != nil:
		l.cfg.Sometimes.Reached(actors.CreditAgain)
		wait := l.backoff.Failed()
		l.log.Warn("an operation on the key's credits failed; it is done again", "operation", o.ID, "in", wait, "error", c.err)
		l.timers.Set(creditAgain{}, wait, ctx.Self(), &creditAgain{l, o})
		return
	case o.Settle != nil:
		l.purse.Settled(o)
	default:
		l.purse.Reserved(o, c.grant)
		if o.Month > l.begun { // the month has a ledger: one too many may be kept
			l.begun = o.Month
			l.prune(ctx)
		}
	}
	l.backoff.Succeeded()
	l.serve(ctx)
}

// knows says whether it is known what the present month has cost. After a step
// of the clock it may not be: then the ledger is read, and the message waits
// for it.
func (l *ledger) knows(ctx actor.Context) bool {
	l.turn()
	if !l.purse.Unread() {
		return true
	}
	h := actors.Present(ctx)
	if len(l.curious) >= curiousMost {
		h.Refuse(ctx, actors.StoreDetail(nil))
		return false
	}
	l.curious = append(l.curious, h)
	if !l.reading {
		l.readMonth(ctx)
	}
	return false
}

// readMonth asks the store what the present month was charged.
func (l *ledger) readMonth(ctx actor.Context) {
	l.reading = true
	l.readings++
	counters, id, read := l.cfg.Counters, l.id, &monthRead{of: l, month: l.purse.Month(), mark: l.purse.Mark()}
	l.work(ctx, l.cfg.Worker, l.cfg.StoreTimeout, func(work context.Context) any {
		read.ledger, read.err = counters.Usage(work, id, read.month)
		return read
	})
}

func (l *ledger) monthRead(ctx actor.Context, m *monthRead) {
	l.reading = false
	if m.err == nil && !l.purse.Read(m.month, m.ledger.GetCharged(), m.mark) {
		if l.readings < readingsMost {
			l.readMonth(ctx)
			return
		}
		m.err = errors.New("it changes all the time")
	}
	l.readings = 0
	curious := l.curious
	l.curious = nil
	if m.err != nil {
		l.log.Warn("what the month was charged cannot be read", "month", m.month, "error", m.err)
		for _, h := range curious {
			h.Refuse(ctx, actors.StoreDetail(m.err))
		}
		return
	}
	for _, h := range curious {
		h.Serve(ctx)
	}
}

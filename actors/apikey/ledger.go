package apikey

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

// ledger is the purse's way to the store and to connections: one operation
// under way, the same one until its outcome is certain.
type ledger struct {
	operation *credit.Operation
	backoff   hold.Backoff
	calling   bool                  // all that is held unspent is called back, and then it is settled
	ended     bool                  // it is settled, and then the actor stops
	ticking   bool                  // a secondTime is on its way
	asking    map[string]*actor.PID // by connection id
	reading   bool                  // the store is asked what the month was charged
	curious   []held                // wait for that; at most curiousMost

	// former are connections that may still spend what an instance before has
	// granted: until each has come to this account, what was open then cannot be
	// settled.
	former   map[string]bool
	settling bool // the log is read for that, or it is decided
}

// strangers are the former, in order.
func (l *ledger) strangers() []string { return slices.Sorted(maps.Keys(l.former)) }

// curiousMost is how many may wait to be told what a key has used; past it they
// are told to ask again.
const curiousMost = 64

type (
	secondTime struct{ of *key }
	// credited is a worker's answer.
	credited struct {
		of        *key
		operation *credit.Operation
		grant     *messages.Grant
		err       error
	}
	// monthRead is a worker's answer.
	monthRead struct {
		of     *key
		month  string
		ledger *messages.Ledger
		err    error
	}
	creditAgain struct {
		of        *key
		operation *credit.Operation
	}
)

// metered says whether a frame of the API costs this key a credit.
func (k *key) metered(api messages.Api) bool { return price.Metered(api) && k.plan().Credits > 0 }

// cap is what a month may be charged: a tenth more than the quota, so that a
// key whose connections hold some unspent still gets all that was paid for.
func (k *key) cap() int64 { return k.plan().Credits/10*11 + k.plan().Credits%10*11/10 }

func (k *key) exhausted() bool {
	k.purse.SetLimit(k.cap()) // the plan may have changed since a connection last asked
	k.purse.Turn(month(k.cfg.Clock.Now()))
	return k.purse.Exhausted()
}

func (k *key) askCredit(ctx actor.Context, m *messages.AskCredit) {
	if ctx.Sender() == nil || k.ledger.calling || k.ledger.ended {
		return
	}
	account := k.stream.Term()
	switch {
	case k.purse == nil:
		ctx.Respond(&messages.CreditExhausted{Account: account, Question: m.GetQuestion()})
		return
	case k.plan().Credits == 0:
		// Nothing is metered: whoever asks all the same must not wait.
		granted := k.stateOf(m).Used + k.stateOf(m).Returned + max(m.GetWant(), 1)
		ctx.Respond(&messages.CreditGranted{Account: account, Granted: granted, Question: m.GetQuestion()})
		return
	case !k.guests.Known(m.GetConnectionId()):
		return // it has ended, or the slot is on its way and it asks again
	}
	k.purse.SetLimit(k.cap())
	k.turn(ctx)
	k.ledger.asking[m.GetConnectionId()] = ctx.Sender()
	k.purse.Ask(m.GetConnectionId(), k.stateOf(m), m.GetWant(), m.GetQuestion(), messages.Position(m.GetAfter()))
	k.moved(ctx, m.GetConnectionId(), m.GetAccount())
	k.credit(ctx)
}

// stateOf is how a connection's account here is. One that speaks of another
// account has nothing of this one yet.
func (k *key) stateOf(m interface {
	GetAccount() uint64
	GetUsed() int64
	GetReturned() int64
},
) credit.State {
	if m.GetAccount() != k.stream.Term() {
		return credit.State{}
	}
	return credit.State{Used: m.GetUsed(), Returned: m.GetReturned()}
}

func (k *key) reportCredit(ctx actor.Context, m *messages.ReportCredit) {
	if k.purse == nil {
		return
	}
	k.purse.Report(m.GetConnectionId(), k.stateOf(m), m.GetClosed())
	if m.GetClosed() {
		delete(k.ledger.asking, m.GetConnectionId())
		k.moved(ctx, m.GetConnectionId(), k.stream.Term())
	} else {
		k.moved(ctx, m.GetConnectionId(), m.GetAccount())
	}
	if k.ledger.calling && len(k.purse.Holders()) == 0 {
		k.settle(ctx)
		return
	}
	k.credit(ctx)
}

func (k *key) forgetCredit(ctx actor.Context, connectionID string) {
	delete(k.ledger.asking, connectionID)
	if k.purse != nil {
		k.purse.Forget(connectionID)
		k.moved(ctx, connectionID, k.stream.Term())
		k.credit(ctx)
	}
}

// turn takes the present month. With a new one the ledgers of long ago go.
func (k *key) turn(ctx actor.Context) {
	before := k.purse.Month()
	if k.purse.Turn(month(k.cfg.Clock.Now())); k.purse.Month() > before {
		k.prune(ctx)
	}
}

// credit answers who can be answered and does what is due.
func (k *key) credit(ctx actor.Context) {
	for _, a := range k.purse.Answers() {
		to := k.ledger.asking[a.Connection]
		delete(k.ledger.asking, a.Connection)
		switch {
		case to == nil:
		case a.Exhausted:
			ctx.Send(to, &messages.CreditExhausted{
				Account: k.stream.Term(), Granted: a.Granted, Question: a.Question, Used: k.purse.Used(), Limit: k.plan().Credits,
			})
		default:
			ctx.Send(to, &messages.CreditGranted{Account: k.stream.Term(), Granted: a.Granted, Question: a.Question})
		}
	}
	if k.ledger.operation == nil {
		if o := k.purse.Next(); o != nil {
			k.ledger.operation = o
			k.runCredit(ctx, o)
		}
	}
	if k.ledger.ended && k.ledger.operation == nil {
		ctx.Stop(ctx.Self())
		return
	}
	k.recall(ctx, k.purse.Recalls())
	if !k.ledger.ticking && !(k.purse.Clear() && k.ledger.operation == nil) {
		k.ledger.ticking = true
		k.timers.Set(secondTime{}, time.Second, ctx.Self(), &secondTime{k})
	}
}

// recall asks connections to return what they hold unspent. It is asked again
// every second; one that is not there any more is forgotten with its slot.
func (k *key) recall(ctx actor.Context, connections []string) {
	for _, id := range connections {
		if slot := k.guests.Of(id); slot != nil {
			if pid := k.cfg.Connection(slot); pid != nil {
				ctx.Request(pid, &messages.RecallCredit{Account: k.stream.Term()})
			}
		}
	}
}

// endWithin is how long connections have to return what they hold, when their
// key moves.
const endWithin = time.Second

type endTime struct{ of *key }

// end settles what is open and then stops the actor: its grants would stay
// charged whole. What connections that stay hold unspent is called back first.
func (k *key) end(ctx actor.Context) {
	switch {
	case k.ledger.calling || k.ledger.ended:
	case k.purse == nil:
		k.ledger.ended = true
		ctx.Stop(ctx.Self())
	case len(k.purse.Holders()) == 0:
		k.settle(ctx)
	default:
		k.ledger.calling = true
		k.recall(ctx, k.purse.Holders())
		k.timers.Set(endTime{}, endWithin, ctx.Self(), &endTime{k})
	}
}

func (k *key) settle(ctx actor.Context) {
	k.timers.Cancel(endTime{})
	k.ledger.calling, k.ledger.ended = false, true
	k.purse.End()
	k.credit(ctx)
}

func (k *key) second(ctx actor.Context, m *secondTime) {
	if m.of != k {
		return
	}
	k.ledger.ticking = false
	k.turn(ctx)
	k.recall(ctx, k.purse.Tick(k.purse.Month()))
	k.recall(ctx, k.ledger.strangers())
	k.credit(ctx)
}

func (k *key) runCredit(ctx actor.Context, o *credit.Operation) {
	counters, id, limit := k.cfg.Counters, k.id, k.cap()
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		c := &credited{of: k, operation: o}
		for _, s := range o.Settle {
			if c.err = counters.Settle(work, s.Grant, s.Used); c.err != nil {
				return c
			}
		}
		if len(o.Settle) > 0 {
			return c
		}
		c.grant, c.err = counters.Reserve(work, Reservation{
			KeyID: id, Month: o.Month, N: o.Reserve, Limit: limit, Position: o.Position, Op: o.ID,
		})
		return c
	})
}

func (k *key) credited(ctx actor.Context, c *credited) {
	if c.of != k || c.operation != k.ledger.operation {
		return
	}
	switch o := c.operation; {
	case errors.Is(c.err, messages.ErrExhausted):
		k.purse.Refused(o)
	case c.err != nil:
		wait := k.ledger.backoff.Failed()
		k.log.Warn("an operation on the key's credits failed; it is done again", "operation", o.ID, "in", wait, "error", c.err)
		k.timers.Set(creditAgain{}, wait, ctx.Self(), &creditAgain{k, o})
		return
	case len(o.Settle) > 0:
		k.purse.Settled(o)
	default:
		k.purse.Reserved(c.grant)
	}
	k.ledger.operation = nil
	k.ledger.backoff.Succeeded()
	k.credit(ctx)
}

func (k *key) creditAgain(ctx actor.Context, m *creditAgain) {
	if m.of == k && m.operation == k.ledger.operation {
		k.runCredit(ctx, m.operation)
	}
}

// knowsMonth says whether the key knows what the present month has cost. After
// a step of the clock it may not: then the ledger is read, and the message
// waits for it.
func (k *key) knowsMonth(ctx actor.Context) bool {
	k.purse.Turn(month(k.cfg.Clock.Now()))
	if !k.purse.Unread() {
		return true
	}
	h := held{ctx.Message(), ctx.Sender()}
	if len(k.ledger.curious) >= curiousMost {
		k.refuse(ctx, h, actors.StoreDetail(nil))
		return false
	}
	k.ledger.curious = append(k.ledger.curious, h)
	if k.ledger.reading {
		return false
	}
	k.ledger.reading = true
	counters, id, read := k.cfg.Counters, k.id, &monthRead{of: k, month: k.purse.Month()}
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		read.ledger, read.err = counters.Usage(work, id, read.month)
		return read
	})
	return false
}

func (k *key) monthRead(ctx actor.Context, m *monthRead) {
	if m.of != k {
		return
	}
	k.ledger.reading = false
	curious := k.ledger.curious
	k.ledger.curious = nil
	if m.err != nil {
		k.log.Warn("what the month was charged cannot be read", "month", m.month, "error", m.err)
		for _, h := range curious {
			k.refuse(ctx, h, actors.StoreDetail(m.err))
		}
		return
	}
	k.purse.Read(m.month, m.ledger.GetCharged())
	for _, h := range curious {
		ctx.Receive(&actor.MessageEnvelope{Message: h.message, Sender: h.sender})
	}
}

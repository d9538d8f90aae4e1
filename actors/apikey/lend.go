package apikey

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/messages"
)

// This file is the ledger's conversation with the connections that spend.

// ask takes a connection's wish for credits.
func (l *ledger) ask(ctx actor.Context, m *messages.AskCredit) {
	if ctx.Sender() == nil || l.calling || l.ended {
		return
	}
	account := l.account()
	switch {
	case l.purse == nil:
		ctx.Respond(&messages.CreditExhausted{Account: account, Question: m.GetQuestion()})
		return
	case l.plan().Credits == 0:
		// Nothing is metered: whoever asks all the same must not wait.
		s := l.stateOf(m)
		ctx.Respond(&messages.CreditGranted{Account: account, Granted: s.Used + s.Returned + max(m.GetWant(), 1), Question: m.GetQuestion()})
		return
	}
	api, known := l.guests.Api(m.GetConnectionId())
	if !known {
		return // it has ended, or the slot is on its way and it asks again
	}
	l.update()
	l.asking[m.GetConnectionId()] = ctx.Sender()
	l.purse.Ask(credit.Ask{
		Connection: m.GetConnectionId(), Api: api, State: l.stateOf(m), Want: m.GetWant(), Question: m.GetQuestion(),
	})
	if m.GetAccount() == account {
		l.moved(ctx, m.GetConnectionId())
	}
	l.serve(ctx)
}

// stateOf is how a connection's account here is. One that speaks of another
// account has nothing of this one yet.
func (l *ledger) stateOf(m interface {
	GetAccount() uint64
	GetUsed() int64
	GetReturned() int64
	GetAfter() uint64
},
) credit.State {
	s := credit.State{After: messages.Position(m.GetAfter())}
	if m.GetAccount() == l.account() {
		s.Used, s.Returned = m.GetUsed(), m.GetReturned()
	}
	return s
}

// report takes how a connection's account is.
func (l *ledger) report(ctx actor.Context, m *messages.ReportCredit) {
	if l.purse == nil {
		return
	}
	if m.GetClosed() && m.GetAccount() > l.account() {
		// It went on to another owner's account, and what it had used of this one
		// until then it says no more.
		l.purse.Forget(m.GetConnectionId())
	} else {
		l.purse.Report(m.GetConnectionId(), l.stateOf(m), m.GetClosed())
	}
	if m.GetClosed() {
		delete(l.asking, m.GetConnectionId())
	}
	if m.GetClosed() || m.GetAccount() == l.account() {
		l.moved(ctx, m.GetConnectionId())
	}
	if l.calling && len(l.purse.Holders()) == 0 {
		l.settle(ctx)
		return
	}
	l.serve(ctx)
}

// forget is the end of a connection: what it holds unsaid counts as used.
func (l *ledger) forget(ctx actor.Context, connection string) {
	delete(l.asking, connection)
	if l.purse != nil {
		l.purse.Forget(connection)
		l.moved(ctx, connection)
		l.serve(ctx)
	}
}

// serve answers who can be answered and does what is due. While all is called back
// nothing is lent: who is granted something after its call is not called again, and
// it would stay charged. Who waits asks the next owner.
func (l *ledger) serve(ctx actor.Context) {
	if l.calling {
		l.tick(ctx)
		return
	}
	for _, a := range l.purse.Answers() {
		l.answer(ctx, a)
	}
	l.next(ctx)
	if l.ended && l.purse.Pending() == nil {
		ctx.Stop(ctx.Self())
		return
	}
	l.recall(ctx, l.purse.Recalls())
	l.tick(ctx)
}

// gatherFor is how long a reservation waits for the connections that have not
// asked yet: what one asks for, the others want a moment later, and a grant names
// only those that have asked. Without it most reservations were written twice.
const gatherFor = 5 * time.Millisecond

type gatherTime struct{ of *ledger }

// next does what is due in the store.
func (l *ledger) next(ctx actor.Context) {
	if l.purse.Lacking() && !l.gathered && !l.ended && l.purse.Accounts() < len(l.guests.Slots()) {
		if !l.gathering {
			l.gathering = true
			l.timers.Set(gatherTime{}, gatherFor, ctx.Self(), &gatherTime{l})
		}
		return
	}
	if o := l.purse.Next(); o != nil {
		l.gathered = false
		l.run(ctx, o)
	}
}

// tick has the ledger hear of time, if somebody is to be asked again then or
// something to be settled: of the next second, or of several at once while
// connections only hold what they have. Of no more than until the month turns:
// what they hold is called back then.
func (l *ledger) tick(ctx actor.Context) {
	seconds := l.purse.Due()
	now := l.cfg.Clock.Now()
	if len(l.bequest.former) > 0 || seconds > 1 && month(now) != month(now.Add(time.Duration(seconds)*time.Second)) {
		seconds = 1
	}
	if seconds > 0 && (l.ticking == 0 || seconds < l.ticking) {
		l.ticking = seconds
		l.timers.Set(secondTime{}, time.Duration(seconds)*time.Second, ctx.Self(), &secondTime{l})
	}
}

// answer names who lends, so that a connection that ends while the key moves tells it.
func (l *ledger) answer(ctx actor.Context, a credit.Answer) {
	to := l.asking[a.Connection]
	delete(l.asking, a.Connection)
	switch {
	case to == nil:
	case a.Exhausted:
		ctx.Request(to, &messages.CreditExhausted{
			Account: l.account(), Granted: a.Granted, Question: a.Question, Used: l.purse.Used(), Limit: l.plan().Credits,
		})
	default:
		ctx.Request(to, &messages.CreditGranted{Account: l.account(), Granted: a.Granted, Question: a.Question})
	}
}

// recall asks connections to return what they hold unspent. It is asked again
// every second; one that is not there any more is forgotten with its slot.
func (l *ledger) recall(ctx actor.Context, connections []string) {
	for _, id := range connections {
		if slot := l.guests.Of(id); slot != nil {
			if pid := l.cfg.Connection(slot); pid != nil {
				ctx.Request(pid, &messages.RecallCredit{Account: l.account(), Granted: l.granted(id)})
			}
		}
	}
}

// granted is what the connection was granted in sum: it returns what it has not heard of,
// too.
func (l *ledger) granted(connection string) int64 {
	if l.purse == nil {
		return 0
	}
	return l.purse.Granted(connection)
}

func (l *ledger) second(ctx actor.Context) {
	seconds := l.ticking
	l.ticking = 0
	l.recall(ctx, l.purse.Tick(month(l.cfg.Clock.Now()), seconds))
	l.recall(ctx, l.bequest.strangers())
	l.serve(ctx)
}

// endWithin is how long connections have to return what they hold, when their
// key moves.
const endWithin = time.Second

type endTime struct{ of *ledger }

// end settles what is open and then stops the actor: its grants would stay
// charged whole. What connections that stay hold unspent is called back first.
func (l *ledger) end(ctx actor.Context) {
	switch {
	case l.calling || l.ended:
	case l.purse == nil:
		l.ended = true
		ctx.Stop(ctx.Self())
	case len(l.purse.Holders()) == 0:
		l.settle(ctx)
	default:
		l.calling = true
		l.cfg.Sometimes.Reached(actors.CreditCalledBack)
		l.recall(ctx, l.purse.Holders())
		l.timers.Set(endTime{}, endWithin, ctx.Self(), &endTime{l})
	}
}

// settle ends what connections hold, and the actor after it.
func (l *ledger) settle(ctx actor.Context) {
	l.timers.Cancel(endTime{})
	l.calling, l.ended = false, true
	l.purse.End()
	l.serve(ctx)
}

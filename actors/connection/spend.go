package connection

import (
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/connection/credit"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

// meter is what a connection has that is charged for what it is handed.
type meter struct {
	credit     credit.Balance
	prices     *price.List
	lender     *actor.PID // who has spoken of the account that it spends of; nil: nobody, or it is not known
	asked      *actor.PID // who was asked last: it may have granted what has not been heard of
	stopCredit func()     // the timer of the open question; nil: it does not run
}

// creditTime comes when the key has not answered for a while.
type creditTime struct{}

// charged takes what concerns credit.
func (c *connection) charged(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.CreditGranted:
		c.granted(ctx, m)
	case *messages.CreditExhausted:
		c.exhausted(ctx, m)
	case *messages.RecallCredit:
		c.recalled(ctx, m)
	case *creditTime:
		c.creditAgain(ctx)
	}
}

// owed is what the frames that wait cost.
func (c *connection) owed() (cost int64) {
	if c.outlet.empty() {
		return 0
	}
	for _, i := range c.outlet.waiting.items {
		for _, d := range i.deliveries {
			cost += c.prices.Frame(d.GetEvent())
		}
	}
	return cost
}

// spendsAfter is the position after which the events are that credits will be
// spent on, each of them once.
func (c *connection) spendsAfter() messages.Position {
	if !c.outlet.empty() {
		for _, i := range c.outlet.waiting.items {
			if len(i.deliveries) > 0 {
				return messages.Position(i.deliveries[0].GetPosition()) - 1
			}
		}
	}
	return c.follower.Place().From()
}

// askCredit asks the key for more, where it is time to.
func (c *connection) askCredit(ctx actor.Context) {
	if c.ended || c.meter == nil || c.credit.Asked() {
		return
	}
	if s, ask := c.credit.Ask(c.cfg.Clock.Elapsed(), c.owed()); ask {
		c.question(ctx, s)
	}
}

func (c *connection) creditAgain(ctx actor.Context) {
	c.stopCredit = nil
	if s, open := c.credit.Again(c.owed()); open && !c.ended {
		c.question(ctx, s)
	}
}

func (c *connection) question(ctx actor.Context, s credit.Statement) {
	c.asked = c.owner()
	ctx.Request(c.asked, &messages.AskCredit{
		KeyId: c.begun.KeyID, ConnectionId: c.begun.ID, Account: s.Account, Used: s.Used, Returned: s.Returned,
		Want: s.Want, Question: s.Question, After: uint64(c.spendsAfter()),
	})
	c.stopCredit = c.after(ctx, credit.Patience, &creditTime{})
}

func (c *connection) granted(ctx actor.Context, m *messages.CreditGranted) {
	if c.credit.Granted(m.GetAccount(), m.GetGranted(), m.GetQuestion()) {
		c.lender = ctx.Sender()
	}
	c.answered()
	c.drain(ctx)
}

// exhausted: what is left is spent; an event beyond it ends the connection. One
// that is owed nothing stays, and asks again when the next event comes: the
// quota may be raised, or the month turn.
func (c *connection) exhausted(ctx actor.Context, m *messages.CreditExhausted) {
	answers := c.credit.Exhausted(m.GetAccount(), m.GetGranted(), m.GetQuestion())
	c.answered()
	c.pass(ctx)
	if owed := c.owed(); answers && owed > 0 {
		c.end(ctx, messages.EndReason_END_CREDITS,
			fmt.Sprintf("the month's credits are used up: %d of %d", m.GetUsed(), m.GetLimit()))
		return
	}
	c.taken(ctx)
}

// answered ends the timer of a question that is not open any more.
func (c *connection) answered() {
	if !c.credit.Asked() && c.stopCredit != nil {
		c.stopCredit()
		c.stopCredit = nil
	}
}

// recalled gives back what others wait for.
func (c *connection) recalled(ctx actor.Context, m *messages.RecallCredit) {
	if s, ok := c.credit.Recalled(m.GetAccount(), m.GetGranted()); ok {
		c.lender = ctx.Sender()
		to := c.lender // the key that asks, which may be moving: its owner is another one then
		if to == nil {
			to = c.owner()
		}
		ctx.Send(to, c.reportOf(s, false))
	}
	c.askCredit(ctx) // for what waits, and for nothing else
}

// settle says at the end what was used. While the key moves its owner may be one that
// knows nothing of the account yet, or that is not there yet; who has lent is told too,
// and who was asked last, whose grant may be lost: nobody else would be asked again, and
// what is not returned is charged.
func (c *connection) settle(ctx actor.Context) {
	report, owner := c.reportOf(c.credit.Close(), true), c.owner()
	told := []string{owner.GetAddress()}
	for _, to := range []*actor.PID{c.lender, c.asked} {
		if to != nil && !slices.Contains(told, to.GetAddress()) {
			told = append(told, to.GetAddress())
			ctx.Send(to, report)
		}
	}
	ctx.Send(owner, report)
}

func (c *connection) reportOf(s credit.Statement, closed bool) *messages.ReportCredit {
	return &messages.ReportCredit{
		KeyId: c.begun.KeyID, ConnectionId: c.begun.ID, Account: s.Account, Used: s.Used, Returned: s.Returned, Closed: closed,
		After: uint64(c.spendsAfter()),
	}
}

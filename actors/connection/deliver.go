package connection

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// item waits for credit: a delivery, or the answer to a subscribe that took
// effect behind it.
type item struct {
	delivery *messages.Delivery
	answer   *messages.ClientSubscribed
}

// credit is what the key has granted and is not spent: delivered never passes
// charged, because nothing is handed on without it.
type credit struct {
	balance    int64
	unreported int64 // used since the last report
	want       int64 // how many are asked for at a time
	asked      bool
	askedAt    time.Time
}

const (
	creditLeast = 64
	creditMost  = 65_536
)

func (c *credit) init() { c.want = creditLeast }

// deliver hands on what the client has not had. The slice may be shared.
func (c *connection) deliver(ctx actor.Context, ds []*messages.Delivery) {
	for len(ds) > 0 && !c.beyond(ds[0]) {
		ds = ds[1:]
	}
	if len(ds) == 0 || c.ended {
		return
	}
	if !c.begun.Metered {
		c.hand(ctx, ds)
		return
	}
	now := min(c.credit.balance, int64(len(ds)))
	if len(c.out) > 0 {
		now = 0
	}
	if now > 0 {
		c.credit.balance -= now
		c.credit.unreported += now
		c.hand(ctx, ds[:now])
	}
	for _, d := range ds[now:] {
		c.hold(ctx, item{delivery: d})
	}
	c.askCredit(ctx)
}

// beyond says whether d stands after everything that was handed on.
func (c *connection) beyond(d *messages.Delivery) bool {
	p := messages.Position(d.GetPosition())
	return p > c.cursor || p == c.cursor && d.GetK() > c.cursorK
}

func (c *connection) hand(ctx actor.Context, ds []*messages.Delivery) {
	if c.ended {
		return
	}
	if !c.begun.Socket.Deliver(ds, c.begun.Cursors, c.embeddings()) {
		c.end(ctx, messages.EndReason_END_SLOW, "slow consumer")
		return
	}
	newest := ds[len(ds)-1]
	c.cursor, c.cursorK = messages.Position(newest.GetPosition()), newest.GetK()
	c.last = c.cfg.Clock.Now()
}

func (c *connection) hold(ctx actor.Context, i item) {
	if len(c.out) == c.cfg.HeldMax {
		c.end(ctx, messages.EndReason_END_SLOW, "events come faster than credit is granted")
		return
	}
	c.out = append(c.out, i)
}

// askCredit asks while there is still some left, so that a steady stream never waits.
func (c *connection) askCredit(ctx actor.Context) {
	r := &c.credit
	if c.ended || r.asked || r.balance > r.want/2 && len(c.out) == 0 {
		return
	}
	now := c.cfg.Clock.Now()
	switch since := now.Sub(r.askedAt); {
	case since < time.Second:
		r.want = min(2*r.want, creditMost)
	case since > 10*time.Second:
		r.want = max(r.want/2, creditLeast)
	}
	r.asked, r.askedAt = true, now
	ctx.Request(c.owner(), &messages.AskCredit{
		KeyId: c.begun.KeyID, ConnectionId: c.begun.ID, Want: max(r.want, int64(len(c.out))), Used: r.unreported,
	})
	r.unreported = 0
}

func (c *connection) granted(ctx actor.Context, m *messages.CreditGranted) {
	c.credit.asked = false
	c.credit.balance += m.GetAmount()
	c.spend(ctx)
	c.askCredit(ctx)
}

// exhausted: what is left is spent; an event beyond it ends the connection. One
// that is owed nothing stays, and asks again when the next event comes: the
// quota may be raised, or the month turn.
func (c *connection) exhausted(ctx actor.Context, m *messages.CreditExhausted) {
	c.credit.asked = false
	c.spend(ctx)
	if len(c.out) > 0 {
		c.end(ctx, messages.EndReason_END_CREDITS,
			fmt.Sprintf("the month's credits are used up: %d of %d", m.GetUsed(), m.GetLimit()))
	}
}

// dropWaiting forgets what waits for credit: a replay from the cursor brings
// it again. The answers owed are given now.
func (c *connection) dropWaiting() {
	for _, i := range c.out {
		if i.answer != nil {
			c.begun.Socket.Subscribed(i.answer)
		}
	}
	c.out = nil
}

// spend hands on what waited, as far as the credit reaches.
func (c *connection) spend(ctx actor.Context) {
	for len(c.out) > 0 && !c.ended {
		i := c.out[0]
		if i.delivery != nil {
			if c.credit.balance == 0 {
				break
			}
			c.credit.balance--
			c.credit.unreported++
			c.hand(ctx, []*messages.Delivery{i.delivery})
		} else {
			c.begun.Socket.Subscribed(i.answer)
		}
		c.out[0] = item{}
		c.out = c.out[1:]
	}
	if len(c.out) == 0 {
		c.out = nil
	}
	if len(c.out) == 0 && c.replay != nil && len(c.replay.buffer) > 0 {
		c.pump(ctx)
	}
}

package connection

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// outlet holds what waits for the socket or for credit, in order: events, and
// what is said between them. It is one pointer while nothing waits.
type outlet struct{ waiting *waiting }

type waiting struct {
	items      []item
	deliveries int // in them
	bytes      int // of the live ones' events
}

// item is one of: deliveries, a subscription that took effect, an error to say.
type item struct {
	deliveries []*messages.Delivery
	bytes      int  // of the events in them; not known where they are paced
	paced      bool // at the socket's pace, as what is read from the log
	accepted   *follow.Subscription
	said       string
}

const (
	replayPending = 256 << 10 // bytes queued at the socket, past which what is read from the log waits
	replayChunk   = 16        // deliveries between looks at the queue
)

func (o *outlet) empty() bool { return o.waiting == nil }

// deliver hands on, after what waits. The slice may be shared. bytes is what the
// events take; 0: it is not known, and counted where they have to wait. Ten
// thousand connections that wait with the same events do not each count them.
func (c *connection) deliver(ctx actor.Context, ds []*messages.Delivery, bytes int, paced bool) {
	if len(ds) == 0 || c.ended {
		return
	}
	if c.outlet.empty() && !paced {
		n := c.affordable(ds)
		c.hand(ctx, ds[:n])
		bytes -= bytes * n / len(ds)
		ds = ds[n:]
	}
	if len(ds) > 0 {
		c.put(ctx, item{deliveries: ds, bytes: bytes, paced: paced})
	}
	c.askCredit(ctx)
}

// bytesOf is about what the last n events of the message take; 0: it does not say.
func bytesOf(m *messages.Deliveries, n int) int {
	if n == len(m.GetDeliveries()) {
		return int(m.GetBytes())
	}
	return int(m.GetBytes()) * n / len(m.GetDeliveries())
}

// affordable spends credits on the first of the deliveries and says on how many.
func (c *connection) affordable(ds []*messages.Delivery) int {
	if c.meter == nil {
		return len(ds)
	}
	for i, d := range ds {
		if !c.credit.Spend(c.prices.Frame(d.GetEvent())) {
			return i
		}
	}
	return len(ds)
}

// put passes an item on as far as it may go now. What is read from the log is
// bounded by the reading; what is live and waits for credit is bounded here.
func (c *connection) put(ctx actor.Context, i item) {
	if c.ended {
		return
	}
	if c.outlet.empty() {
		c.outlet.waiting = &waiting{}
	}
	if i.bytes == 0 && !i.paced {
		for _, d := range i.deliveries {
			i.bytes += proto.Size(d.GetEvent())
		}
	}
	w := c.outlet.waiting
	w.items = append(w.items, i)
	w.bytes += i.bytes
	w.deliveries += len(i.deliveries)
	c.pass(ctx)
	if !c.outlet.empty() && !i.paced && (w.deliveries > c.cfg.HeldMost || w.bytes > c.cfg.HeldBytes) {
		c.end(ctx, messages.EndReason_END_SLOW, "events come faster than credit is granted")
	}
	if !c.outlet.empty() && !i.paced && !c.ended {
		c.cfg.Queues.Grown(gauge.Queue{Name: "connection: deliveries that wait for credit or the socket", Items: w.deliveries, Bytes: w.bytes, MostItems: c.cfg.HeldMost, MostBytes: c.cfg.HeldBytes})
	}
}

// drain passes on what waits, and lets a follower that waits for that go on.
func (c *connection) drain(ctx actor.Context) {
	c.pass(ctx)
	c.askCredit(ctx)
	c.taken(ctx)
}

// taken lets a follower that waits for it go on, once nothing waits here.
func (c *connection) taken(ctx actor.Context) {
	if c.outlet.empty() && c.follower.Waits() && !c.ended {
		c.step(ctx, follow.Taken{})
	}
}

// pass hands on what waits, as far as the socket and the credit take it.
func (c *connection) pass(ctx actor.Context) {
	w := c.outlet.waiting
	for w != nil && len(w.items) > 0 && !c.ended {
		i := &w.items[0]
		switch {
		case len(i.deliveries) > 0:
			if !c.passDeliveries(ctx, w, i) {
				return
			}
			if len(i.deliveries) > 0 {
				continue
			}
		case i.accepted != nil:
			c.embeddings = i.accepted.Query.GetNewsrank().GetIncludeEmbeddings()
			if s, ok := i.accepted.Tag.(*messages.ClientSubscribed); ok {
				c.begun.Socket.Subscribed(s)
			}
		case i.said != "":
			c.begun.Socket.Error(i.said)
		}
		w.items[0] = item{}
		w.items = w.items[1:]
	}
	c.outlet.waiting = nil
}

// passDeliveries hands on some of an item; false where none may go now.
func (c *connection) passDeliveries(ctx actor.Context, w *waiting, i *item) bool {
	n := len(i.deliveries)
	if i.paced {
		if c.begun.Socket.Pending() > replayPending {
			c.begun.Socket.NotifyDrained()
			return false
		}
		n = min(n, replayChunk)
	}
	if n = c.affordable(i.deliveries[:n]); n == 0 {
		return false
	}
	now, bytes := i.deliveries[:n], i.bytes*n/len(i.deliveries)
	i.deliveries = i.deliveries[n:]
	i.bytes -= bytes
	w.bytes -= bytes
	w.deliveries -= n
	c.hand(ctx, now)
	return true
}

func (c *connection) hand(ctx actor.Context, ds []*messages.Delivery) {
	if len(ds) == 0 || c.ended {
		return
	}
	if !c.cfg.Lease.Live() { // its slot may be another's by now
		c.end(ctx, messages.EndReason_END_DRAIN, "the node is apart from its cluster: resume at another")
		return
	}
	if !c.begun.Socket.Deliver(ds, c.begun.Cursors, c.embeddings) {
		c.cfg.Sometimes.Reached(actors.SlowConsumer)
		c.end(ctx, messages.EndReason_END_SLOW, "slow consumer")
		return
	}
	c.last, c.idle, c.tells = c.cfg.Clock.Elapsed(), false, false
}

// reached: the client has everything at or before the position, except for what
// waits. A client that resumes is told where it is when nothing has told it so
// for a while, and at once where it begins.
func (c *connection) reached(o follow.Reached) {
	now := c.cfg.Clock.Elapsed()
	if !c.begun.Cursors || !c.outlet.empty() || !o.First && !c.tells && now-c.last < c.cfg.IdleCursor {
		return
	}
	c.begun.Socket.Cursor(o.Position)
	c.last, c.tells = now, false
}

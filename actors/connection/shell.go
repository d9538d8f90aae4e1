package connection

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// step tells the follower what has happened, and does what it says. A follower
// that waits goes on as soon as everything it handed on has left the outlet.
func (c *connection) step(ctx actor.Context, in any) {
	if !c.following() {
		return
	}
	c.do(ctx, c.follower.Step(in))
	for !c.ended && c.outlet.empty() && c.follower.Waits() {
		c.do(ctx, c.follower.Step(follow.Taken{}))
	}
}

func (c *connection) do(ctx actor.Context, out []follow.Output) {
	var refused uint64 // the reading for which there was no worker
	for _, o := range out {
		if c.ended {
			return
		}
		switch o := o.(type) {
		case follow.Deliver:
			c.deliver(ctx, o.Deliveries, 0, !c.follower.Live())
		case follow.Accepted:
			c.put(ctx, item{accepted: o.Subscription})
		case follow.Refused:
			c.refused(ctx, &messages.ClientInvalid{Error: o.Detail})
		case follow.Reached:
			c.reached(o)
		case follow.Trimmed:
			c.put(ctx, item{said: c.trimmed(o.First)})
		case follow.Lost:
			c.put(ctx, item{said: lost(o.Lost)})
		case follow.Over:
			c.over(ctx, o)
		case follow.Wait:
			c.wait(ctx, o)
		case follow.ReadLog:
			if !c.readLog(ctx, o) {
				refused = o.Reading
			}
		default:
			c.ask(ctx, o)
		}
	}
	if refused != 0 {
		c.do(ctx, c.follower.Step(follow.ReadFailed{Reading: refused, Fault: follow.FaultBusy}))
	}
}

// ask sends the follower's question to whom it is for.
func (c *connection) ask(ctx actor.Context, o follow.Output) {
	id, key := c.begun.ID, c.begun.KeyID
	switch o := o.(type) {
	case follow.Join:
		ctx.Request(c.laneOwner(o.Lane), &messages.Join{
			ConnectionId: id, Connection: actors.RefOf(ctx.Self()),
			Query: o.Query, KeyId: key, Cursor: uint64(o.Cursor), Join: o.Join,
		})
	case follow.Leave:
		ctx.Request(c.laneOwner(o.Lane), c.leaveMessage(o))
	case follow.AskThrough:
		ctx.Request(c.laneOwner(o.Lane), &messages.AskThrough{ConnectionId: id, KeyId: key, Join: o.Join})
	case follow.AskQueries:
		ctx.Request(c.laneOwner(o.Lane), &messages.AskQueries{KeyId: key, Ask: o.Ask, From: uint64(o.From), Through: uint64(o.Through)})
	case follow.AskVoids:
		ctx.Request(c.frontier(o.Lane), &messages.AskVoids{From: uint64(o.From), Ask: o.Ask})
	}
}

func (c *connection) leaveMessage(o follow.Leave) *messages.Leave {
	return &messages.Leave{ConnectionId: c.begun.ID, KeyId: c.begun.KeyID, Join: o.Join}
}

// laneOwner is who sends what is new on a lane, now.
func (c *connection) laneOwner(lane follow.Lane) *actor.PID {
	if lane == laneKey {
		return c.owner()
	}
	return c.frontier(lane)
}

// nobody is told by one that is not the owner, or in the place of one that is no
// more: after a failure or a move the next one is a moment away, and whatever is
// open is asked again soon. Which question it was is not said, and need not be:
// each may be asked twice.
func (c *connection) nobody(ctx actor.Context) {
	if c.meter != nil && c.credit.Asked() {
		if c.stopCredit != nil {
			c.stopCredit()
		}
		c.stopCredit = c.after(ctx, ownerBack, &creditTime{})
	}
	c.step(ctx, follow.Moved{})
}

// ownerBack is how long a question about credit waits for the next owner.
const ownerBack = 250 * time.Millisecond

// frontier is the router whose matching decides how far a lane's log is read.
func (c *connection) frontier(lane follow.Lane) *actor.PID {
	if lane == laneSemantic && c.cfg.Semantic != nil {
		return c.cfg.Semantic
	}
	return c.cfg.Router
}

func (c *connection) wait(ctx actor.Context, o follow.Wait) {
	if c.stopWait != nil {
		c.stopWait()
		c.stopWait = nil
	}
	if o.For > 0 {
		c.stopWait = c.after(ctx, o.For, &fired{o.Timer})
	}
}

// read is a worker's answer.
type read struct {
	reading uint64
	result  follow.Result
	err     error
}

func (c *connection) readLog(ctx actor.Context, o follow.ReadLog) (taken bool) {
	replays := c.cfg.Replays
	return c.cfg.Reads(c.begun.KeyID).Do(ctx.Self(), c.cfg.ReplayTimeout, func(work context.Context) any {
		result, err := replays.Replay(work, o.Request)
		return &read{o.Reading, result, err}
	})
}

func (c *connection) read(ctx actor.Context, m *read) {
	c.step(ctx, follow.Outcome(m.reading, m.result, m.err))
}

func (c *connection) over(ctx actor.Context, o follow.Over) {
	switch o.Why {
	case follow.WhySlow:
		c.end(ctx, messages.EndReason_END_SLOW, "cannot catch up with the live rate")
		return
	case follow.WhyLog:
		c.cfg.Logger.Error("reading the log failed; the connection is closed and may resume", "connection", c.begun.ID, "error", o.Detail)
		c.end(ctx, messages.EndReason_END_INTERNAL, "the log cannot be read at the moment: resume later")
		return
	case follow.WhySilent:
		c.cfg.Logger.Error("a connection waited for an answer that never came; it is closed and may resume", "connection", c.begun.ID, "key", c.begun.KeyID, "for", o.Detail)
		c.end(ctx, messages.EndReason_END_INTERNAL, "the server does not come to an answer at the moment: resume later")
		return
	}
	c.end(ctx, messages.EndReason_END_INTERNAL, o.Detail)
}

// trimmed tells a client that what it missed is gone.
func (c *connection) trimmed(first messages.Position) string {
	if c.begun.Cursors {
		return fmt.Sprintf("cursor is older than what is kept; the first position still held is %d; live events follow", first)
	}
	return "some events were lost: they are older than what is kept; live events follow"
}

// lost names a part of the log that cannot be read.
func lost(l messages.Lost) string {
	why := "the disk no longer holds them"
	if l.Why == messages.Trimmed {
		why = "they are older than what is kept"
	}
	return fmt.Sprintf("events were lost: those at positions %d to %d, %s; what follows comes after them", l.From, l.To, why)
}

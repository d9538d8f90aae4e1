// Package connection is one client's socket as an actor: it replays from the
// client's cursor to near the log's end, joins the live side, then follows it.
//
//	waiting --subscribe--> replaying --near the end--> joining --through Q--> live
//	   |                                                                       |  ^
//	   └--------------------- without a cursor --------------> joining --------┘  |
//	                             live --a number is missing--> replaying ---------┘
//
// Posts come from the key's actor, articles and stories from the node's
// router. Either promises, at Join, everything after Q live; the connection
// reads the log through Q itself and holds, within a bound, what arrives
// meanwhile. The same steps serve a client that comes back and a lost message.
//
// Invariant: (position, k) at the socket grows strictly. A restart would break
// it, so the supervisor stops a failed connection; the client resumes by cursor.
//
// The package knows no JSON, no close code and no filter's meaning.
package connection

import (
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

type connection struct {
	cfg      *Config
	begun    *Begin // nil before the first message
	behavior actor.Behavior

	cursor  messages.Position // everything at or before (cursor, cursorK) was handed to the socket or did not match
	cursorK uint32
	last    time.Time // when a frame was last handed on

	query     *messages.Query              // what is asked for; nil towards a key
	joins     []*messages.ClientSubscribed // subscribes whose Joined is awaited, in order
	postponed []*messages.ClientSubscribed // subscribes that came while joining
	changing  *messages.ClientSubscribed   // a subscribe that waits to change lanes
	term      uint64                       // of the key's numbering
	number    uint64                       // of the newest Deliveries seen

	replay     *replay              // nil when live
	generation uint64               // of the replay: answers to older readings are dropped
	held       []*messages.Delivery // live, behind a replay; at most cfg.HeldMax
	credit     credit
	out        []item // waiting for credit; at most cfg.HeldMax

	invalid   []time.Time // newest invalid messages, at most cfg.InvalidMax
	following bool        // live: what comes is behind the cursor
	ended     bool

	stopPing, stopCursor func() // the timers that outlive a second
}

// Props describes every connection of a node. Spawn each under a strategy that
// stops it on failure, and tell it Begin before anything else.
func Props(config Config) *actor.Props {
	cfg := config.withDefaults()
	return cfg.Props("connection", func() actor.Actor {
		c := &connection{cfg: &cfg, behavior: actor.NewBehavior()}
		c.credit.init()
		c.behavior.Become(c.waiting)
		return c
	}, actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	pingTime   struct{}
	cursorTime struct{}
	firstOver  struct{}
	probeOver  struct{ asked time.Time }
)

func (c *connection) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *Begin:
		c.begun = m
		c.began(ctx)
	case *actor.Stopping:
		c.leave(ctx)
	case *messages.SocketClosed:
		c.ended = true
		ctx.Stop(ctx.Self())
	case *messages.End:
		c.end(ctx, m.GetReason(), m.GetDetail())
	case *messages.Heard:
	case *messages.ClientPinged:
		c.begun.Socket.Pong()
	case *messages.ClientInvalid:
		c.refused(ctx, m)
	case *messages.Probe:
		c.probed(ctx, m)
	case *probeOver:
		if c.begun.Socket.LastHeard().Before(m.asked) {
			c.end(ctx, messages.EndReason_END_DEAD, "no answer to a ping")
		}
	case *pingTime:
		c.ping(ctx)
	case *cursorTime:
		c.cursorDue(ctx)
	case *messages.CreditGranted:
		c.granted(ctx, m)
	case *messages.CreditExhausted:
		c.exhausted(ctx, m)
	default:
		c.behavior.Receive(ctx)
	}
}

func (c *connection) began(ctx actor.Context) {
	now := c.cfg.Clock.Now()
	c.last = now
	c.cursor, c.cursorK = c.begun.From, c.begun.FromK
	// The first ping comes at a random time, so that ten thousand connections
	// of one storm do not ping in step for ever.
	first := time.Duration(c.cfg.Rand.Uint64N(uint64(c.cfg.PingEvery))) + 1
	c.stopPing, c.stopCursor = c.after(ctx, first, &pingTime{}), func() {}
	if c.begun.Cursors {
		c.stopCursor = c.after(ctx, c.cfg.IdleCursor, &cursorTime{})
	}
	if c.begun.API != messages.Api_API_NEWSRANK {
		c.begun.Socket.Connected()
	}
	if c.begun.Notice != "" {
		c.begun.Socket.Error(c.begun.Notice)
	}
	switch {
	case c.begun.API == messages.Api_API_TWITTER:
		c.begin(ctx)
	case c.begun.Filters != nil:
		c.first(ctx, c.begun.Filters)
	case c.begun.API == messages.Api_API_KITE && c.begun.Resume:
		c.after(ctx, c.cfg.FirstSubscribe, &firstOver{})
	case c.begun.API == messages.Api_API_KITE:
		c.query = queryOf(unfiltered(c.begun.API))
		c.begin(ctx)
	}
}

// waiting is before the first subscribe.
func (c *connection) waiting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.ClientSubscribed:
		c.first(ctx, m)
	case *messages.ClientUnsubscribed:
		c.first(ctx, unfiltered(c.begun.API))
	case *firstOver:
		c.query = queryOf(unfiltered(c.begun.API))
		c.begin(ctx)
	}
}

// live follows what the router or the key sends.
func (c *connection) live(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Deliveries:
		if c.counts(ctx, m) {
			c.deliver(ctx, m.GetDeliveries())
		}
	case *messages.ClientSubscribed:
		c.change(ctx, m)
	case *messages.ClientUnsubscribed:
		c.change(ctx, unfiltered(c.begun.API))
	case *messages.Joined:
		c.changed(ctx)
	case *messages.JoinRefused:
		c.unchanged(m)
	case *messages.Through:
		if c.changing != nil {
			c.laneChanged(ctx, m)
			return
		}
		c.advance(messages.Position(m.GetPosition()))
	case *messages.Rejoin:
		c.rejoin(ctx)
	}
}

// counts says whether the message is the next of its numbering; if one is
// missing, the log has what was lost.
func (c *connection) counts(ctx actor.Context, m *messages.Deliveries) bool {
	if m.GetTerm() == 0 {
		return true // from the router on this node: not numbered, never lost
	}
	if m.GetTerm() < c.term {
		return false // an owner that has been replaced
	}
	if m.GetTerm() > c.term || m.GetNumber() != c.number+1 {
		c.rejoin(ctx)
		return false
	}
	c.number = m.GetNumber()
	return true
}

// rejoin begins again from what the client has. A connection that has no place
// in the log yet is owed nothing before now.
func (c *connection) rejoin(ctx actor.Context) {
	if c.cursor == 0 {
		c.join(ctx)
		return
	}
	c.startReplay(ctx)
}

func (c *connection) ping(ctx actor.Context) {
	c.stopPing = c.after(ctx, c.cfg.PingEvery, &pingTime{})
	if c.cfg.Clock.Now().Sub(c.begun.Socket.LastHeard()) > 2*c.cfg.PingEvery {
		c.end(ctx, messages.EndReason_END_DEAD, "no pong for two intervals")
		return
	}
	c.begun.Socket.Ping()
	c.askThrough(ctx) // keeps the place near the head, should a message be lost
}

func (c *connection) cursorDue(ctx actor.Context) {
	idle := c.cfg.Clock.Now().Sub(c.last)
	if idle < c.cfg.IdleCursor {
		c.stopCursor = c.after(ctx, c.cfg.IdleCursor-idle, &cursorTime{})
		return
	}
	c.stopCursor = c.after(ctx, c.cfg.IdleCursor, &cursorTime{})
	c.askThrough(ctx)
}

func (c *connection) askThrough(ctx actor.Context) {
	if !c.following {
		return
	}
	if c.begun.API == messages.Api_API_TWITTER {
		ctx.Request(c.owner(), &messages.AskThrough{ConnectionId: c.begun.ID, KeyId: c.begun.KeyID})
		return
	}
	ctx.Request(c.routerOf(c.query), &messages.AskThrough{ConnectionId: c.begun.ID})
}

// advance takes word that nothing more comes at or before p.
func (c *connection) advance(p messages.Position) {
	if p <= c.cursor || len(c.out) > 0 {
		return
	}
	c.cursor, c.cursorK = p, math.MaxUint32
	now := c.cfg.Clock.Now()
	if c.begun.Cursors && now.Sub(c.last) >= c.cfg.IdleCursor {
		c.begun.Socket.Cursor(p)
		c.last = now
	}
}

func (c *connection) probed(ctx actor.Context, m *messages.Probe) {
	asked := c.cfg.Clock.Now()
	c.begun.Socket.Ping()
	c.after(ctx, time.Duration(m.GetWithinMs())*time.Millisecond, &probeOver{asked})
}

// refused answers a message that cannot be served. Only newsrank's contract
// ends a connection for too many of them.
func (c *connection) refused(ctx actor.Context, m *messages.ClientInvalid) {
	c.begun.Socket.Error(m.GetError())
	if c.begun.API != messages.Api_API_NEWSRANK {
		return
	}
	now := c.cfg.Clock.Now()
	c.invalid = append(c.invalid, now)
	if len(c.invalid) < c.cfg.InvalidMax {
		return
	}
	if now.Sub(c.invalid[0]) <= time.Minute {
		c.end(ctx, messages.EndReason_END_ABUSE, "too many invalid messages")
		return
	}
	c.invalid = append(c.invalid[:0], c.invalid[1:]...)
}

func (c *connection) end(ctx actor.Context, reason messages.EndReason, detail string) {
	if c.ended {
		return
	}
	c.ended = true
	c.begun.Socket.End(reason, detail)
	ctx.Stop(ctx.Self())
}

// owner is where the key's owner is now; it is never kept.
func (c *connection) owner() *actor.PID { return c.cfg.Owners.Owner(c.begun.KeyID) }

// leave gives back what the connection holds. It runs after a failure too, so
// it must not fail itself.
func (c *connection) leave(ctx actor.Context) {
	if c.begun == nil {
		return
	}
	if c.stopPing != nil {
		c.stopPing()
		c.stopCursor()
	}
	if c.begun.API == messages.Api_API_TWITTER {
		ctx.Send(c.owner(), &messages.Leave{ConnectionId: c.begun.ID, KeyId: c.begun.KeyID})
	} else {
		ctx.Send(c.routerOf(c.query), &messages.Leave{ConnectionId: c.begun.ID})
	}
	if c.begun.Metered {
		ctx.Send(c.owner(), &messages.ReportCredit{
			KeyId: c.begun.KeyID, ConnectionId: c.begun.ID, Used: c.credit.unreported, Returned: c.credit.balance,
		})
	}
	ctx.Send(c.owner(), &messages.Release{KeyId: c.begun.KeyID, Api: c.begun.API, ConnectionId: c.begun.ID})
	if !c.ended {
		c.ended = true
		c.begun.Socket.End(messages.EndReason_END_INTERNAL, "internal error")
	}
}

func (c *connection) after(ctx actor.Context, d time.Duration, message any) (cancel func()) {
	return c.cfg.Clock.After(d, ctx.Self(), message)
}

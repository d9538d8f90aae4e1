// Package connection is one client's socket as an actor: it says what the
// client asks for to a follower, and hands what that gives to the socket.
//
//	client ── subscribe ──▶ follower ── Join, AskVoids, ReadLog … ──▶ router, key, log
//	socket ◀── outlet ◀── Deliver, Accepted, Reached ── follower ◀── Joined, Deliveries …
//
// The follower (actors/engine/follow) decides what comes and when: replay, join,
// live. The outlet keeps the order of events and answers, and lets through what
// the socket and the credit take. Neither knows the other.
//
// Invariant: (position, k) at the socket grows strictly. A restart would break
// it, so the supervisor stops a failed connection; the client resumes by cursor.
//
// The package knows no JSON, no close code and no filter's meaning.
package connection

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

type connection struct {
	cfg      *Config
	begun    *Begin  // nil before the first message
	resume   *resume // nil once the follower has begun, or where no cursor was given
	follower follow.Follower
	outlet   outlet
	*meter   // nil: the connection is not charged for

	last       actors.Instant   // when a frame was last handed on
	pingAt     actors.Instant   // when the client is to be pinged
	placeAt    actors.Instant   // when one that is idle is to be told its place; 0: it knows no cursors
	idle       bool             // it is since placeAt: nothing was handed on after it
	tells      bool             // it is to be told, as soon as its place is proved
	proved     actors.Instant   // when its place was last proved, or a proof asked for because it was time
	invalid    []actors.Instant // newest invalid messages, at most cfg.InvalidMax
	embeddings bool             // in the frames of what is handed on now
	ended      bool

	stopDue, stopWait, stopProbe func() // the timers that run; nil: it does not
}

// Props describes every connection of a node. Spawn each under a strategy that
// stops it on failure, and tell it Begin before anything else.
func Props(config Config) *actor.Props {
	cfg := config.withDefaults()
	return cfg.Props("connection", func() actor.Actor { return &connection{cfg: &cfg} },
		actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	dueTime   struct{}
	firstOver struct{}
	probeOver struct{ asked actors.Instant }
	fired     struct{ timer uint64 }
)

func (c *connection) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Deliveries:
		if ds, ok := c.follower.Next(m); ok {
			c.deliver(ctx, ds, bytesOf(m, len(ds)), false)
		} else {
			c.step(ctx, m)
		}
	case *Begin:
		c.begun = m
		c.began(ctx)
	case *actor.Started:
		if c.cfg.Keeper != nil {
			ctx.Send(c.cfg.Keeper, &Opened{ctx.Self()})
		}
	case *actor.Stopping:
		c.leave(ctx)
	case *actor.Stopped:
		if c.cfg.Keeper != nil {
			ctx.Send(c.cfg.Keeper, &Closed{ctx.Self()})
		}
	case *messages.SocketClosed:
		c.ended = true
		ctx.Stop(ctx.Self())
	case *messages.End:
		c.end(ctx, m.GetReason(), m.GetDetail())
	default:
		if c.begun != nil && !c.ended && (c.resume == nil || !c.resuming(ctx, m)) {
			c.receive(ctx)
		}
	}
}

// following says whether there is a follower that goes on.
func (c *connection) following() bool { return c.begun != nil && !c.ended && c.resume == nil }

// receive is after Begin and before the end.
func (c *connection) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.ClientSubscribed:
		c.subscribe(ctx, c.subscription(m))
	case *messages.ClientUnsubscribed:
		c.subscribe(ctx, unfiltered(c.begun.API))
	case *messages.ClientPinged:
		c.begun.Socket.Pong()
	case *messages.ClientInvalid:
		c.refused(ctx, m)
	case *messages.SocketDrained:
		c.drain(ctx)
	case *messages.CreditGranted, *messages.CreditExhausted, *messages.RecallCredit, *creditTime:
		if c.meter != nil {
			c.charged(ctx)
		}
	case *messages.Probe:
		c.probed(ctx, m)
	case *probeOver:
		c.stopProbe = nil
		if c.begun.Socket.Silence() > c.cfg.Clock.Elapsed()-m.asked {
			c.end(ctx, messages.EndReason_END_DEAD, "no answer to a ping")
		}
	case *dueTime:
		c.due(ctx)
	case *firstOver:
		if c.follower.Idle() {
			c.subscribe(ctx, unasked)
		}
	case *fired:
		c.step(ctx, follow.Fired{Timer: m.timer})
	case *messages.NotOwner, *actor.DeadLetterResponse:
		c.nobody(ctx)
	case *messages.Through:
		c.through(ctx, m)
	case *read:
		c.read(ctx, m)
	case *actors.WorkPanicked:
		c.step(ctx, follow.ReadFailed{Reading: c.follower.Reading(), Detail: "reading the log panicked"})
	default:
		c.step(ctx, m)
	}
}

// through takes a proof, and says so to a key that waits for the answer.
func (c *connection) through(ctx actor.Context, m *messages.Through) {
	if c.following() && m.GetJoin() == c.follower.Joined() {
		c.proved = c.cfg.Clock.Elapsed()
	}
	c.step(ctx, m)
	if ctx.Sender() != nil && !c.ended {
		ctx.Respond(&messages.ThroughTaken{
			ConnectionId: m.GetConnectionId(), KeyId: m.GetKeyId(), Number: m.GetNumber(), Term: m.GetTerm(), Join: m.GetJoin(),
		})
	}
}

func (c *connection) began(ctx actor.Context) {
	b := c.begun
	c.last = c.cfg.Clock.Elapsed()
	if b.Metered {
		c.meter = &meter{prices: price.Of(b.API)}
	}
	// The first ping comes at a random time, so that ten thousand connections
	// of one storm do not ping in step for ever.
	c.pingAt = c.last + time.Duration(c.cfg.Rand.Uint64N(uint64(c.cfg.PingEvery))) + 1
	if b.Cursors {
		c.placeAt = c.last + c.cfg.IdleCursor
	}
	c.awaitDue(ctx)
	if b.API != messages.Api_API_NEWSRANK {
		b.Socket.Connected()
	}
	if b.Cursor != nil {
		c.resume = &resume{cancel: func() {}}
		c.askHeld(ctx)
		return
	}
	c.begin(ctx, follow.Place{}, "")
}

// begin follows from a place on, once what is wanted is known.
func (c *connection) begin(ctx actor.Context, from follow.Place, notice string) {
	b := c.begun
	c.follower = follow.New(&c.cfg.Follow, from)
	if notice != "" {
		b.Socket.Error(notice)
	}
	switch {
	case b.API == messages.Api_API_TWITTER:
		c.subscribe(ctx, posts)
	case b.Filters != nil:
		c.subscribe(ctx, c.subscription(b.Filters))
	case b.API == messages.Api_API_KITE && b.Cursor != nil && notice == "":
		c.after(ctx, c.cfg.FirstSubscribe, &firstOver{})
	case b.API == messages.Api_API_KITE:
		c.subscribe(ctx, unasked)
	}
}

func (c *connection) subscribe(ctx actor.Context, s *follow.Subscription) {
	c.step(ctx, follow.Subscribe{Subscription: s})
}

// due pings the client, tells it where it is, or both. An idle client is told where it
// is at its pings, once it was told after IdleCursor: one timer for both is half of what
// an idle connection costs.
func (c *connection) due(ctx actor.Context) {
	now := c.cfg.Clock.Elapsed()
	pings := now >= c.pingAt
	if pings && !c.ping(now) {
		c.end(ctx, messages.EndReason_END_DEAD, "no pong for two intervals")
		return
	}
	if c.begun.Cursors {
		c.place(ctx, now, pings)
	} else {
		c.prove(ctx)
	}
	if !c.ended {
		c.awaitDue(ctx)
	}
}

func (c *connection) awaitDue(ctx actor.Context) {
	at := c.pingAt
	if c.begun.Cursors {
		at = min(at, c.placeAt)
	}
	c.stopDue = c.after(ctx, at-c.cfg.Clock.Elapsed(), &dueTime{})
}

// ping is false where the client has been silent for too long.
func (c *connection) ping(now actors.Instant) bool {
	c.pingAt = now + c.cfg.PingEvery
	if c.begun.Socket.Silence() > 2*c.cfg.PingEvery {
		return false
	}
	c.begun.Socket.Ping()
	return true
}

// place tells an idle client where it is.
func (c *connection) place(ctx actor.Context, now actors.Instant, pings bool) {
	switch {
	case now < c.placeAt && !(pings && c.idle):
		return
	case now-c.last < c.cfg.IdleCursor && !c.idle: // something was handed on since the timer was set
		c.placeAt = c.last + c.cfg.IdleCursor
		return
	}
	c.placeAt, c.idle, c.tells = now+c.cfg.IdleCursor, true, true
	if !c.prove(ctx) {
		c.reached(follow.Reached{Position: c.follower.Place().Position})
	}
}

// prove asks the owner how far it is, which moves the place, and finds a last message
// that was lost; false: that is not worth a question yet. Each takes six messages, and
// most connections of most nodes are idle.
func (c *connection) prove(ctx actor.Context) (asked bool) {
	if now := c.cfg.Clock.Elapsed(); !c.near() || now-c.proved >= c.cfg.ProveMost {
		c.proved = now
		c.step(ctx, follow.Prove{})
		return true
	}
	return false
}

// nearFrames are read in no time by whoever goes on from there.
const nearFrames = 64

// near says whether the place is proved, and near the log's end.
func (c *connection) near() bool {
	if !c.following() || !c.follower.Live() || c.cfg.Head == nil {
		return false
	}
	at := c.follower.Place()
	return at == follow.End(at.Position) && c.cfg.Head() <= at.Position.Sequence()+nearFrames
}

// probed asks the client for a sign of life. While a question is open it is not
// asked again: that would put its end off.
func (c *connection) probed(ctx actor.Context, m *messages.Probe) {
	if c.stopProbe != nil {
		return
	}
	asked := c.cfg.Clock.Elapsed()
	c.begun.Socket.Ping()
	c.stopProbe = c.after(ctx, time.Duration(m.GetWithinMs())*time.Millisecond, &probeOver{asked})
}

// refused answers a message that cannot be served. Only newsrank's contract
// ends a connection for too many of them.
func (c *connection) refused(ctx actor.Context, m *messages.ClientInvalid) {
	c.begun.Socket.Error(m.GetError())
	if c.begun.API != messages.Api_API_NEWSRANK {
		return
	}
	now := c.cfg.Clock.Elapsed()
	c.invalid = append(c.invalid, now)
	if len(c.invalid) < c.cfg.InvalidMax {
		return
	}
	if now-c.invalid[0] <= time.Minute {
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
	if c.begun != nil {
		c.begun.Socket.End(reason, detail)
	}
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
	for _, stop := range []func(){c.stopDue, c.stopWait, c.stopProbe} {
		if stop != nil {
			stop()
		}
	}
	if c.resume != nil {
		c.resume.cancel()
	}
	for _, o := range c.quit() {
		if leave, ok := o.(follow.Leave); ok {
			ctx.Send(c.laneOwner(leave.Lane), c.leaveMessage(leave)) // nobody waits for the answer
		}
	}
	if c.meter != nil {
		if c.stopCredit != nil {
			c.stopCredit()
		}
		c.settle(ctx)
	}
	releases := c.cfg.Releases
	if releases == nil {
		releases = c.owner()
	}
	ctx.Send(releases, &messages.Release{KeyId: c.begun.KeyID, Api: c.begun.API, ConnectionId: c.begun.ID})
	if !c.ended {
		c.ended = true
		c.begun.Socket.End(messages.EndReason_END_INTERNAL, "internal error")
	}
}

// quit is what a follower that has begun leaves to be said.
func (c *connection) quit() []follow.Output {
	if c.resume != nil {
		return nil
	}
	return c.follower.Quit()
}

func (c *connection) after(ctx actor.Context, d time.Duration, message any) (cancel func()) {
	return c.cfg.Clock.After(d, ctx.Self(), message)
}

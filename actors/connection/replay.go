package connection

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// replay is where the reading of the log stands.
//
//	ask the router how far it has matched, and which positions are repeats
//	ask the key for its queries, where posts are wanted
//	read frames up to there, match, hand on as the socket drains; ask again
//	near the end: Join, then read through Q
type replay struct {
	through  messages.Position // read and handed on up to here
	target   messages.Position // what the router had matched when asked
	voids    *messages.VoidsKnown
	queries  []*messages.Query
	asked    bool // for queries, unanswered
	reading  bool
	buffer   []*messages.Delivery // read, not handed on
	read     messages.Position    // where the buffer's reading ended
	failures int
	joined   bool
	q        messages.Position // Joined's promise
}

const (
	replayFailuresMost = 8
	replayPending      = 256 << 10 // bytes queued at the socket, past which the replay waits
	replayChunk        = 16        // deliveries between looks at the queue
)

type (
	replayed struct {
		generation uint64
		result     ReplayResult
		err        error
	}
	replayAgain struct{ generation uint64 }
)

func (c *connection) startReplay(ctx actor.Context) {
	c.held, c.following = nil, false
	c.dropWaiting()
	c.generation++
	c.replay = &replay{through: c.cursor}
	c.behavior.Become(c.replaying)
	c.askRound(ctx)
}

// askRound begins one stretch: how far may be read, and with which queries.
func (c *connection) askRound(ctx actor.Context) {
	r := c.replay
	r.voids = nil
	ctx.Request(c.routerOf(c.query), &messages.AskVoids{From: uint64(r.through)})
	if c.begun.API == messages.Api_API_TWITTER {
		r.asked = true
		ctx.Request(c.owner(), &messages.AskQueries{KeyId: c.begun.KeyID})
		return
	}
	r.queries = []*messages.Query{c.query}
}

// replaying is before Join: live messages are of an earlier Join and dropped.
func (c *connection) replaying(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.ClientSubscribed:
		c.refilter(ctx, m)
	case *messages.ClientUnsubscribed:
		c.refilter(ctx, unfiltered(c.begun.API))
	default:
		c.replayStep(ctx, m)
	}
}

// joining is between Join and Q: live messages are held.
func (c *connection) joining(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Joined:
		c.joined(ctx, m)
	case *messages.JoinRefused:
		c.end(ctx, messages.EndReason_END_INTERNAL, m.GetDetail())
	case *messages.Deliveries:
		// Before Joined it is of an earlier Join: the log has it.
		if c.replay.joined && c.counts(ctx, m) {
			c.holdLive(ctx, m.GetDeliveries())
		}
	case *messages.ClientSubscribed:
		c.postpone(m)
	case *messages.ClientUnsubscribed:
		c.postpone(unfiltered(c.begun.API))
	case *messages.Rejoin:
		c.rejoin(ctx)
	default:
		c.replayStep(ctx, m)
	}
}

func (c *connection) replayStep(ctx actor.Context, message any) {
	switch m := message.(type) {
	case *messages.VoidsKnown:
		c.voidsKnown(ctx, m)
	case *messages.Queries:
		c.replay.queries, c.replay.asked = m.GetQueries(), false
		c.readNext(ctx)
	case *replayed:
		c.replayed(ctx, m)
	case *actors.WorkPanicked:
		c.replayed(ctx, &replayed{generation: c.generation, err: errReplayPanicked})
	case *replayAgain:
		if m.generation == c.generation {
			c.readNext(ctx)
		}
	case *messages.SocketDrained:
		c.pump(ctx)
	}
}

// refilter starts the reading anew from where the client stands.
func (c *connection) refilter(ctx actor.Context, s *messages.ClientSubscribed) {
	if old := c.routerOf(c.query); old != c.routerOf(queryOf(s)) {
		ctx.Send(old, &messages.Leave{ConnectionId: c.begun.ID})
	}
	c.query = queryOf(s)
	c.begun.Socket.Subscribed(s)
	c.startReplay(ctx)
}

// postpone keeps a subscribe until the connection is live: one that came
// between Join and Q would split the held events in two.
func (c *connection) postpone(s *messages.ClientSubscribed) {
	if len(c.postponed) == joinsMost {
		c.begun.Socket.Error("too many subscribe messages at once: wait for the answers")
		return
	}
	c.postponed = append(c.postponed, s)
}

func (c *connection) voidsKnown(ctx actor.Context, m *messages.VoidsKnown) {
	r := c.replay
	if m.GetFrom() != uint64(r.through) || r.reading {
		return // an answer to a reading that was given up
	}
	r.voids = m
	r.target = messages.Position(m.GetThrough())
	if r.joined && r.target > r.q {
		r.target = r.q
	}
	c.readNext(ctx)
}

// readNext asks for the next stretch, or goes on to Join or to live.
func (c *connection) readNext(ctx actor.Context) {
	r := c.replay
	if r.voids == nil || r.asked || r.reading || len(r.buffer) > 0 {
		return
	}
	if r.through >= r.target {
		c.stretchDone(ctx)
		return
	}
	request := ReplayRequest{
		Queries: r.queries, From: r.through, Through: r.target,
		Voids: r.voids.GetPositions(), VoidsSince: messages.Position(r.voids.GetSince()),
		Frames: c.cfg.ReplayFrames, Deliveries: c.cfg.ReplayFound,
	}
	if r.through == c.cursor && c.cursorK != math.MaxUint32 && request.From > 0 {
		request.From-- // the event at the cursor may have further deliveries, of higher k
	}
	generation, replays := c.generation, c.cfg.Replays
	r.reading = c.cfg.Reads(c.begun.KeyID).Do(ctx.Self(), c.cfg.ReplayTimeout, func(work context.Context) any {
		result, err := replays.Replay(work, request)
		return &replayed{generation, result, err}
	})
	if !r.reading {
		c.after(ctx, 50*time.Millisecond, &replayAgain{generation})
	}
}

func (c *connection) replayed(ctx actor.Context, m *replayed) {
	r := c.replay
	if m.generation != c.generation {
		return
	}
	r.reading = false
	var trimmed *TrimmedError
	switch {
	case errors.As(m.err, &trimmed):
		c.trimmed(ctx, trimmed)
	case m.err != nil:
		r.failures++
		if r.failures > replayFailuresMost {
			c.cfg.Logger.Error("replay failed; the connection is closed and may resume", "connection", c.begun.ID, "error", m.err)
			c.end(ctx, messages.EndReason_END_INTERNAL, "the log cannot be read at the moment: resume later")
			return
		}
		c.after(ctx, 50*time.Millisecond<<r.failures, &replayAgain{c.generation})
	default:
		r.failures = 0
		r.buffer, r.read = m.result.Deliveries, m.result.Through
		c.pump(ctx)
	}
}

// trimmed: what the client missed is gone. It is told so, and goes on live.
func (c *connection) trimmed(ctx actor.Context, e *TrimmedError) {
	if c.begun.Cursors {
		c.begun.Socket.Error(fmt.Sprintf("cursor is older than what is kept; the first position still held is %d; live events follow", e.First))
	}
	c.cursor, c.cursorK = 0, 0
	c.join(ctx)
}

// pump hands the buffer on as fast as the socket and the credit take it.
func (c *connection) pump(ctx actor.Context) {
	r := c.replay
	for len(r.buffer) > 0 && !c.ended {
		if c.begun.Socket.Pending() > replayPending {
			c.begun.Socket.NotifyDrained()
			return
		}
		if len(c.out) > 0 {
			return // granted comes back here
		}
		n := min(replayChunk, len(r.buffer))
		chunk := r.buffer[:n]
		r.buffer = r.buffer[n:]
		c.deliver(ctx, chunk)
	}
	if c.ended || r.reading || r.read == 0 {
		return
	}
	r.buffer = nil
	r.through, r.read = max(r.through, r.read), 0
	if len(c.out) == 0 && r.through > c.cursor {
		c.cursor, c.cursorK = r.through, math.MaxUint32
	}
	c.readNext(ctx)
}

// stretchDone: everything the router had matched when asked is handed on.
func (c *connection) stretchDone(ctx actor.Context) {
	r := c.replay
	switch {
	case r.joined && r.through >= r.q:
		c.goLive(ctx)
	case r.joined:
		c.askRound(ctx)
	default:
		c.join(ctx)
	}
}

// join asks for everything from now on, live.
func (c *connection) join(ctx actor.Context) {
	c.held, c.following = nil, false
	c.behavior.Become(c.joining)
	if c.replay == nil {
		c.replay = &replay{}
	}
	c.replay.joined = false
	c.sendJoin(ctx, c.query)
}

func (c *connection) joined(ctx actor.Context, m *messages.Joined) {
	r := c.replay
	c.term, c.number = m.GetTerm(), m.GetNumber()
	r.joined, r.q = true, messages.Position(m.GetPosition())
	if c.cursor == 0 {
		// From now: the client has no place yet, and nothing is owed to it.
		c.cursor, c.cursorK = r.q, math.MaxUint32
		r.through = r.q
	}
	if r.through >= r.q {
		c.goLive(ctx)
		return
	}
	c.askRound(ctx)
}

func (c *connection) holdLive(ctx actor.Context, ds []*messages.Delivery) {
	// A client that cannot take the last stretch faster than the live rate
	// never catches up, and its memory would be ours.
	if len(c.held)+len(ds) > c.cfg.HeldMax {
		c.end(ctx, messages.EndReason_END_SLOW, "cannot catch up with the live rate")
		return
	}
	c.held = append(c.held, ds...)
}

func (c *connection) goLive(ctx actor.Context) {
	c.behavior.Become(c.live)
	c.following = true
	held := c.held
	c.held = nil
	c.replay = nil
	if len(c.joins) > 0 { // the first subscribe, answered where it took effect
		c.changed(ctx)
	}
	c.deliver(ctx, held)
	if c.cursor == 0 {
		c.askThrough(ctx)
	}
	postponed := c.postponed
	c.postponed = nil
	for _, s := range postponed {
		c.change(ctx, s)
	}
}

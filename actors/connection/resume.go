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

// resume is a connection whose client gave a cursor, until it is known whether
// that can be served: the log says what it holds. What the client sends
// meanwhile waits.
type resume struct {
	asked  uint64                       // numbers the question; an answer to another is dropped
	early  []*messages.ClientSubscribed // nil in it: an unsubscribe; at most earlyMost
	cancel func()                       // of the timer for the next try
	since  actors.Instant               // when the cursor was first found to be beyond the log's end; 0: it was not
}

const (
	earlyMost   = 16
	resumeRetry = 500 * time.Millisecond
	// beyondMost is how long a log may end before a cursor of its own history until
	// that is believed: a leader of it that was suspended or cut off names the end that
	// it knew, for ten seconds at the most.
	beyondMost = 12 * time.Second
)

type (
	held struct {
		asked uint64
		Held
		err error
	}
	resumeTime struct{}
)

// askHeld asks what the log holds, and again where nobody could say.
func (c *connection) askHeld(ctx actor.Context) {
	c.resume.asked++
	replays, asked := c.cfg.Replays, c.resume.asked
	taken := c.cfg.Reads(c.begun.KeyID).Do(ctx.Self(), c.cfg.ReplayTimeout, func(work context.Context) any {
		h := &held{asked: asked}
		h.Held, h.err = replays.Held(work)
		return h
	})
	c.resume.cancel()
	wait := c.cfg.ReplayTimeout + 10*time.Second // longer than the worker has
	if !taken {
		wait = resumeRetry
	}
	c.resume.cancel = c.after(ctx, wait, &resumeTime{})
}

// resuming handles what comes before it is known where to begin; false: the
// message concerns something else.
func (c *connection) resuming(ctx actor.Context, message any) bool {
	switch m := message.(type) {
	case *held:
		c.heard(ctx, m)
	case *actors.WorkPanicked:
		c.heard(ctx, &held{asked: c.resume.asked, err: fmt.Errorf("reading panicked: %v", m.Reason)})
	case *resumeTime:
		c.askHeld(ctx)
	case *messages.ClientSubscribed:
		c.wantEarly(ctx, m)
	case *messages.ClientUnsubscribed:
		c.wantEarly(ctx, nil)
	default:
		return false
	}
	return true
}

func (c *connection) wantEarly(ctx actor.Context, m *messages.ClientSubscribed) {
	if len(c.resume.early) == earlyMost {
		c.end(ctx, messages.EndReason_END_ABUSE, "too many subscribes before the first was answered")
		return
	}
	c.resume.early = append(c.resume.early, m)
}

// heard begins where the client's cursor says, or now, with a word on why not.
func (c *connection) heard(ctx actor.Context, m *held) {
	if m.asked != c.resume.asked {
		return
	}
	c.resume.cancel()
	if m.err != nil {
		c.cfg.Logger.Warn("a cursor cannot be looked at; it is tried again", "connection", c.begun.ID, "in", resumeRetry, "error", m.err)
		c.resume.cancel = c.after(ctx, resumeRetry, &resumeTime{})
		return
	}
	cursor, early := *c.begun.Cursor, c.resume.early
	if beyond(cursor, m.Held) {
		now := c.cfg.Clock.Elapsed()
		if c.resume.since == 0 {
			c.resume.since = now
		}
		if now-c.resume.since < beyondMost {
			c.resume.cancel = c.after(ctx, resumeRetry, &resumeTime{})
			return
		}
	}
	c.resume = nil
	notice := refusal(cursor, m.Held)
	from := follow.Place{}
	if notice == "" {
		if from = (follow.Place{Position: cursor.Position, K: cursor.K}); cursor.Position == 0 {
			from = follow.End(0) // the log's beginning, which is not now
		}
	}
	c.begin(ctx, from, notice)
	for _, m := range early {
		if m == nil {
			c.subscribe(ctx, unfiltered(c.begun.API))
		} else {
			c.subscribe(ctx, c.subscription(m))
		}
	}
}

// beyond: the log does not hold what its own cursor names.
func beyond(cursor messages.Cursor, held Held) bool {
	return cursor.Epoch == held.Epoch && cursor.Position.Sequence() > held.Last
}

// refusal says why a cursor cannot be served from, "" where it can. A position
// beyond the end would silence the connection until the log had passed it. One
// from before what is held is the replay's to find: retention goes on.
func refusal(cursor messages.Cursor, held Held) string {
	why := ""
	switch {
	case cursor.Epoch != held.Epoch:
		why = "is of another history"
	case beyond(cursor, held):
		why = "lies beyond the end of the log"
	default:
		return ""
	}
	return fmt.Sprintf("cursor %s; the first position still held is %d; live events follow", why, messages.At(held.First, 0))
}

package router

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// This file is how frames are handled: in turns of bounded length, between
// which other messages are served. A router that catches up, or compares each
// event with a hundred thousand vectors, answers Join and AskThrough all the
// same. A turn may end in the middle of a frame: positions are what numbers and
// answers are about, not frames.

// goOn is what a router sends itself where a turn did not handle everything.
type goOn struct{}

// maxFrameEvents is a frame's bound, and what a mask has room for.
const maxFrameEvents = 256

// turn has the bounds of what is under way.
type turn struct {
	events int            // still to be handled at most
	until  actors.Instant // no event is begun after it
	clock  actors.Clock
	stride int // events from one look at the clock to the next
	look   int // events until the next look
	last   actors.Instant
}

// strideMost: looking at the clock for every event would cost a twentieth of
// matching it.
const strideMost = 8

func (r *router) newTurn() turn {
	now := r.cfg.Clock.Elapsed()
	return turn{
		events: r.cfg.TurnEvents, until: now + r.cfg.TurnTime, clock: r.cfg.Clock,
		stride: strideMost, look: strideMost, last: now,
	}
}

// spent counts one event and says whether the turn is over.
func (t *turn) spent() bool {
	t.events--
	if t.look--; t.look > 0 {
		return t.events <= 0
	}
	now := t.clock.Elapsed()
	if now-t.last > (t.until-t.last)/8 {
		t.stride = 1 // events are slow: each is looked at
	}
	t.last, t.look = now, t.stride
	return t.events <= 0 || now >= t.until
}

// goOn begins a turn, unless one is to come.
func (r *router) goOn(ctx actor.Context) {
	if !r.going {
		r.takeTurn(ctx)
	}
}

// takeTurn handles what comes next, and lets others have a turn before the rest.
func (r *router) takeTurn(ctx actor.Context) {
	r.going = false
	t := r.newTurn()
	for h := r.buffer.frames[r.state.next]; h != nil; h = r.buffer.frames[r.state.next] {
		if h.frame == nil {
			r.skip(ctx, h)
		} else {
			r.handleSafely(ctx, h, &t)
		}
		r.readOn(ctx)
		if t.events <= 0 || t.clock.Elapsed() >= t.until {
			break
		}
	}
	r.readOn(ctx)
	if r.state.subscriptions.endThrough(r.state.index, r.state.through()) {
		r.merge(ctx)
	}
	more := r.stage(ctx)
	if !r.going && (more || r.buffer.frames[r.state.next] != nil) {
		r.going = true
		ctx.Send(ctx.Self(), &goOn{})
	}
}

// handleSafely keeps the failure of one frame to that frame.
func (r *router) handleSafely(ctx actor.Context, h *held, t *turn) {
	if refused := r.try("a frame", func() { r.handle(ctx, h, t) }); refused != "" {
		t.events = 0
		r.dispatch, r.seen = dispatch{}, Observation{}
		r.recovered(ctx)
	}
}

// readOn reads the next stretch of the log where the last one was not all, as
// soon as there is room for it.
func (r *router) readOn(ctx actor.Context) {
	if r.again {
		r.read(ctx)
		r.again = !r.reading
	}
}

// skip goes on past sequences that the log has said will never be read.
func (r *router) skip(ctx actor.Context, h *held) {
	from, to := r.state.next, h.gone
	r.buffer.remove(from)
	r.state.next, r.state.done = to, 0
	if h.loss == messages.NotLost {
		return
	}
	r.cfg.Logger.Error("frames are gone from the log and were never delivered here", "from", from, "to", to-1)
	r.cfg.Observe(Observation{Sequence: to - 1, Skipped: to - from})
	r.missed(ctx, to-1)
}

// handle matches one frame, or as much of it as the turn has room for, and
// tells everyone. The next one is due after it.
func (r *router) handle(ctx actor.Context, h *held, t *turn) {
	sequence, events := r.state.next, h.frame.GetEvents()
	r.state.trying = sequence
	snapshot := r.state.index.Snapshot()
	r.dispatch.sizes = h.sizes
	for i := r.state.done; i < len(events); i++ {
		e, p := events[i], messages.At(sequence, i)
		r.state.done = i + 1
		if r.state.window.AddAt(e.GetId(), p) {
			r.state.voids.add(p)
			r.seen.Repeats++
			r.cfg.Sometimes.Reached(actors.EventRepeated)
		} else {
			r.matched(snapshot, p, e)
		}
		if t.spent() {
			break
		}
	}
	whole := r.state.done == len(events)
	if whole {
		r.buffer.remove(sequence)
		r.state.next, r.state.done = sequence+1, 0
	}
	r.seen.Deliveries += r.dispatch.send(ctx, r.cfg.Owners, uint64(r.state.through()))
	if whole {
		seen := r.seen
		r.seen = Observation{}
		seen.Sequence, seen.Events, seen.FromLog = sequence, len(events), h.fromLog
		seen.Lag = r.pace.lag(sequence, r.cfg.Clock.Elapsed())
		r.keepPace(ctx)
		r.cfg.Observe(seen)
	}
	r.state.trying = 0
}

// matched matches one event.
func (r *router) matched(snapshot *index.Snapshot, p messages.Position, e *messages.Event) {
	hits, err := r.match(snapshot, p, e)
	if err != nil {
		r.seen.Panics++
		r.cfg.Logger.Error("matching an event failed; it is skipped", "position", p, "event", e.GetId(), "error", err)
	}
	r.seen.Hits += hits
}

// match keeps one event's failure to that event.
func (r *router) match(s *index.Snapshot, p messages.Position, e *messages.Event) (hits int, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return r.dispatch.match(s, r.state.subscriptions.owners, p, e), nil
}

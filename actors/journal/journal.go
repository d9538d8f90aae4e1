// Package journal is a node's group commit: what sources offer becomes frames,
// durable in the log, and each frame is sent to every router.
//
//	idle --an offer--> writing --acknowledged--> idle | writing
//	                   writing --failed, unknown--> waiting --timer--> writing (same frame, same name)
//	                   writing --a newer owner of the name has written--> fenced, for good
//
// One frame is in flight at a time. Several would be faster, and a retry of the
// first after the second was written would change the order of the log; with
// one, order survives every retry. While it is being written the next one
// fills, so frames grow with the load.
//
// The package never shows an event to anyone before its append was
// acknowledged, and never decides what is a repeat: that is the routers' to
// say from the log. It only saves them the ones it knows of.
package journal

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Bounds of one frame.
const (
	MaxFrameEvents = 256
	MaxFrameBytes  = 256 << 10
)

// Log is where frames become durable. Called inside a Worker only.
type Log interface {
	// Append writes the frame once under its name, however often it is asked
	// to, and returns its sequence. messages.ErrFull: nothing was written and
	// nothing will be until space is freed. messages.ErrFenced: a newer owner of
	// the node's name has written, and nothing more is taken from this one.
	// messages.ErrInvalid: this frame can never be written. Any other error:
	// unknown, ask again.
	Append(ctx context.Context, frame *messages.Frame) (sequence uint64, err error)
}

// Config is what a journal takes from its node.
type Config struct {
	Node        string
	Incarnation uint64
	Log         Log
	State       *State
	Clock       actors.Clock
	Worker      actors.Worker
	Props       actors.Props
	Routers     func() []*actor.PID // of every live node, this one's first
	Logger      *slog.Logger
	Observe     func(Observation) // one a frame; must not block
	Sometimes   actors.Sometimes  // nil: nobody wants to know
	Queues      gauge.Told        // told of what waits inside; nil: nobody wants to know
	// Fenced is told once that this node may not write any more, and why: it
	// gives up what it owns. It must not block.
	Fenced func(error)

	MaxEvents     int           // waiting, default 16,384
	MaxBytes      int           // waiting, default 32 MiB
	AppendTimeout time.Duration // default 10 s: longer than an election takes
}

// Observation is what one append showed.
type Observation struct {
	Events, Duplicates int
	Took               time.Duration
	Err                error
}

func (c Config) withDefaults() Config {
	if c.MaxEvents == 0 {
		c.MaxEvents = 16_384
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 32 << 20
	}
	if c.AppendTimeout == 0 {
		c.AppendTimeout = 10 * time.Second
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.Fenced == nil {
		c.Fenced = func(error) {}
	}
	return c
}

const (
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
	busyRetry  = 100 * time.Millisecond
	fullRetry  = 5 * time.Second
)

// journal is the actor.
//
// A restart keeps State: the frame in flight is asked again under its own
// name. Offers that waited are lost with the instance; their offerers time out
// and offer again, and the window drops what had been written.
type journal struct {
	cfg   Config
	queue queue

	parts   []part         // of the frame in flight
	sizes   []uint32       // of its events; nil where an instance before this one made it
	since   actors.Instant // when it was made
	retry   time.Duration
	busy    bool             // a worker has the frame in flight
	asked   actors.Instant   // it was
	panics  int              // of writing the frame in flight, in a row
	slow    map[string]lease // routers that are behind, by address and id: nothing new is taken while there are any
	wanting bool             // a retry timer runs
	timers  actors.Timers
}

// Props describes one journal.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("journal", func() actor.Actor {
		return &journal{cfg: cfg, queue: queue{maxEvents: cfg.MaxEvents, maxBytes: cfg.MaxBytes}, slow: map[string]lease{}, timers: actors.NewTimers(cfg.Clock)}
	}, actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	// appended is a worker's answer.
	appended struct {
		number   uint64
		sequence uint64
		err      error
	}
	retryNow struct{}
)

func (j *journal) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		j.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		j.timers.Stop()
	case *messages.Offer:
		j.offered(ctx, m)
	case *appended:
		j.appended(ctx, m)
	case *actors.WorkPanicked:
		j.panicked(ctx)
	case *retryNow:
		j.wanting = false
		j.write(ctx)
	case *messages.SlowDown:
		j.slowDown(ctx, m)
	case *messages.SpeedUp:
		if sender := ctx.Sender(); sender != nil {
			delete(j.slow, sender.String())
		}
	}
}

func (j *journal) started(ctx actor.Context) {
	if j.cfg.State.inFlight != nil {
		j.write(ctx)
	}
}

func (j *journal) offered(ctx actor.Context, m *messages.Offer) {
	sizes, total, largest := measure(m.GetEvents())
	switch {
	case j.cfg.State.fenced:
		j.refuse(ctx, ctx.Sender(), m.GetId(), messages.RefuseReason_REFUSE_STOPPING, fullRetry, fencedDetail)
		return
	case len(m.GetEvents()) == 0:
		ctx.Respond(&messages.Appended{Id: m.GetId()})
		return
	case largest > MaxFrameBytes:
		j.refuse(ctx, ctx.Sender(), m.GetId(), messages.RefuseReason_REFUSE_TOO_LARGE, 0,
			"an event is larger than a frame may be (256 KiB)")
		return
	case j.slowed(ctx, m):
		return
	case !j.queue.accepts(len(m.GetEvents()), total):
		j.refuse(ctx, ctx.Sender(), m.GetId(), messages.RefuseReason_REFUSE_BUSY, busyRetry, "the journal's queue is full")
		return
	}
	j.queue.push(&offer{id: m.GetId(), from: ctx.Sender(), events: m.GetEvents(), sizes: sizes}, total)
	if len(j.queue.offers) > 1 {
		j.cfg.Queues.Grown(gauge.Queue{Name: "journal: events offered", Items: j.queue.events, Bytes: j.queue.bytes, MostItems: j.queue.maxEvents, MostBytes: j.queue.maxBytes})
	}
	j.askAgain(ctx)
	j.fill(ctx)
}

// fill makes the next frame when none is in flight.
func (j *journal) fill(ctx actor.Context) {
	for j.cfg.State.inFlight == nil && len(j.queue.offers) > 0 {
		events, sizes, parts := j.queue.frame(j.cfg.State.window)
		j.parts, j.sizes = parts, sizes
		if len(events) == 0 {
			j.settle(ctx, 0) // nothing but duplicates
			continue
		}
		j.cfg.State.number++
		j.cfg.State.inFlight = &messages.Frame{
			Node: j.cfg.Node, Incarnation: j.cfg.Incarnation, Number: j.cfg.State.number, Events: events,
		}
		j.since, j.retry, j.panics = j.cfg.Clock.Elapsed(), retryFirst, 0
		j.write(ctx)
	}
}

// askAgain gives up on a worker that was not heard of again long after its
// deadline, and writes the same frame under the same name. It is looked at when
// something is offered: until then nobody waits.
func (j *journal) askAgain(ctx actor.Context) {
	if j.busy && j.cfg.Clock.Elapsed()-j.asked > 3*j.cfg.AppendTimeout {
		j.cfg.Logger.Error("an append was never answered; the same frame is tried again", "frame", j.cfg.State.inFlight.GetNumber())
		j.busy = false
		j.write(ctx)
	}
}

// write asks the log for the frame in flight.
func (j *journal) write(ctx actor.Context) {
	frame := j.cfg.State.inFlight
	if frame == nil || j.busy {
		return
	}
	log := j.cfg.Log
	j.asked = j.cfg.Clock.Elapsed()
	j.busy = j.cfg.Worker.Do(ctx.Self(), j.cfg.AppendTimeout, func(c context.Context) any {
		sequence, err := log.Append(c, frame)
		return &appended{number: frame.GetNumber(), sequence: sequence, err: err}
	})
	if !j.busy {
		j.later(ctx)
	}
}

func (j *journal) appended(ctx actor.Context, m *appended) {
	frame := j.cfg.State.inFlight
	if frame == nil || m.number != frame.GetNumber() {
		return // an answer to a question asked before a restart, and since answered
	}
	if m.err != nil {
		j.failed(ctx, m.err)
		return
	}
	now := j.cfg.Clock.Elapsed()
	j.busy = false
	j.cfg.State.inFlight = nil
	for i, e := range frame.GetEvents() {
		j.cfg.State.window.AddAt(e.GetId(), messages.At(m.sequence, i))
	}
	shown := &messages.FrameAppended{Sequence: m.sequence, Frame: frame, Sizes: j.sizes}
	for _, router := range j.cfg.Routers() {
		ctx.Send(router, shown)
	}
	duplicates := j.settle(ctx, m.sequence)
	j.cfg.Observe(Observation{Events: len(frame.GetEvents()), Duplicates: duplicates, Took: now - j.since})
	j.fill(ctx)
}

// settle answers the offers whose last event the frame carried.
func (j *journal) settle(ctx actor.Context, sequence uint64) (duplicates int) {
	for _, p := range j.parts {
		o := p.offer
		if n := len(p.indexes); n > 0 {
			o.last = messages.At(sequence, p.indexes[n-1])
		}
		for _, t := range p.twice {
			o.held[t.duplicate] = uint64(messages.At(sequence, t.index))
		}
		if p.through < len(o.events) {
			continue
		}
		duplicates += len(o.duplicates)
		if o.from != nil {
			ctx.Send(o.from, &messages.Appended{
				Id: o.id, LastPosition: uint64(o.last), Duplicates: o.duplicates, Held: o.held,
			})
		}
	}
	j.parts = nil
	return duplicates
}

// failed keeps the frame and its name where it may have been written, or will
// be. Where nothing was and nothing will be, whoever offered is told at once.
func (j *journal) failed(ctx actor.Context, err error) {
	j.busy = false
	if j.cfg.State.inFlight == nil {
		return
	}
	j.cfg.Observe(Observation{Events: len(j.cfg.State.inFlight.GetEvents()), Err: err})
	switch {
	case errors.Is(err, messages.ErrFull):
		j.giveBack(ctx, messages.RefuseReason_REFUSE_DISK_FULL, "the disk is nearly full: free space, or shorten the retention")
		return
	case errors.Is(err, messages.ErrFenced):
		j.fence(ctx, err)
		return
	case errors.Is(err, messages.ErrInvalid):
		j.unwritable(ctx, err)
		return
	}
	j.cfg.Sometimes.Reached(actors.AppendUncertain)
	j.cfg.Logger.Warn("append failed; the same frame is tried again",
		"frame", j.cfg.State.inFlight.GetNumber(), "retry_in", j.retry, "error", err)
	j.later(ctx)
}

func (j *journal) later(ctx actor.Context) {
	if j.wanting {
		return
	}
	j.wanting = true
	if j.retry == 0 {
		j.retry = retryFirst
	}
	j.timers.Set(retryNow{}, j.retry, ctx.Self(), &retryNow{})
	j.retry = min(2*j.retry, retryMost)
}

func (j *journal) refuse(ctx actor.Context, to *actor.PID, id uint64, reason messages.RefuseReason, after time.Duration, detail string) {
	if to == nil {
		return
	}
	ctx.Send(to, &messages.OfferRefused{Id: id, Reason: reason, RetryAfterMs: after.Milliseconds(), Detail: detail})
}

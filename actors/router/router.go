// Package router takes the log's frames strictly in sequence, asks the index
// who wants each event, and hands it on: articles and stories to this node's
// connections, posts to the keys whose rules and monitors matched.
//
//	FrameAppended, next ------------------> handled
//	FrameAppended, later -----> held --hole filled, or 50 ms--> read from the log
//	every 250 ms: the log's end is compared, so that a lost last frame is found
//
// Order is log order, and it is the same on every node: the sequence decides,
// and whether an event is a repeat is a property of the log alone.
//
// A change of what is asked for is a message like any other, so it takes effect
// between two frames: every event is decided wholly by the old or by the new.
//
// The package knows no JSON, no plan and no credit.
package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// Config is what a router takes from its node.
type Config struct {
	Log     replay.Log // called inside a Worker only
	State   *State
	Clock   actors.Clock
	Worker  actors.Worker
	Props   actors.Props
	Owners  actors.Owners     // where keys are told Matched
	Journal func() *actor.PID // told to slow down; may return nil
	Logger  *slog.Logger
	Observe func(Observation) // one a frame; must not block

	HeldMost  int           // frames held behind a hole, default 1,024; later ones are read from the log
	HoleWait  time.Duration // default 50 ms
	TailEvery time.Duration // default 250 ms
	Behind    time.Duration // age of a frame when handled, past which sources are slowed; default 2 s
	ReadMost  int           // frames a reading, default 256
}

// Observation is what one frame was.
type Observation struct {
	Sequence                          uint64
	Events, Repeats, Hits, Deliveries int
	Lag                               time.Duration // from acknowledged to handed on
	FromLog                           bool          // mended: it had not come by message
	Skipped                           uint64        // sequences that are gone for good
	Panics                            int           // events skipped because matching them panicked
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.HoleWait, 50*time.Millisecond)
	set(&c.TailEvery, 250*time.Millisecond)
	set(&c.Behind, 2*time.Second)
	if c.HeldMost == 0 {
		c.HeldMost = 1024
	}
	if c.ReadMost == 0 {
		c.ReadMost = 256
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	return c
}

// router is the actor. A restart keeps State and goes on at the next frame;
// what it held is read from the log.
type router struct {
	cfg      Config
	state    *State
	dispatch dispatch
	held     map[uint64]*messages.FrameAppended // behind a hole; at most cfg.HeldMost
	waiting  bool                               // a hole's timer runs
	reading  bool                               // a worker reads the log
	merging  bool                               // a worker merges parts of the index
	slowed   bool                               // the journal was told to slow down
}

// Props describes one router.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("router", func() actor.Actor {
		return &router{cfg: cfg, state: cfg.State, held: map[uint64]*messages.FrameAppended{}}
	}, actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	holeOver struct{ at uint64 }
	tailTime struct{}
	// readBack is a worker's answer.
	readBack struct {
		frames  []*messages.FrameAppended // Frame nil: the sequence is gone for good
		through uint64                    // the log's last sequence when read; 0 unknown
		err     error
	}
	// merged is a worker's word that an index merge has run.
	merged struct{ merge *index.Merge }
)

func (r *router) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.started(ctx)
	case *messages.FrameAppended:
		r.appended(ctx, m)
	case *holeOver:
		r.holeOver(ctx, m)
	case *tailTime:
		r.tail(ctx)
	case *readBack:
		r.readBack(ctx, m)
	case *actors.WorkPanicked:
		// Which work it was is not said; both are asked for anew.
		r.merging = false
		r.readBack(ctx, &readBack{err: fmt.Errorf("work panicked: %v", m.Reason)})
	case *merged:
		r.merged(ctx, m)
	case *messages.Join:
		r.join(ctx, m)
	case *messages.Leave:
		r.leave(ctx, m)
	case *messages.PutQueries:
		r.put(ctx, m)
	case *messages.DropKey:
		r.state.subscriptions.dropKey(r.state.index, m.GetKeyId(), m.GetTerm())
	case *messages.DropShard:
		r.dropShard(ctx, m)
	case *messages.AskThrough:
		r.askThrough(ctx, m)
	case *messages.AskVoids:
		ctx.Respond(&messages.VoidsKnown{
			From: m.GetFrom(), Through: uint64(r.state.through()),
			Ask: m.GetAsk(), Since: uint64(r.state.voids.since), Positions: r.state.voids.after(messages.Position(m.GetFrom())),
		})
	}
}

func (r *router) started(ctx actor.Context) {
	if r.state.trying != 0 {
		r.recovered(ctx)
	}
	if journal := r.cfg.Journal(); journal != nil {
		ctx.Request(journal, &messages.SpeedUp{}) // an instance before this one may have slowed it
	}
	r.tail(ctx)
}

// recovered goes on after the frame that failed. Its events are in the window
// already, so it cannot be handled again here: everyone reads it from the log.
func (r *router) recovered(ctx actor.Context) {
	r.cfg.Logger.Error("handling a frame failed; all who listen read it from the log", "sequence", r.state.trying)
	r.state.next, r.state.trying = r.state.trying+1, 0
	r.missed(ctx, r.state.next-1)
}

func (r *router) appended(ctx actor.Context, m *messages.FrameAppended) {
	switch {
	case m.GetSequence() < r.state.next:
	case m.GetSequence() == r.state.next:
		r.handle(ctx, m, false)
		r.release(ctx)
	case len(r.held) < r.cfg.HeldMost:
		r.held[m.GetSequence()] = m
		r.awaitHole(ctx)
	}
}

// release handles what was held behind a hole that is now filled.
func (r *router) release(ctx actor.Context) {
	for {
		m := r.held[r.state.next]
		if m == nil {
			break
		}
		delete(r.held, r.state.next)
		r.handle(ctx, m, false)
	}
	if len(r.held) > 0 {
		r.awaitHole(ctx)
	}
}

func (r *router) awaitHole(ctx actor.Context) {
	if r.waiting || r.reading {
		return
	}
	r.waiting = true
	r.cfg.Clock.After(r.cfg.HoleWait, ctx.Self(), &holeOver{r.state.next})
}

func (r *router) holeOver(ctx actor.Context, m *holeOver) {
	r.waiting = false
	switch {
	case len(r.held) == 0:
	case m.at == r.state.next:
		r.read(ctx)
	default:
		r.awaitHole(ctx) // that hole was filled; this is another
	}
}

func (r *router) tail(ctx actor.Context) {
	r.cfg.Clock.After(r.cfg.TailEvery, ctx.Self(), &tailTime{})
	r.read(ctx)
}

// read asks a worker for what the log holds from the next frame on.
func (r *router) read(ctx actor.Context) {
	if r.reading {
		return
	}
	log, from, most := r.cfg.Log, r.state.next, r.cfg.ReadMost
	r.reading = r.cfg.Worker.Do(ctx.Self(), 5*time.Second, func(work context.Context) any {
		return readLog(work, log, from, most)
	})
}

func readLog(ctx context.Context, log replay.Log, from uint64, most int) *readBack {
	_, last, err := log.Bounds(ctx)
	if err != nil || last < from {
		return &readBack{err: err, through: last}
	}
	frames, err := log.Read(ctx, from)
	if err != nil {
		return &readBack{err: err}
	}
	defer frames.Close()
	back := &readBack{through: last}
	for len(back.frames) < most {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			return back
		}
		if err != nil {
			back.err = err
			return back
		}
		back.frames = append(back.frames, &messages.FrameAppended{Sequence: entry.Sequence, Frame: entry.Frame})
	}
	return back
}

func (r *router) readBack(ctx actor.Context, m *readBack) {
	r.reading = false
	if m.err != nil {
		r.cfg.Logger.Warn("reading the log failed; it is read again", "from", r.state.next, "error", m.err)
	}
	for _, f := range m.frames {
		if f.GetSequence() < r.state.next {
			continue
		}
		if f.GetSequence() > r.state.next || f.GetFrame() == nil {
			r.skip(ctx, f)
		}
		if f.GetFrame() != nil {
			r.handle(ctx, f, true)
		}
	}
	r.release(ctx)
	if m.err == nil && len(m.frames) == r.cfg.ReadMost && r.state.next <= m.through {
		r.read(ctx)
	}
}

// skip goes on past sequences that the log has said are gone for good.
func (r *router) skip(ctx actor.Context, f *messages.FrameAppended) {
	from, to := r.state.next, f.GetSequence()
	if f.GetFrame() == nil {
		to++
	}
	if to == from {
		return
	}
	r.cfg.Logger.Error("frames are gone from the log and were never delivered here", "from", from, "to", to-1)
	r.cfg.Observe(Observation{Sequence: to - 1, Skipped: to - from})
	for s := from; s < to; s++ {
		delete(r.held, s)
	}
	r.state.next = to
	r.missed(ctx, to-1)
}

// handle matches one frame and tells everyone; the next one is due after it.
func (r *router) handle(ctx actor.Context, m *messages.FrameAppended, fromLog bool) {
	seen := Observation{Sequence: m.GetSequence(), Events: len(m.GetFrame().GetEvents()), FromLog: fromLog}
	r.state.trying = m.GetSequence()
	snapshot := r.state.index.Snapshot()
	for i, e := range m.GetFrame().GetEvents() {
		p := messages.At(m.GetSequence(), i)
		if r.state.window.AddAt(e.GetId(), p) {
			r.state.voids.add(p)
			seen.Repeats++
			continue
		}
		hits, err := r.match(snapshot, p, e)
		if err != nil {
			seen.Panics++
			r.cfg.Logger.Error("matching an event failed; it is skipped", "position", p, "event", e.GetId(), "error", err)
		}
		seen.Hits += hits
	}
	seen.Deliveries = r.dispatch.send(ctx, r.cfg.Owners, m.GetSequence())
	r.state.next = m.GetSequence() + 1
	if at := m.GetAppendedMs(); at != 0 {
		seen.Lag = r.cfg.Clock.Now().Sub(time.UnixMilli(at))
		r.pace(ctx, seen.Lag)
	}
	r.cfg.Observe(seen)
	r.state.trying = 0
}

// Package router takes the log's frames strictly in sequence, asks the index
// who wants each event, and hands it on: articles and stories to this node's
// connections, posts to the keys whose rules and monitors matched.
//
//	FrameAppended, next ------------------> handled
//	FrameAppended, later -----> held --hole filled, or 50 ms--> read from the log
//	every 250 ms: the log's end is compared, so that a lost last frame is found
//
// Frames are handled in turns of bounded length, with other messages between
// them, and a router that is behind by more than two seconds has the journal
// take nothing new until it has caught up.
//
// Order is log order, and it is the same on every node: the sequence decides,
// and whether an event is a repeat is a property of the log alone.
//
// A change of what is asked for takes effect between two events: every event is
// decided wholly by the old or by the new.
//
// The package knows no JSON, no plan and no credit.
package router

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// Config is what a router takes from its node.
type Config struct {
	Log    replay.Log // called inside a Worker only
	State  *State
	Clock  actors.Clock
	Worker actors.Worker // reads the log: a pool that nothing else fills
	Merge  actors.Worker // merges parts of the index; default Worker
	// Compile compiles what a key's clients ask for, so that no key keeps
	// others waiting; default Worker.
	Compile   func(keyID string) actors.Worker
	Props     actors.Props
	Owners    actors.Owners     // where keys are told Matched
	Journal   func() *actor.PID // told to slow down; nil or returning nil: nobody is
	Logger    *slog.Logger
	Observe   func(Observation)       // one a frame; must not block
	Sometimes actors.Sometimes        // nil: nobody wants to know
	Queues    gauge.Told              // told of what waits inside; nil: nobody wants to know
	Handled   func(next uint64)       // the first sequence that is not handled yet, as often as Lagging; nil: nobody wants to know
	Lagging   func(lag time.Duration) // how far the router is behind, with every look at the log's end; must not block

	HeldMost   int           // frames that wait, default 1,024; past it they are read from the log
	HeldBytes  int           // of them, default 32 MiB
	HoleWait   time.Duration // default 50 ms
	TailEvery  time.Duration // default 250 ms
	Behind     time.Duration // lag past which sources are slowed; default 2 s
	SlowFor    time.Duration // for how long each time, unless said again, default 1 s
	ReadMost   int           // frames a reading, default 256
	TurnEvents int           // events handled before other messages have their turn, default 512
	TurnTime   time.Duration // and for how long, default 10 ms
}

// Observation is what one frame was.
type Observation struct {
	Sequence                          uint64
	Events, Repeats, Hits, Deliveries int
	Lag                               time.Duration // from first heard of to handed on
	FromLog                           bool          // mended: it had not come by message
	Skipped                           uint64        // sequences that are gone for good
	Panics                            int           // events or requests that failed; Sequence 0: it was a request
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
	set(&c.SlowFor, time.Second)
	set(&c.TurnTime, 10*time.Millisecond)
	count := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	count(&c.HeldMost, 1024)
	count(&c.HeldBytes, 32<<20)
	count(&c.ReadMost, 256)
	count(&c.TurnEvents, 512)
	if c.Merge == nil {
		c.Merge = c.Worker
	}
	if c.Compile == nil {
		c.Compile = func(string) actors.Worker { return c.Worker }
	}
	if c.Journal == nil {
		c.Journal = func() *actor.PID { return nil }
	}
	if c.Handled == nil {
		c.Handled = func(uint64) {}
	}
	if c.Lagging == nil {
		c.Lagging = func(time.Duration) {}
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	return c
}

// router is the actor. A restart keeps State and goes on at the next event;
// the frames that waited are read from the log.
type router struct {
	cfg      Config
	state    *State
	dispatch dispatch
	buffer   buffer
	pace     pace
	timers   actors.Timers
	seen     Observation // of the frame being handled
	waiting  bool        // a hole's timer runs
	reading  bool        // a worker reads the log
	readAt   actors.Instant
	again    bool // there is more to be read, as soon as there is room
	going    bool // a goOn is on its way
	merging  bool // a worker merges parts of the index

	lines   map[string][]*change // changes of what is asked for, by whose they are
	staging []*change            // those that are compiled, and put
	budgets budgets

	complained actors.Instant // when the log was last said to be unreadable
}

// Props describes one router.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("router", func() actor.Actor {
		return &router{
			cfg: cfg, state: cfg.State, timers: actors.NewTimers(cfg.Clock),
			lines: map[string][]*change{}, budgets: budgets{},
		}
	}, actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider))
}

type (
	holeOver struct{ at uint64 }
	tailTime struct{}
	// readBack is a worker's answer.
	readBack struct {
		known   uint64 // the log's end as far as was known when asked
		frames  []readFrame
		through uint64 // the log's last sequence when read
		err     error
	}
	readFrame struct {
		replay.Entry
		sizes []uint32
		bytes int
	}
	// merged is a worker's word that an index merge has run.
	merged struct{ merge *index.Merge }
)

func (r *router) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		r.timers.Stop()
	case *messages.FrameAppended:
		r.appended(ctx, m)
	case *holeOver:
		r.holeOver(ctx, m)
	case *tailTime:
		r.tail(ctx)
	case *readBack:
		r.readBack(ctx, m)
	case *goOn:
		r.takeTurn(ctx)
	case *actors.WorkPanicked:
		// Which work it was is not said; both are asked for again.
		r.merging = false
		r.readBack(ctx, &readBack{err: fmt.Errorf("work panicked: %v", m.Reason)})
	case *merged:
		r.merged(ctx, m)
	case *compiled:
		if line := r.lines[m.change.line]; len(line) > 0 && line[0] == m.change { // else it was asked for before a restart
			r.compiled(ctx, m)
		}
	default:
		r.try(fmt.Sprintf("%T", m), func() { r.request(ctx, m) })
	}
}

// request serves whoever asks for something. A failure is the request's own:
// what is not answered is asked again, or refused by whoever waits.
func (r *router) request(ctx actor.Context, message any) {
	switch m := message.(type) {
	case *messages.Join:
		r.join(ctx, m)
	case *messages.Leave:
		r.leave(ctx, m)
	case *messages.PutQueries:
		r.put(ctx, m)
	case *messages.DropKey:
		r.dropKey(ctx, m)
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
	r.buffer = buffer{frames: map[uint64]*held{}, upTo: r.state.next}
	r.pace.end = r.state.next - 1
	for id := range r.state.unowned { // of changes that are asked for again
		r.state.index.Remove(id)
	}
	clear(r.state.unowned)
	r.tail(ctx)
}

// recovered goes on after the frame that failed. Its events are in the window
// already, so it cannot be handled again here: everyone reads it from the log.
func (r *router) recovered(ctx actor.Context) {
	r.cfg.Logger.Error("handling a frame failed; all who listen read it from the log", "sequence", r.state.trying)
	r.buffer.remove(r.state.trying)
	r.state.next, r.state.done, r.state.trying = r.state.trying+1, 0, 0
	r.missed(ctx, r.state.next-1)
}

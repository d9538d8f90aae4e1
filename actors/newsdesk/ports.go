package newsdesk

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// Replays reads the log. Called inside a Worker.
type Replays interface {
	// Replay: *messages.TrimmedError where the log no longer holds what is asked for.
	Replay(ctx context.Context, r follow.Request) (follow.Result, error)
}

// Snapshots keep the newsdesk's state. Called inside a Worker.
type Snapshots interface {
	Put(ctx context.Context, id string, at messages.Position, r io.Reader) error
	// Latest: messages.ErrNotFound where there is none.
	Latest(ctx context.Context, id string) (at messages.Position, r io.ReadCloser, err error)
}

// Judge is a model that says whether an article is a development of its story.
// Called inside a Worker, several at a time.
type Judge interface {
	// Judge returns none, minor or major, and the model's name.
	Judge(ctx context.Context, q *messages.StoryQuestion) (significance, model string, err error)
}

// Settings are what stories are made by. They are part of the state machine:
// the same on every node of a cluster.
type Settings = desk.Config

// Config is what a newsdesk takes from its node.
type Config struct {
	Desk      Settings
	Lease     actors.Lease // without it nothing is offered
	Router    *actor.PID   // this node's
	Journal   *actor.PID   // this node's
	Clock     actors.Clock
	Worker    actors.Worker // the log and the snapshots
	Props     actors.Props
	Story     *actor.Props // of every story
	Replays   Replays
	Snapshots Snapshots
	Judge     Judge         // nil: nobody is asked
	Judging   actors.Worker // the Judge
	State     *State
	Logger    *slog.Logger
	Observe   func(Observation) // several times a minute; must not block; nil: nobody wants to know

	QueueMost     int           // events that wait, default 8,192; past it the log is read again
	QueueBytes    int           // of them, default 16 MiB
	UnsaidMost    int           // events that the journal has not taken, default 4,096: past it no further one is taken in
	SnapshotEvery int           // events taken, default 20,000
	Follow        follow.Config // its bounds
}

// Observation is how a newsdesk is.
type Observation struct {
	Here       bool          // false: it has ended, and another node may have it
	Live       bool          // it has taken everything in the log, and follows
	Behind     time.Duration // for how long there has been something that it has not taken
	Stories    int
	Awake      int
	Queued     int    // events that wait to be taken
	Unsaid     int    // events that wait for the journal
	Position   uint64 // up to which it has taken everything
	SnapshotAt uint64 // position of the last one
}

func (c Config) withDefaults() Config {
	set := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	set(&c.QueueMost, 8192)
	set(&c.QueueBytes, 16<<20)
	set(&c.UnsaidMost, 4096)
	set(&c.SnapshotEvery, 20_000)
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.State == nil {
		c.State = &State{}
	}
	if c.Follow.ReadWithin == 0 {
		c.Follow.ReadWithin = replayTimeout + 10*time.Second
	}
	c.Follow = c.Follow.WithDefaults()
	return c
}

// State outlives the instances of a node's newsdesk.
type State struct {
	taking   messages.Position // the event whose turn goes on; 0: none
	failures int               // of that turn, one after the other
	skipped  messages.Position // left out after too many
}

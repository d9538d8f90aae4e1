package connection

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Socket is the client's end. It encodes and queues; no method blocks.
type Socket interface {
	Connected()
	Subscribed(*messages.ClientSubscribed) // nil: everything, after an unsubscribe
	Pong()
	Error(text string)
	Cursor(messages.Position)
	// Deliver queues one frame a delivery. False: the queue's byte bound is
	// passed, and the client is a slow consumer.
	Deliver(deliveries []*messages.Delivery, cursors, embeddings bool) bool
	Pending() int   // bytes queued
	NotifyDrained() // *messages.SocketDrained comes once little is queued
	Ping()
	// Silence is how long the client has sent nothing, not even a pong.
	Silence() time.Duration
	// End tells the client why in its API's own way and closes.
	End(reason messages.EndReason, detail string)
}

// Replays reads the log for a client that comes back. Called inside a Worker.
type Replays interface {
	// Replay: *messages.TrimmedError where the log no longer holds what is asked
	// for, *follow.QueryError where the query cannot be understood.
	Replay(ctx context.Context, r follow.Request) (follow.Result, error)
	Held(ctx context.Context) (Held, error)
}

// Held is what the log holds now.
type Held struct {
	Epoch       string
	First, Last uint64 // sequences of frames; First = Last+1 where there are none
}

// Config is what all connections of a node share.
type Config struct {
	Keeper    *actor.PID // told Opened and Closed; nil: nobody is
	Router    *actor.PID // this node's
	Semantic  *actor.PID // the router of subscriptions with semantic filters, a lane of their own; nil: Router
	Owners    actors.Owners
	Lease     actors.Lease // the node's; default: always live
	Releases  *actor.PID   // sees to it that slots are given back; nil: the owner is told, and nothing is lost on the way
	Clock     actors.Clock
	Rand      actors.Rand
	Reads     func(keyID string) actors.Worker // reads the log; keys take turns in it
	Props     actors.Props
	Replays   Replays
	Logger    *slog.Logger
	Sometimes actors.Sometimes // nil: nobody wants to know
	Queues    gauge.Told       // told of what waits inside; nil: nobody wants to know
	// Head is the first sequence of the log that this node's router has not handled,
	// from any goroutine. nil: it is not known how far the log is.
	Head func() uint64

	PingEvery      time.Duration // default 30 s
	IdleCursor     time.Duration // default 30 s
	ProveMost      time.Duration // without a proof, of a log that hardly moves; default 2 min: see DECISIONS.md
	FirstSubscribe time.Duration // kite's wait on resume, default 1 s
	ReplayTimeout  time.Duration // default 20 s
	InvalidMax     int           // newsrank: invalid messages a minute, default 20
	HeldMost       int           // deliveries that wait for credit, default 8,192
	HeldBytes      int           // of the events in them, default 4 MiB
	Follow         follow.Config // its bounds; Lanes is the package's own
}

func (c Config) withDefaults() Config {
	c.Follow.Sometimes = c.Sometimes
	c.Follow.Queues = c.Queues
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.PingEvery, 30*time.Second)
	set(&c.IdleCursor, 30*time.Second)
	set(&c.ProveMost, 2*time.Minute)
	set(&c.FirstSubscribe, time.Second)
	set(&c.ReplayTimeout, 20*time.Second)
	if c.Lease == nil {
		c.Lease = actors.AlwaysLive{}
	}
	if c.InvalidMax == 0 {
		c.InvalidMax = 20
	}
	if c.HeldMost == 0 {
		c.HeldMost = 8192
	}
	if c.HeldBytes == 0 {
		c.HeldBytes = 4 << 20
	}
	if c.Follow.ReadWithin == 0 {
		c.Follow.ReadWithin = c.ReplayTimeout + 10*time.Second // the answer of a worker that is late is no loss
	}
	c.Follow.Lanes = int(laneKey) // a key's deliveries name no join
	c.Follow = c.Follow.WithDefaults()
	return c
}

// Opened and Closed are a connection's first and last word to its keeper, told
// also by one that failed. The PID is one and the same pointer in both.
type (
	Opened struct{ PID *actor.PID }
	Closed struct{ PID *actor.PID }
)

// Begin is a connection's first message: whose it is, and where it begins. It
// is a message, and not part of Config, so that ten thousand connections share
// one Config and one Props.
type Begin struct {
	ID     string
	KeyID  string
	Socket Socket

	Cursor  *messages.Cursor           // where to begin; nil: now
	Filters *messages.ClientSubscribed // given with the address, else nil
	API     messages.Api
	Metered bool
	Cursors bool // the client asked for them
}

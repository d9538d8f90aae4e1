package apikey

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/history"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Counters hold what keys have spent, by month. Called inside a Worker only.
type Counters interface {
	// Reserve charges up to N credits and opens a grant; charged never grows past
	// Limit. The same Op returns the same grant. ErrExhausted when none is left; one
	// that replaces another is then what was left of that, which may be nothing.
	// ErrNotFound when what it replaces is not open.
	Reserve(ctx context.Context, r Reservation) (*messages.Grant, error)
	// Settle closes the grant: used of it was spent, the rest is given back. A
	// closed grant changes nothing.
	Settle(ctx context.Context, grant *messages.Grant, used int64) error
	// Usage is the ledger as it is; empty when nothing was charged.
	Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error)
	// Prune deletes ledgers of the key except for the newest months, so many of
	// them. It asks no clock: one that was set wrong must not delete what is owed.
	Prune(ctx context.Context, keyID string, keep int) error
}

// Reservation asks for credits of a key's month.
type Reservation struct {
	KeyID, Month string
	N            int64
	Limit        int64               // 0: none
	Spenders     []*messages.Spender // who may spend of the grant
	Op           string              // names the operation

	// Replaces is closed by the same write: Used of it was spent, and the rest is
	// in the new grant besides N. nil: none.
	Replaces *messages.Grant
	Used     int64
}

// History finds in the log what queries have matched, so that the record of
// deliveries outlives the actor. Called inside a Worker only.
type History interface {
	// Newest returns at most most deliveries of each query, in log order, as the
	// record keeps them. What it has found when ctx ends is an answer.
	Newest(ctx context.Context, queries []*messages.Query, most int) ([]history.Found, error)
}

// Log says what the log holds. Called inside a Worker only.
type Log interface {
	// Bounds are the positions of the first event that is held and of the last
	// one that was ever written; first is after last where the log is empty.
	Bounds(ctx context.Context) (first, last messages.Position, err error)
}

// Events reads what the log holds. Called inside a Worker only.
type Events interface {
	// Events are those at the positions, in that order; nil where the log does
	// not hold one, or not any more.
	Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error)
}

// Plan is what a key's owner has booked.
type Plan struct {
	Credits     int64                // a month; 0: unlimited, and nothing is metered
	Connections map[messages.Api]int // at once; none where an API is missing
	Pro         bool                 // may use tickers and embeddings
	Requests    int                  // REST calls a minute; 0: unlimited
}

// DefaultPlans are those of the contract.
func DefaultPlans() map[string]Plan {
	connections := func(newsrank int) map[messages.Api]int {
		return map[messages.Api]int{
			messages.Api_API_TWITTER: 5, messages.Api_API_NEWSRANK: newsrank, messages.Api_API_KITE: 5,
		}
	}
	return map[string]Plan{
		"free":     {Credits: 3_000, Connections: connections(0)},
		"starter":  {Credits: 30_000, Connections: connections(1)},
		"pro":      {Credits: 150_000, Connections: connections(10), Pro: true},
		"business": {Credits: 600_000, Connections: connections(50), Pro: true},
	}
}

// Config is what a key takes from its node.
type Config struct {
	Records    actors.Records
	Counters   Counters
	History    History      // nil: the record of deliveries begins with the actor
	Spent      Spent        // nil: what a crash leaves open stays charged
	Log        Log          // nil: versions of monitors and rules are kept for ever
	Events     Events       // nil: deliveries are shown without their posts
	Lease      actors.Lease // default: always live
	Clock      actors.Clock
	Rand       actors.Rand
	Worker     actors.Worker
	Waker      actors.Worker // for reading a key that starts and that nobody waits for; default Worker
	Reader     actors.Worker // for History and Events, which read long; default Worker
	Props      actors.Props
	Router     *actor.PID // this node's
	Monitor    func(id string, figures *messages.Figures) *actor.Props
	Rule       func(id string, figures *messages.Figures) *actor.Props
	Connection func(slot *messages.Slot) *actor.PID // of the connection that holds it, on any node; nil: its process is known to have ended
	Count      func(metric string)                  // child_restarted, child_stopped, matched_lost, matched_stray, matched_unleased, gate_full, record_corrupt, write_unknown
	Logger     *slog.Logger
	Sometimes  actors.Sometimes // nil: nobody wants to know
	Queues     gauge.Told       // told of what waits inside; nil: nobody wants to know

	Plans  map[string]Plan // default DefaultPlans
	Scopes []string        // that a key may have; empty: any

	MonitorsMost   int           // a key, default 50
	RulesMost      int           // a key, default 50
	LogMost        int           // deliveries remembered of each monitor and rule, default 1,000
	HeldBytes      int           // of messages held while starting, default 1 MiB; past it they are refused
	GateBytes      int           // of what the router says while a change is not durable, default 4 MiB; past it connections read the log
	QueueMost      int           // changes waiting for one under way, default 64; past it they are refused
	StoreTimeout   time.Duration // default 10 s
	HistoryTimeout time.Duration // default 20 s
	AnswerWithin   time.Duration // of router and children, default 2 s; then they are asked again
	IdleAfter      time.Duration // without need, before the actor or a child of it stops; default 60 s
	LogKeep        time.Duration // how long a record of deliveries keeps the actor, default 1 h
	ProbeWithin    time.Duration // in which a full key's connections must be heard, default 3 s
	SlotGrace      time.Duration // in which a slot's connection must have started, default 30 s
	RestartsMost   int           // of one child within RestartsWithin, default 5; past it the child is stopped and cools down
	RestartsWithin time.Duration // default 10 s
	CoolDown       time.Duration // of a stopped child, default 5 s
}

func (c Config) withDefaults() Config {
	number := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	duration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	number(&c.MonitorsMost, 50)
	number(&c.RulesMost, 50)
	number(&c.LogMost, 1000)
	number(&c.HeldBytes, 1<<20)
	number(&c.GateBytes, 4<<20)
	number(&c.QueueMost, 64)
	number(&c.RestartsMost, 5)
	duration(&c.StoreTimeout, 10*time.Second)
	duration(&c.HistoryTimeout, 20*time.Second)
	duration(&c.AnswerWithin, 2*time.Second)
	duration(&c.IdleAfter, time.Minute)
	duration(&c.LogKeep, time.Hour)
	duration(&c.ProbeWithin, 3*time.Second)
	duration(&c.SlotGrace, 30*time.Second)
	duration(&c.RestartsWithin, 10*time.Second)
	duration(&c.CoolDown, 5*time.Second)
	if c.Lease == nil {
		c.Lease = actors.AlwaysLive{}
	}
	if c.Waker == nil {
		c.Waker = c.Worker
	}
	if c.Reader == nil {
		c.Reader = c.Worker
	}
	if c.Plans == nil {
		c.Plans = DefaultPlans()
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Package apikey is one API key in use as an actor: it admits connections,
// spends credits, owns the key's record and its monitors and rules, and is the
// funnel through which everything that they match keeps its order.
//
//	starting --shard and store have answered--> running --idle, asked twice--> (stopped)
//
// It is a child of its shard, which starts it with the first message for it and
// hands all of them on. The actor is the only writer of the key's record and of
// its monitors' and rules'.
//
// The work is parted so: the key keeps the definitions, one change at a time;
// a child, one a monitor or rule, says what its definition becomes and whether
// that is valid, learns, and counts. The key makes it durable and live. So a
// query that brings the parser down brings down one rule's actor, and the
// order of deliveries and of numbers is decided in one place.
//
//	create:  draft (child) > number (store) > live (router) > durable (store) > answer
//	update:  draft (child) > live (router) > durable (store) > answer
//	delete:  durable (store) > answer; the router hears of it
//
// A new rule is live before it is durable, because the position from which it
// is live is part of its record: a replay must deliver neither less nor more.
// A crash in between leaves a query in the router that no record explains; it
// is removed when it first matches.
//
// Invariant: Deliveries leave in order of (position, k), and one message is
// shared by all connections. Term and number name it; both begin anew, higher,
// with every start of the actor, and connections are told to join again.
//
// Nothing needs the actor when it has no connection, nothing under way and
// nothing unsettled, no child, and no record of deliveries younger than an
// hour. A restart is rebuilt from the store; figures begin at zero.
package apikey

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey/credit"
	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/messages"
)

type key struct {
	cfg      Config
	id       string
	behavior actor.Behavior
	log      *slog.Logger
	self     *actor.PID
	backoff  time.Duration  // of the store, 0 while it answers
	held     []held         // while starting; at most cfg.HeldMost
	usedAt   actors.Instant // when a message last came

	record   *messages.Key // nil: there is no such key
	revision uint64
	nextK    uint32 // below record.NextK: reserved and free
	lastUsed int64  // to the minute; later than the record's where unwritten

	slots     []*messages.Slot      // of the key's connections, in order of taking
	admitting map[string]*admission // by connection id
	watched   map[string]string     // actor id -> connection id, of slots that are probed
	probedAt  map[messages.Api]actors.Instant
	takenAt   map[string]actors.Instant // when the slot of a connection was first known here
	requests  bucket

	standing standings
	byPID    map[string]*standing // of children, by actor id
	spawned  uint64               // names children

	operation *operation
	queue     []*operation // at most cfg.QueueMost
	token     uint64       // of the newest question of an operation

	stream     stream.Stream
	stopAsking func()         // ends the timer of what the router was asked
	hitAt      actors.Instant // when something last matched

	purse  *credit.Purse // nil: there is no such key
	ledger ledger

	history history
}

type held struct {
	message any
	sender  *actor.PID
}

// Props describes the key with the id. Its parent must be the key's shard.
func Props(cfg Config, id string) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("apikey", func() actor.Actor {
		k := &key{
			cfg: cfg, id: id, behavior: actor.NewBehavior(), log: cfg.Logger.With("key", id),
			admitting: map[string]*admission{}, watched: map[string]string{}, probedAt: map[messages.Api]actors.Instant{}, takenAt: map[string]actors.Instant{},
			byPID: map[string]*standing{}, token: cfg.Rand.Uint64N(1 << 62),
		}
		k.standing.init()
		k.ledger.asking = map[string]*actor.PID{}
		k.behavior.Become(k.starting)
		return k
	}, nil) // HandleFailure is the strategy
}

// Messages to itself name the instance: those of one that failed are dropped.
type (
	workAgain struct {
		of      *key
		by      actors.Worker
		timeout time.Duration
		work    func(ctx context.Context) any
	}
	idleTime struct{ of *key }
)

func (k *key) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		k.self = ctx.Self()
		k.usedAt = k.cfg.Clock.Elapsed()
		ctx.Request(ctx.Parent(), &messages.AskKey{KeyId: k.id})
	case *actor.Stopping, *actor.Stopped, *actor.Restarting:
	case *actors.WorkPanicked:
		panic(fmt.Sprintf("work of key %s panicked: %v", k.id, m.Reason))
	case *workAgain:
		if m.of == k {
			k.workBy(ctx, m.by, m.timeout, m.work)
		}
	default:
		k.behavior.Receive(ctx)
	}
}

// running serves. What the key does by itself is no use of it.
func (k *key) running(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Terminated:
		k.terminated(ctx, m)
	case *idleTime:
		if m.of == k {
			k.idleDue(ctx)
		}
	case *messages.StopIfIdle:
		if k.idle() {
			ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: k.id, Asked: m.GetNumber()})
		}
	case *messages.Retired:
		k.retired(ctx, m)
	case *secondTime:
		k.second(ctx, m)
	case *credited:
		k.credited(ctx, m)
	case *creditAgain:
		k.creditAgain(ctx, m)
	case *written, *loaded, *awaitOver, *childFailed, *reloadTime,
		*messages.MonitorDrafted, *messages.RuleDrafted, *messages.QueriesPut:
		k.answered(ctx)
	case *slotsTime:
		k.checkSlots(ctx, m)
	case *askAgain:
		k.askAgain(ctx, m)
	case *remembered:
		k.remembered(ctx, m)
	default:
		k.usedAt = k.cfg.Clock.Elapsed()
		k.serve(ctx)
		k.leaveIfUnknown(ctx)
	}
}

func (k *key) serve(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Matched, *messages.Through, *messages.AskThrough, *messages.Join, *messages.Leave, *messages.AskQueries:
		k.serveStream(ctx)
	case *messages.AskCredit:
		k.askCredit(ctx, m)
	case *messages.ReportCredit:
		k.reportCredit(ctx, m)
	case *messages.Admit:
		k.admit(ctx, m)
	case *messages.SlotTaken:
		k.slotTaken(ctx, m)
	case *messages.SlotRefused:
		k.slotRefused(ctx, m)
	case *messages.Release:
		k.release(ctx, m.GetConnectionId())
	case *messages.Authorize:
		k.authorize(ctx, m)
	case *messages.CreateKey, *messages.RevokeKey, *messages.RotateKey, *messages.UpdateKey, *messages.DescribeKey, *messages.ListBilling:
		k.serveKey(ctx)
	default:
		k.serveStanding(ctx)
	}
}

// live says that there is such a key and it is not revoked.
func (k *key) live() bool { return k.record.GetState() == messages.KeyState_KEY_ACTIVE }

func (k *key) plan() Plan { return k.cfg.Plans[k.record.GetPlan()] }

// unavailable answers the present message, if it has an answer.
func (k *key) unavailable(ctx actor.Context, detail string) {
	if answer := actors.Unavailable(ctx.Message(), detail); answer != nil && ctx.Sender() != nil {
		ctx.Respond(answer)
	}
}

// work runs in a Worker; where the pool is full it is asked again.
func (k *key) work(ctx actor.Context, timeout time.Duration, work func(ctx context.Context) any) {
	k.workBy(ctx, k.cfg.Worker, timeout, work)
}

func (k *key) workBy(ctx actor.Context, by actors.Worker, timeout time.Duration, work func(ctx context.Context) any) {
	if !by.Do(ctx.Self(), timeout, work) {
		k.cfg.Clock.After(workRetry, ctx.Self(), &workAgain{k, by, timeout, work})
	}
}

const (
	workRetry    = 50 * time.Millisecond
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// failed is how long to wait after one more failure of the store.
func (k *key) failed() time.Duration {
	k.backoff = min(max(2*k.backoff, backoffFirst), backoffMost)
	return k.backoff
}

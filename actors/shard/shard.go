// Package shard supervises the keys of one of the cluster's 1,024 shards and
// owns their connection slots.
//
//	dormant --first message--> activating
//	activating --term taken, queries live--> active --another term stands--> fenced
//
// Activation takes the shard's record by compare-and-set with term + 1, frees
// the slots of dead processes, and registers the queries of all active monitors
// and rules at this node's router, on their keys' behalf: a key's actor starts
// when it is first needed, so a million rules do not cost a million actors.
//
// Every message that carries a key_id is handed on to that key's actor with its
// sender kept. Slots are counted here and are durable before anybody hears that
// one was taken: the record is written in groups, one write in flight.
//
// Invariant: of one key and API at most its limit of slots stand in the record,
// and a connection is admitted only once its slot does.
//
// The package never looks at a credential, a plan or a credit: that is the
// key's. A restart is an activation: its keys begin anew with a higher term,
// and their connections join again.
package shard

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

type shard struct {
	cfg      Config
	number   int
	behavior actor.Behavior
	woken    *bool // shared by all instances: one that was needed is needed after a restart too
	log      *slog.Logger
	backoff  time.Duration // of the store, 0 while it answers

	held []held // while activating; at most cfg.HeldMost
	puts []*put // queries on their way to the router
	left int    // of puts, unanswered

	term     uint64
	revision uint64 // of the record, as last written or read
	slots    slots
	fresh    []*entry // taken since the last write began; at most cfg.WaitersMost with batch
	batch    []*entry // taken, in the write under way
	dirty    bool     // slots differ from what was written last
	writing  bool     // a worker writes the record
	timed    bool     // a commitTime is on its way

	known    map[string]struct{} // ids of keys that have a record, or were to be made here: no other has one
	children map[string]*child   // by key id; at most cfg.KeysMost
	byPID    map[string]*child   // by actor id
	cooling  map[string]*cooling
	spawned  uint64 // names children
	starts   uint64 // of keys in this term
	asks     uint64 // numbers StopIfIdle
	ending   bool   // its children end with it
}

type held struct {
	message any
	sender  *actor.PID
}

// Props describes the shard with the number, 0 to actors.Shards-1.
func Props(cfg Config, number int) *actor.Props {
	cfg = cfg.withDefaults()
	woken := false
	return cfg.Props("shard", func() actor.Actor {
		s := &shard{
			cfg: cfg, number: number, behavior: actor.NewBehavior(), woken: &woken, log: cfg.Logger.With("shard", number),
			known: map[string]struct{}{}, children: map[string]*child{}, byPID: map[string]*child{}, cooling: map[string]*cooling{},
		}
		s.slots.init()
		return s
	}, nil) // HandleFailure below is the strategy
}

// Messages to itself name the instance: those of one that failed are dropped.
type (
	workAgain struct {
		of   *shard
		work func(ctx context.Context) any
	}
	activateTime struct{ of *shard }
	putTime      struct{ of *shard }
	commitTime   struct{ of *shard }
	coolTime     struct {
		of    *shard
		keyID string
	}
)

func (s *shard) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.begun(ctx)
	case *actor.Stopping, *actor.Restarting:
		s.ending = true
	case *actor.Stopped:
	case *actor.Terminated:
		s.terminated(ctx, m)
	case *actors.WorkPanicked:
		panic(fmt.Sprintf("work of shard %d panicked: %v", s.number, m.Reason))
	case *workAgain:
		if m.of == s {
			s.work(ctx, m.work)
		}
	default:
		s.behavior.Receive(ctx)
	}
}

func (s *shard) begun(ctx actor.Context) {
	if !*s.woken && s.cfg.Dormant(s.number) {
		s.behavior.Become(s.dormant)
		return
	}
	s.wake(ctx)
}

func (s *shard) wake(ctx actor.Context) {
	*s.woken = true
	s.behavior.Become(s.activating)
	s.activate(ctx)
}

// dormant is before the first message: nothing needs the shard.
func (s *shard) dormant(ctx actor.Context) {
	s.wake(ctx)
	s.hold(ctx)
}

// active serves.
func (s *shard) active(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.TakeSlot:
		s.take(ctx, m)
	case *messages.FreeSlot:
		s.free(ctx, m.GetConnectionId())
	case *messages.Release:
		if !s.forward(ctx, m.GetKeyId()) {
			s.free(ctx, m.GetConnectionId())
		}
	case *messages.AskKey:
		s.stands(ctx, m)
	case *messages.KeyIdle:
		s.idle(ctx, m)
	case *messages.QueriesPut:
		if m.GetId() < ownPuts {
			s.forward(ctx, m.GetKeyId())
		}
	case *messages.Leave:
		s.forward(ctx, m.GetKeyId()) // a key that is not there has forgotten it
	case *messages.Through:
		s.forward(ctx, m.GetKeyId())
	case *messages.ReportCredit:
		s.forward(ctx, m.GetKeyId()) // the grant of a key that failed stays charged
	case *commitTime:
		s.commitDue(ctx, m)
	case *committed:
		s.committed(ctx, m)
	case *coolTime:
		s.cooled(ctx, m)
	case *activateTime, *putTime, *activated:
	default:
		s.route(ctx)
	}
}

// fenced: another node owns the shard. Whatever placed this actor here stops
// it; until then nobody is left without an answer.
func (s *shard) fenced(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.TakeSlot:
		ctx.Respond(&messages.SlotRefused{ConnectionId: m.GetSlot().GetConnectionId(), Detail: detailFenced, Retry: true})
	default:
		s.refuse(ctx, m, ctx.Sender(), detailFenced)
	}
}

const (
	detailFenced     = "the key has moved to another node: try again"
	detailActivating = "the key's shard is starting: try again"
	detailCooling    = "the key's actor failed and is being restarted: try again"
	detailFull       = "too many keys are in use: try again"
	detailStore      = "the store does not answer: try again"
)

// step down: what another term has written decides.
func (s *shard) stepDown(ctx actor.Context, other *messages.Shard) {
	s.log.Error("another owner has taken the shard; this one stops serving it",
		"term", s.term, "other_term", other.GetTerm(), "other_node", other.GetNode())
	s.cfg.Count("shard_fenced")
	s.behavior.Become(s.fenced)
	for _, e := range append(s.batch, s.fresh...) {
		s.refuseSlot(ctx, e, detailFenced)
	}
	s.batch, s.fresh = nil, nil
	for _, pid := range ctx.Children() {
		ctx.Stop(pid)
	}
	clear(s.children)
	clear(s.byPID)
}

func (s *shard) refuse(ctx actor.Context, message any, sender *actor.PID, detail string) {
	if answer := actors.Unavailable(message, detail); answer != nil && sender != nil {
		ctx.Send(sender, answer)
	}
}

// work runs in a Worker; where the pool is full it is asked again.
func (s *shard) work(ctx actor.Context, work func(ctx context.Context) any) {
	if !s.cfg.Worker.Do(ctx.Self(), s.cfg.StoreTimeout, work) {
		s.cfg.Clock.After(workRetry, ctx.Self(), &workAgain{s, work})
	}
}

const (
	workRetry    = 50 * time.Millisecond
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// failed is how long to wait after one more failure of the store.
func (s *shard) failed() time.Duration {
	s.backoff = min(max(2*s.backoff, backoffFirst), backoffMost)
	return s.backoff
}

// keyOf is the key that a message is for.
func keyOf(message any) (id string, ok bool) {
	switch m := message.(type) {
	case *messages.Admit:
		return m.GetCredential().GetKeyId(), true
	case *messages.Authorize:
		return m.GetCredential().GetKeyId(), true
	case *messages.CreateKey:
		return m.GetKey().GetId(), true
	case interface{ GetKeyId() string }:
		return m.GetKeyId(), true
	}
	return "", false
}

// keyIn takes a key's id out of the name of one of its records.
func keyIn(record, prefix string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(record, prefix), ".")
	return id
}

// Package shard supervises the keys of one of the cluster's 1,024 shards and
// owns their connection slots.
//
//	dormant --first message--> activating
//	inactive --Activate--> activating --term taken, queries live--> active
//	    ^                                                              |
//	    └── record released <-- queries out, keys stopped <------ leaving <-- Deactivate
//	active --another term in the record--> leaving --> inactive
//
// Where the record names a process that is alive, activation asks that one's
// shard to give up first (handover.go), so that what its keys owe is settled and
// its slots are whole; after a while the term is taken all the same, and fences.
//
// Activation takes the shard's record by compare-and-set with term + 1, frees
// the slots of dead processes, and registers the queries of all active monitors
// and rules at this node's router, on their keys' behalf: a key's actor starts
// when it is first needed, so a million rules do not cost a million actors.
//
// Only an active shard with a live lease serves. Any other one answers NotOwner:
// who asks looks the owner up again and asks it.
//
// Every message that carries a key_id is handed on to that key's actor with its
// sender kept. Slots are counted here and are durable before anybody hears that
// one was taken: the record is written in groups, one write in flight.
//
// Invariant: of one key and API at most its limit of slots are in the record,
// and a connection is admitted only once its slot is.
//
// The package never looks at a credential, a plan or a credit: that is the
// key's. A restart is an activation: its keys begin again with a higher term,
// and their connections join again.
package shard

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

type shard struct {
	cfg      *Config // shared by all shards of a node
	number   int
	behavior actor.Behavior
	woken    *bool // shared by all instances: one that was needed is needed after a restart too
	store    hold.Backoff
	timers   actors.Timers

	held   hold.Queue[actors.Held] // while activating
	full   string                  // what whoever asks is told while the record cannot be written for want of space; "" while it can
	puts   []*put                  // queries on their way to the router
	left   int                     // of puts, unanswered
	askers []asker                 // at most askersMost
	wanted bool                    // the shard is to be active here: what Activate and Deactivate said last
	leave  leave
	taking taking

	term     uint64 // 0: not owned by this instance
	newest   uint64 // term that is known
	revision uint64 // of the record, as last written or read
	slots    slots
	fresh    []*entry // taken since the last write began; at most cfg.WaitersMost with batch
	batch    []*entry // taken, in the write under way
	freed    []freed  // asked since the last write began; at most cfg.WaitersMost with freeing
	freeing  []freed  // asked before that, and not certain yet
	dirty    bool     // slots differ from what was written last
	writing  bool     // a worker writes the record
	timed    bool     // a commitTime is on its way

	// Maps are nil until something is put into them: most of a thousand shards have
	// no key in use.
	known    map[string]struct{} // ids of keys that have a record, or were to be made here: no other has one
	children map[string]*child   // by key id; at most cfg.KeysMost
	byPID    map[string]*child   // by actor id
	cooling  map[string]*cooling
	spawned  uint64 // names children
	starts   uint64 // of keys in this term
	asks     uint64 // numbers StopIfIdle
	ending   bool   // its children end with it
}

// asker waits for Activated, or for Deactivated.
type asker struct {
	pid *actor.PID
	on  bool
}

// askersMost bounds who waits for an Activated or Deactivated; whoever asks
// beyond it asks again.
const askersMost = 16

// Props describes a node's shards, by number, 0 to actors.Shards-1: they share the Config.
func Props(config Config) func(number int) *actor.Props {
	cfg := config.withDefaults()
	return func(number int) *actor.Props { return props(&cfg, number) }
}

func props(cfg *Config, number int) *actor.Props {
	woken := false
	return cfg.Props("shard", func() actor.Actor {
		s := &shard{
			cfg: cfg, number: number, behavior: actor.NewBehavior(),
			woken: &woken, store: hold.Store(), timers: actors.NewTimers(cfg.Clock), held: hold.Queue[actors.Held]{Most: cfg.HeldBytes, Name: "shard: messages while it is activated", Queues: cfg.Queues},
		}
		s.behavior.Become(s.inactive)
		return s
	}, nil) // HandleFailure below is the strategy
}

// log is the shard's, which few have something to say to.
func (s *shard) log() *slog.Logger { return s.cfg.Logger.With("shard", s.number) }

// says is for who judges by the logs of all processes that a term was one process's.
func (s *shard) says(what string) {
	s.cfg.Logger.Debug(what, "shard", s.number, "term", s.term, "node", s.cfg.Node, "incarnation", s.cfg.Incarnation)
}

// set is m[key] = value of a map that may be nil.
func set[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// Messages to itself name the instance: those of one that failed are dropped.
type (
	activateTime struct{ of *shard }
	putTime      struct{ of *shard }
	commitTime   struct{ of *shard }
	coolTime     struct {
		of    *shard
		keyID string
	}
)

func (s *shard) Receive(ctx actor.Context) {
	if m, ok := ctx.Message().(*actors.Probe); ok {
		ctx.Respond(&actors.Probed{Number: m.Number})
		return
	}
	s.cfg.Turned(s.number)
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.started(ctx)
	case *actor.Stopping, *actor.Restarting:
		s.ending = true
		s.timers.Stop()
	case *actor.Stopped:
	case *actor.Terminated:
		s.terminated(ctx, m)
	case *actors.WorkPanicked:
		panic(fmt.Sprintf("work of shard %d panicked: %v", s.number, m.Reason))
	case *actors.WorkAgain:
		if m.Of == s {
			m.Again(s.cfg.Clock, ctx.Self())
		}
	default:
		s.behavior.Receive(ctx)
	}
}

// started begins where placement wants the shard to be: after a failure it may
// have moved away in between.
func (s *shard) started(ctx actor.Context) {
	s.wanted = s.cfg.Owns(s.number)
	switch {
	case !s.wanted:
	case !*s.woken && s.cfg.Dormant(s.number):
		s.behavior.Become(s.dormant)
	default:
		s.activate(ctx)
	}
}

// dormant is before the first message: nothing needs the shard, and its term
// is not taken.
func (s *shard) dormant(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *messages.Activate, *messages.Deactivate:
		s.inactive(ctx)
	default:
		s.activate(ctx)
		s.hold(ctx)
	}
}

// active serves.
func (s *shard) active(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Activate:
		s.answer(ctx, &messages.Activated{Shard: uint32(s.number), Term: s.term})
	case *messages.Deactivate:
		s.ask(ctx, false)
		s.wanted = false
		s.deactivate(ctx)
	case *messages.TakeSlot:
		s.take(ctx, m)
	case *messages.FreeSlot:
		s.free(ctx, m.GetConnectionId())
	case *messages.AskKey:
		s.owned(ctx, m)
	case *messages.KeyIdle:
		s.idle(ctx, m)
	case *commitTime:
		s.commitDue(ctx, m)
	case *committed:
		s.committed(ctx, m)
	case *coolTime:
		s.cooled(ctx, m)
	case *activateTime, *putTime, *leaveTime, *handTime, *activated, *released, *found, *messages.ShardDropped, *messages.Deactivated:
	case *messages.NotOwner: // the router or a later owner
		if actors.ShardTerm(m.GetTerm()) > s.term {
			s.stepDown(ctx, &messages.Shard{Term: actors.ShardTerm(m.GetTerm())})
		}
	default:
		if later := actors.ShardTerm(accountIn(m)); later > s.term {
			// A connection has known a later owner, which may have gone since: one
			// that goes on from before is not heard by it.
			s.stepDown(ctx, &messages.Shard{Term: later})
			s.notOwner(ctx, m, ctx.Sender())
			return
		}
		if !s.cfg.Lease.Live() {
			s.cfg.Sometimes.Reached(actors.LeaseLapsed)
			s.notOwner(ctx, m, ctx.Sender())
			return
		}
		s.serve(ctx)
	}
}

// serve hands on what is the keys'.
func (s *shard) serve(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Release:
		if !s.forward(ctx, m.GetKeyId()) {
			s.free(ctx, m.GetConnectionId())
		}
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
	default:
		s.route(ctx)
	}
}

const (
	detailMoved      = "the key is moving to another node: try again"
	detailActivating = "the key's shard is starting: try again"
	detailCooling    = "the key's actor failed and is being restarted: try again"
	detailFull       = "too many keys are in use: try again"
)

// notOwner answers whoever sent something for a key that is not served here.
// A message that nobody waits for is dropped: the log, or the next message,
// makes up for it.
func (s *shard) notOwner(ctx actor.Context, message any, sender *actor.PID) {
	keyID, ok := keyOf(message)
	if !ok || sender == nil {
		return
	}
	s.cfg.Count("not_owner")
	s.cfg.Sometimes.Reached(actors.NotOwnerAnswered)
	ctx.Send(sender, &messages.NotOwner{KeyId: keyID, Shard: uint32(s.number), Term: max(s.term, s.newest)})
}

// ask remembers who waits for the change of ownership under way.
func (s *shard) ask(ctx actor.Context, on bool) {
	if ctx.Sender() != nil && len(s.askers) < askersMost {
		s.askers = append(s.askers, asker{ctx.Sender(), on})
	}
}

func (s *shard) tellAskers(ctx actor.Context, on bool, answer any) {
	kept := s.askers[:0]
	for _, a := range s.askers {
		if a.on == on {
			ctx.Send(a.pid, answer)
		} else {
			kept = append(kept, a)
		}
	}
	s.askers = kept
}

func (s *shard) answer(ctx actor.Context, answer any) {
	if ctx.Sender() != nil {
		ctx.Respond(answer)
	}
}

// work runs in a Worker; where the pool is full it is asked again.
func (s *shard) work(ctx actor.Context, work func(ctx context.Context) any) {
	actors.Work(s.cfg.Clock, s.cfg.Worker, ctx.Self(), s, s.cfg.StoreTimeout, work)
}

// accountIn is the key's term by which a connection has been lent credits; 0 where
// the message is about none.
func accountIn(message any) uint64 {
	if m, ok := message.(interface{ GetAccount() uint64 }); ok {
		return m.GetAccount()
	}
	return 0
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

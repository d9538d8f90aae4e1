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
// What can be decided without an actor is in engines: change (how what the key
// has becomes something else), definitions (which version decides which event),
// stream (order, numbers, who is told), credit (what is spent), history (what
// was delivered), guests (who is connected), permit (who may be).
//
// What the router matches while a change that decides on it is not durable is
// held at the gate: it is delivered, or not, once the change has happened or
// failed. So nobody is delivered what a replay would not deliver.
//
// Invariant: Deliveries leave in order of (position, k), and one message is
// shared by all connections. Term and number name it; both begin again, higher,
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
	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/actors/apikey/guests"
	"github.com/birdwire/birdwire/actors/apikey/permit"
	"github.com/birdwire/birdwire/actors/apikey/stream"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

type key struct {
	cfg      Config
	id       string
	behavior actor.Behavior
	log      *slog.Logger
	self     *actor.PID
	timers   actors.Timers
	store    hold.Backoff
	held     hold.Queue[actors.Held] // while starting
	loading  *loaded                 // the reading that is waited for; an answer to another one is dropped
	wanted   bool                    // somebody waits for the key to start
	damaged  error                   // why what the store has of the key cannot be read, which waiting does not mend; nil: it can
	usedAt   actors.Instant          // when a message last came
	ending   bool                    // its children end with it

	changes *change.Machine
	tickets map[uint64]*actor.PID // who waits for a change; at most cfg.QueueMost and one
	ticket  uint64                // of the newest
	gate    hold.Queue[any]       // Matched and Through after something undecided

	guests   *guests.Guests
	requests permit.Bucket

	parts parts

	stream  stream.Stream
	synced  bool              // the router has had the key's queries of this instance
	from    messages.Position // from here on
	hitAt   actors.Instant    // when something last matched
	rejoins int               // how often Rejoin was said
	proving time.Duration     // after which what was sent is proved again; 0: no timer runs
	proves  bool              // the next idleTime has all members proved how far it is

	ledger *ledger // of credits
	record *record // of deliveries
}

// Props describes the key with the id. Its parent must be the key's shard.
func Props(cfg Config, id string) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("apikey", func() actor.Actor {
		k := &key{
			cfg: cfg, id: id, behavior: actor.NewBehavior(), log: cfg.Logger.With("key", id),
			timers: actors.NewTimers(cfg.Clock), store: hold.Store(),
			held:    hold.Queue[actors.Held]{Most: cfg.HeldBytes, Name: "apikey: messages while it starts", Queues: cfg.Queues},
			gate:    hold.Queue[any]{Most: cfg.GateBytes, Name: "apikey: matched while a change is written", Queues: cfg.Queues},
			tickets: map[uint64]*actor.PID{},
		}
		k.guests = guests.New(guests.Config{ProbeWithin: cfg.ProbeWithin, Grace: cfg.SlotGrace})
		k.changes = change.New(k.changeConfig())
		k.parts.init(&k.cfg, k.log)
		k.record = newRecord(k)
		k.ledger = newLedger(k)
		k.behavior.Become(k.starting)
		return k
	}, nil) // HandleFailure is the strategy
}

// Messages to itself name the instance: those of one that failed are dropped.
type idleTime struct{ of *key }

func (k *key) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		k.self = ctx.Self()
		k.usedAt = k.cfg.Clock.Elapsed()
		ctx.Request(ctx.Parent(), &messages.AskKey{KeyId: k.id})
	case *actor.Stopping, *actor.Restarting:
		k.giveUp(ctx)
	case *actor.Stopped:
	case *messages.EndKey:
		k.ledger.end(ctx)
	case *actors.WorkPanicked:
		panic(fmt.Sprintf("work of key %s panicked: %v", k.id, m.Reason))
	case *actors.WorkAgain:
		if m.Of == k {
			m.Again(k.cfg.Clock, ctx.Self())
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
		k.parts.retired(ctx, m)
	case *secondTime: // there is one within ten seconds while any connection holds credit
		k.reap(ctx)
		k.ledger.receive(ctx)
	case *gatherTime, *credited, *creditAgain, *monthRead, *bounded, *bequestTime, *lookTime, *looked, *endTime:
		k.ledger.receive(ctx)
	case *messages.MonitorDrafted, *messages.RuleDrafted, *messages.QueriesPut:
		k.do(ctx, k.changes.Answer(m))
	case *answered:
		if m.of == k {
			k.answered(ctx, m)
		}
	case *slotsTime:
		if m.of == k {
			k.watch(ctx, k.guests.Slots(), nil)
		}
	case *askAgain:
		k.askAgain(ctx, m)
	case *remembered, *pageRead, *historyTime:
		k.record.receive(ctx)
	case *loaded:
		k.reloaded(ctx, m)
	case *logFirst:
		k.logFirst(ctx, m)
	case *expireTime:
		if m.of == k {
			k.expire(ctx)
		}
	case *expelTime:
		if m.of == k {
			k.expel(ctx)
		}
	case *rejoinTime:
		if m.of == k {
			k.rejoin(ctx)
		}
	case *proofTime:
		if m.of == k {
			k.proofDue(ctx)
		}
	case *unleasedTime:
		if m.of == k {
			k.unleased(ctx)
		}
	case *messages.ThroughTaken:
		k.stream.Taken(m)
	case *messages.AuthorsLearnt:
		k.change(ctx, m)
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
		k.ledger.ask(ctx, m)
	case *messages.ReportCredit:
		k.ledger.report(ctx, m)
	case *messages.Admit:
		k.admit(ctx, m)
	case *messages.SlotTaken:
		k.slotTaken(ctx, m)
	case *messages.SlotRefused:
		k.slotRefused(ctx, m)
	case *messages.Release:
		k.release(ctx, m.GetConnectionId(), ctx.Sender())
	case *messages.Authorize:
		k.authorize(ctx, m)
	default:
		k.serveRecords(ctx)
	}
}

// serveRecords answers what concerns the key, its monitors and its rules.
func (k *key) serveRecords(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.CreateKey, *messages.RevokeKey, *messages.RotateKey, *messages.UpdateKey,
		*messages.CreateMonitor, *messages.UpdateMonitor, *messages.DeleteMonitor,
		*messages.CreateRule, *messages.UpdateRule, *messages.DeleteRule:
		k.change(ctx, m)
	case *messages.DescribeKey, *messages.ListBilling:
		k.tell(ctx, k.changes.Key != nil)
	case *messages.GetMonitor, *messages.GetRule, *messages.ListMonitors, *messages.ListRules, *messages.ListDeliveries:
		k.tell(ctx, k.live())
	}
}

// tell answers what changes nothing.
func (k *key) tell(ctx actor.Context, there bool) {
	if !there {
		k.respond(ctx, noKey())
		return
	}
	set := k.changes.Set
	switch m := ctx.Message().(type) {
	case *messages.DescribeKey:
		if k.ledger.knows(ctx) {
			k.respond(ctx, k.described())
		}
	case *messages.ListBilling:
		if k.ledger.knows(ctx) {
			month, used := k.ledger.usage()
			k.respond(ctx, &messages.BillingListed{Month: month, CreditsUsed: used, CreditsLimit: k.plan().Credits})
		}
	case *messages.GetMonitor:
		k.get(ctx, m.GetMonitorId(), false)
	case *messages.GetRule:
		k.get(ctx, m.GetRuleId(), true)
	case *messages.ListMonitors:
		all := append(set.Monitors(m.GetStatus()), k.lostMonitors(m.GetStatus())...)
		k.respond(ctx, &messages.MonitorsListed{Monitors: page(all, m.GetOffset(), m.GetLimit()), Total: int32(len(all))})
	case *messages.ListRules:
		all := append(set.Rules(m.GetStatus()), k.lostRules(m.GetStatus())...)
		k.respond(ctx, &messages.RulesListed{Rules: page(all, m.GetOffset(), m.GetLimit()), Total: int32(len(all))})
	case *messages.ListDeliveries:
		k.listDeliveries(ctx, m)
	}
}

// page is n of all from offset on; n 0 is all of them.
func page[T any](all []T, offset, n int32) []T {
	from := min(max(int(offset), 0), len(all))
	to := len(all)
	if n > 0 {
		to = min(from+int(n), len(all))
	}
	return all[from:to]
}

// live says that there is such a key and it is not revoked.
func (k *key) live() bool { return k.changes.Live() }

func (k *key) plan() Plan { return k.cfg.Plans[k.changes.Key.GetPlan()] }

func (k *key) respond(ctx actor.Context, answer any) {
	if ctx.Sender() != nil {
		ctx.Respond(answer)
	}
}

// work runs in a Worker; where the pool is full it is asked again.
func (k *key) work(ctx actor.Context, timeout time.Duration, work func(ctx context.Context) any) {
	k.workBy(ctx, k.cfg.Worker, timeout, work)
}

func (k *key) workBy(ctx actor.Context, by actors.Worker, timeout time.Duration, work func(ctx context.Context) any) {
	actors.Work(k.cfg.Clock, by, ctx.Self(), k, timeout, work)
}

// giveUp is for an actor that stops or begins again: whoever waits is told, and
// no timer outlives it.
func (k *key) giveUp(ctx actor.Context) {
	k.ending = true
	k.timers.Stop()
	k.do(ctx, k.changes.GiveUp())
	k.record.do(ctx, k.record.GiveUp(detailMoving))
	for _, h := range k.held.Take() {
		h.Refuse(ctx, detailMoving)
	}
	for _, w := range k.guests.GiveUp() {
		ctx.Send(w.To.(*actor.PID), overloaded(detailMoving))
	}
}

const (
	detailStarting = "the key's records are being read: try again"
	detailMoving   = "the key is moving: try again"
)

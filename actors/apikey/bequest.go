package apikey

import (
	"context"
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

// A crash leaves grants open: they are charged, and nobody knows what was spent
// of them. The log does, within a bound: a connection is handed an event once,
// and there were never more connections than the plan has. So once nobody can
// spend of them any more, what is over that bound is given back:
//
//	recall every connection of an instance before ─▶ all have come, or are gone
//	   ─▶ count in the log what matched since ─▶ settle
//
// A grant that a replay has drawn on has no such bound, and stays charged. The
// bound holds for all open grants together, from the least of their positions.

// Spent says what may have been delivered. Called inside a Worker only.
type Spent interface {
	// Since counts the deliveries of queries after from (posts) and the events
	// that are no posts (others), to the log's end. It stops at most of either
	// and when it has read enough to be dear; whole is false then.
	Since(ctx context.Context, queries []*messages.Query, from messages.Position, most int64) (posts, others int64, whole bool, err error)
}

// bounded is a worker's answer.
type bounded struct {
	of    *key
	bound int64
	err   error
}

// monthsKept is how many months' ledgers are kept.
const monthsKept = 14

// inherit begins to settle what instances before have left open.
func (k *key) inherit(ctx actor.Context) {
	if k.purse == nil {
		return
	}
	k.prune(ctx)
	if len(k.purse.Inherited()) == 0 || k.cfg.Spent == nil {
		return
	}
	k.ledger.former = map[string]bool{}
	for _, slot := range k.guests.Slots() {
		if price.Metered(slot.GetApi()) {
			k.ledger.former[slot.GetConnectionId()] = true
		}
	}
	k.recall(ctx, k.ledger.strangers())
	k.bequeath(ctx)
}

// moved: the connection has said which account it spends of, or has ended.
func (k *key) moved(ctx actor.Context, connection string, account uint64) {
	if account == k.stream.Term() && k.ledger.former[connection] {
		delete(k.ledger.former, connection)
		k.bequeath(ctx)
	}
}

func (k *key) bequeath(ctx actor.Context) {
	inherited := k.purse.Inherited()
	if len(k.ledger.former) > 0 || k.ledger.settling || len(inherited) == 0 {
		return
	}
	k.ledger.settling = true
	from, most := messages.Position(math.MaxUint64), int64(0)
	for _, g := range inherited {
		from = min(from, messages.Position(g.GetPosition()))
		most += g.GetSize()
	}
	if from == 0 {
		k.log.Info("credits that were lent before a crash stay charged: clients were resuming on them", "credits", most)
		return
	}
	spent, queries, plan := k.cfg.Spent, k.changes.Set.Queries(0, 0), k.plan()
	k.workBy(ctx, k.cfg.Reader, k.cfg.HistoryTimeout, func(work context.Context) any {
		posts, others, whole, err := spent.Since(work, queries, from, most)
		b := &bounded{of: k, err: err, bound: most}
		if whole {
			b.bound = posts*int64(plan.Connections[messages.Api_API_TWITTER]) + others*int64(plan.Connections[messages.Api_API_NEWSRANK])
		}
		return b
	})
}

func (k *key) bounded(ctx actor.Context, b *bounded) {
	if b.of != k {
		return
	}
	if b.err != nil {
		k.log.Warn("credits that were lent before a crash stay charged: the log cannot be read", "error", b.err)
		return
	}
	k.purse.Bequeath(b.bound)
	k.credit(ctx)
}

// prune deletes the ledgers of long ago.
func (k *key) prune(ctx actor.Context) {
	counters, id := k.cfg.Counters, k.id
	k.work(ctx, k.cfg.StoreTimeout, func(work context.Context) any {
		if err := counters.Prune(work, id, monthsKept); err != nil {
			k.cfg.Count("prune_failed") // the next month tries again
		}
		return nil
	})
}

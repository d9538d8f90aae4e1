package router

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// put changes a key's queries.
func (r *router) put(ctx actor.Context, m *messages.PutQueries) {
	refused, newest := r.state.subscriptions.put(r.state.index, m)
	if newest != 0 {
		ctx.Respond(&messages.NotOwner{KeyId: m.GetKeyId(), Shard: uint32(actors.ShardOf(m.GetKeyId())), Term: newest})
		return
	}
	for _, q := range refused {
		r.cfg.Logger.Error("a key's query was refused", "key", m.GetKeyId(), "k", q.GetQuery().GetK(), "error", q.GetDetail())
	}
	ctx.Respond(&messages.QueriesPut{Position: uint64(r.state.through()), Id: m.GetId(), KeyId: m.GetKeyId(), Refused: refused})
	r.merge(ctx)
}

func (r *router) dropShard(ctx actor.Context, m *messages.DropShard) {
	r.state.subscriptions.dropShard(r.state.index, int(m.GetShard()), m.GetTerm())
	ctx.Respond(&messages.ShardDropped{Shard: m.GetShard(), Term: m.GetTerm()})
	r.merge(ctx)
}

// merge has a worker make the index cheaper, one piece at a time; matching and
// changes go on meanwhile.
func (r *router) merge(ctx actor.Context) {
	if r.merging {
		return
	}
	work := r.state.index.Merge()
	if work == nil {
		return
	}
	r.merging = r.cfg.Merge.Do(ctx.Self(), time.Minute, func(context.Context) any {
		work.Run()
		return &merged{work}
	})
}

func (r *router) merged(ctx actor.Context, m *merged) {
	r.merging = false
	r.state.index.Install(m.merge) // void where another came first: the next one is asked for
	r.merge(ctx)
}

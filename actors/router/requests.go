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
	if newest := r.state.subscriptions.newer(m.GetKeyId(), m.GetTerm()); newest != 0 {
		ctx.Respond(notOwner(m, newest))
		return
	}
	r.submit(ctx, &change{line: "key/" + m.GetKeyId(), sender: ctx.Sender(), put: m, queries: m.GetPut()})
}

func notOwner(m *messages.PutQueries, newest uint64) *messages.NotOwner {
	return &messages.NotOwner{KeyId: m.GetKeyId(), Shard: uint32(actors.ShardOf(m.GetKeyId())), Term: newest}
}

// puts commits what was put for a key. A query that does not compile was
// accepted by a newer version of the language: the key is told, and the others
// are put.
func (r *router) puts(ctx actor.Context, c *change) {
	m := c.put
	key, newest := r.state.subscriptions.keyOf(m.GetKeyId(), m.GetTerm())
	if newest != 0 { // another owner has spoken since
		r.unput(c)
		r.answer(ctx, c, notOwner(m, newest))
		return
	}
	r.state.subscriptions.put(r.state.index, key, m, c.ids, r.state.through())
	for _, id := range c.ids {
		delete(r.state.unowned, id)
	}
	done := &messages.QueriesPut{Position: uint64(r.state.through()), Id: m.GetId(), KeyId: m.GetKeyId()}
	for i, p := range c.prepared {
		if p.refused == "" {
			continue
		}
		q := c.queries[i]
		r.cfg.Logger.Error("a key's query was refused", "key", m.GetKeyId(), "k", q.GetK(), "error", p.refused)
		done.Refused = append(done.Refused, &messages.QueryRefused{
			Query: &messages.QueryName{K: q.GetK(), Version: q.GetVersion()}, Detail: p.refused,
		})
	}
	r.answer(ctx, c, done)
	r.merge(ctx)
}

// commit makes a change that is put whole the current one.
func (r *router) commit(ctx actor.Context, c *change) {
	if c.join != nil {
		r.joins(ctx, c)
		return
	}
	r.puts(ctx, c)
}

// refuse answers for a change whose handling failed.
func (r *router) refuse(ctx actor.Context, c *change, detail string) {
	if c.join != nil {
		r.answer(ctx, c, &messages.JoinRefused{Join: c.join.GetJoin(), Detail: detail})
		return
	}
	done := &messages.QueriesPut{Position: uint64(r.state.through()), Id: c.put.GetId(), KeyId: c.put.GetKeyId()}
	for _, q := range c.queries {
		done.Refused = append(done.Refused, &messages.QueryRefused{
			Query: &messages.QueryName{K: q.GetK(), Version: q.GetVersion()}, Detail: detail,
		})
	}
	r.answer(ctx, c, done)
}

func (r *router) answer(ctx actor.Context, c *change, m any) {
	if c.sender != nil {
		ctx.Send(c.sender, m)
	}
}

// dropKey forgets a key, and what is on its way for it.
func (r *router) dropKey(ctx actor.Context, m *messages.DropKey) {
	r.drop(ctx, "key/"+m.GetKeyId(), func(c *change) bool { return c.put.GetTerm() <= m.GetTerm() })
	r.state.subscriptions.dropKey(r.state.index, m.GetKeyId(), m.GetTerm())
}

func (r *router) dropShard(ctx actor.Context, m *messages.DropShard) {
	r.state.subscriptions.dropShard(r.state.index, int(m.GetShard()), m.GetTerm())
	ctx.Respond(&messages.ShardDropped{Shard: m.GetShard(), Term: m.GetTerm()})
	r.merge(ctx)
}

// merge has a worker make the index cheaper, one piece at a time; matching and
// changes go on in that time.
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

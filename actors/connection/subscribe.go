package connection

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// joinsMost bounds the subscribes of one client that wait for an answer.
const joinsMost = 64

// Subscriptions to everything, shared: messages are never changed.
var (
	allKite     = &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{}}}
	allNewsrank = &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}}

	allKiteQuery     = &messages.Query{Want: &messages.Query_Kite{Kite: allKite.GetKite()}}
	allNewsrankQuery = &messages.Query{Want: &messages.Query_Newsrank{Newsrank: allNewsrank.GetNewsrank()}}
)

// unfiltered is an API's subscription to everything.
func unfiltered(api messages.Api) *messages.ClientSubscribed {
	if api == messages.Api_API_KITE {
		return allKite
	}
	return allNewsrank
}

func queryOf(s *messages.ClientSubscribed) *messages.Query {
	switch s {
	case allKite:
		return allKiteQuery
	case allNewsrank:
		return allNewsrankQuery
	}
	if k := s.GetKite(); k != nil {
		return &messages.Query{Want: &messages.Query_Kite{Kite: k}}
	}
	return &messages.Query{Want: &messages.Query_Newsrank{Newsrank: s.GetNewsrank()}}
}

// embeddings says whether the frames carry vectors.
func (c *connection) embeddings() bool {
	return c.query.GetNewsrank().GetIncludeEmbeddings()
}

// first is the first subscribe of a client, before anything was delivered.
func (c *connection) first(ctx actor.Context, s *messages.ClientSubscribed) {
	c.query = queryOf(s)
	if c.begun.Resume {
		c.begun.Socket.Subscribed(s)
		c.startReplay(ctx)
		return
	}
	c.joins = append(c.joins, s)
	c.join(ctx)
}

// begin starts the flow, from the client's cursor or from now.
func (c *connection) begin(ctx actor.Context) {
	if c.begun.Resume {
		c.startReplay(ctx)
		return
	}
	c.join(ctx)
}

// change replaces the filters of a live connection. The router answers between
// the last event of the old ones and the first of the new ones.
func (c *connection) change(ctx actor.Context, s *messages.ClientSubscribed) {
	if len(c.joins) == joinsMost {
		c.begun.Socket.Error("too many subscribe messages at once: wait for the answers")
		return
	}
	c.joins = append(c.joins, s)
	c.sendJoin(ctx, queryOf(s))
}

// changed puts the answer in its place among the events: behind those that
// still wait for credit.
func (c *connection) changed(ctx actor.Context) {
	if len(c.joins) == 0 {
		return
	}
	s := c.joins[0]
	c.joins = c.joins[1:]
	c.query = queryOf(s)
	if len(c.out) > 0 {
		c.hold(ctx, item{answer: s})
		return
	}
	c.begun.Socket.Subscribed(s)
}

// unchanged: the router could not take the filters; the old ones stay.
func (c *connection) unchanged(m *messages.JoinRefused) {
	if len(c.joins) > 0 {
		c.joins = c.joins[1:]
	}
	c.begun.Socket.Error(m.GetDetail())
}

func (c *connection) sendJoin(ctx actor.Context, q *messages.Query) {
	join := &messages.Join{
		ConnectionId: c.begun.ID,
		Connection:   &messages.Ref{Address: ctx.Self().GetAddress(), Id: ctx.Self().GetId()},
		Query:        q,
		KeyId:        c.begun.KeyID,
		Cursor:       uint64(c.cursor),
	}
	if c.begun.API == messages.Api_API_TWITTER {
		ctx.Request(c.begun.Key, join)
		return
	}
	ctx.Request(c.cfg.Router, join)
}

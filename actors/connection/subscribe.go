package connection

import (
	"math"

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
	if c.changing != nil {
		c.postpone(s)
		return
	}
	if len(c.joins) == joinsMost {
		c.begun.Socket.Error("too many subscribe messages at once: wait for the answers")
		return
	}
	if c.routerOf(queryOf(s)) != c.routerOf(c.query) {
		c.changeLane(ctx, s)
		return
	}
	c.joins = append(c.joins, s)
	c.sendJoin(ctx, queryOf(s))
}

// routerOf is the lane that serves a query: one with semantic filters has its
// own, so that a slow comparison holds nobody else's events up.
func (c *connection) routerOf(q *messages.Query) *actor.PID {
	if c.cfg.Semantic != nil && len(q.GetNewsrank().GetEmbeddingFilters()) > 0 {
		return c.cfg.Semantic
	}
	return c.cfg.Router
}

// changeLane asks the old lane how far it has come. What is behind that is the
// new filters' to decide, read from the log up to where the new lane stands.
func (c *connection) changeLane(ctx actor.Context, s *messages.ClientSubscribed) {
	c.changing = s
	c.askThrough(ctx)
}

func (c *connection) laneChanged(ctx actor.Context, m *messages.Through) {
	p := messages.Position(m.GetPosition())
	if len(c.joins) > 0 {
		return // asked before this change: the answer to that comes behind the joins'
	}
	if p > c.cursor && len(c.out) == 0 { // what waits for credit is read again, and the new filters'
		c.cursor, c.cursorK = p, math.MaxUint32
	}
	s := c.changing
	c.changing = nil
	ctx.Send(c.routerOf(c.query), &messages.Leave{ConnectionId: c.begun.ID})
	c.query = queryOf(s)
	c.begun.Socket.Subscribed(s)
	c.startReplay(ctx)
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
		ctx.Request(c.owner(), join)
		return
	}
	ctx.Request(c.routerOf(q), join)
}

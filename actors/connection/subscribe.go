package connection

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// joinsMost bounds the subscribes of one client that wait for an answer.
const joinsMost = 64

// unfiltered is an API's subscription to everything.
func unfiltered(api messages.Api) *messages.ClientSubscribed {
	if api == messages.Api_API_KITE {
		return &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{}}}
	}
	return &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}}
}

func queryOf(s *messages.ClientSubscribed) *messages.Query {
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
	if c.cfg.Resume {
		c.cfg.Socket.Subscribed(s)
		c.startReplay(ctx)
		return
	}
	c.joins = append(c.joins, s)
	c.join(ctx)
}

// begin starts the flow, from the client's cursor or from now.
func (c *connection) begin(ctx actor.Context) {
	if c.cfg.Resume {
		c.startReplay(ctx)
		return
	}
	c.join(ctx)
}

// change replaces the filters of a live connection. The router answers between
// the last event of the old ones and the first of the new ones.
func (c *connection) change(ctx actor.Context, s *messages.ClientSubscribed) {
	if len(c.joins) == joinsMost {
		c.cfg.Socket.Error("too many subscribe messages at once: wait for the answers")
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
	c.cfg.Socket.Subscribed(s)
}

// unchanged: the router could not take the filters; the old ones stay.
func (c *connection) unchanged(m *messages.JoinRefused) {
	if len(c.joins) > 0 {
		c.joins = c.joins[1:]
	}
	c.cfg.Socket.Error(m.GetDetail())
}

func (c *connection) sendJoin(ctx actor.Context, q *messages.Query) {
	join := &messages.Join{
		ConnectionId: c.cfg.ID,
		Connection:   &messages.Ref{Address: ctx.Self().GetAddress(), Id: ctx.Self().GetId()},
		Query:        q,
		KeyId:        c.cfg.KeyID,
		Cursor:       uint64(c.cursor),
	}
	if c.cfg.API == messages.Api_API_TWITTER {
		ctx.Request(c.cfg.Key, join)
		return
	}
	ctx.Request(c.cfg.Router, join)
}

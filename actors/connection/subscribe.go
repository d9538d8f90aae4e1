package connection

import (
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// The lanes: who sends what is new. A subscription with semantic filters has a
// router of its own, so that a slow comparison holds nobody else's events up.
const (
	lanePlain follow.Lane = iota
	laneSemantic
	laneKey
)

// Subscriptions that many connections have, shared: they are never changed.
var (
	allKite     = &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{}}}
	allNewsrank = &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}}

	posts       = &follow.Subscription{Lane: laneKey}                            // whatever the key's monitors and rules match
	unasked     = &follow.Subscription{Lane: lanePlain, Query: queryOf(allKite)} // kite, before it says anything
	everyItem   = &follow.Subscription{Lane: lanePlain, Query: queryOf(allKite), Tag: allKite}
	everyRanked = &follow.Subscription{Lane: lanePlain, Query: queryOf(allNewsrank), Tag: allNewsrank}
)

// unfiltered is an API's subscription to everything, where it is asked for.
func unfiltered(api messages.Api) *follow.Subscription {
	if api == messages.Api_API_KITE {
		return everyItem
	}
	return everyRanked
}

// subscription is what a client's message asks for.
func (c *connection) subscription(s *messages.ClientSubscribed) *follow.Subscription {
	lane := lanePlain
	if c.cfg.Semantic != nil && len(s.GetNewsrank().GetEmbeddingFilters()) > 0 {
		lane = laneSemantic
	}
	return &follow.Subscription{Lane: lane, Query: queryOf(s), Tag: s}
}

func queryOf(s *messages.ClientSubscribed) *messages.Query {
	if k := s.GetKite(); k != nil {
		return &messages.Query{Want: &messages.Query_Kite{Kite: k}}
	}
	return &messages.Query{Want: &messages.Query_Newsrank{Newsrank: s.GetNewsrank()}}
}

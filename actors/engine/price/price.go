// Package price says what frames cost, in credits: one table, by API and kind of
// event. It is the only place that knows a price.
package price

import "github.com/birdwire/birdwire/messages"

// Kind is what a frame tells of.
type Kind uint8

// The kinds of events. What has no price costs nothing.
const (
	Other Kind = iota
	Post
	Article         // item.new; kite's create and update
	ArticleEnriched // item.enriched
	ArticleGone     // kite's delete
	Ranking         // clusters.ranked
	Development     // story.development
	Priority        // story.priority_changed
	Cluster         // cluster.event
	Tickers         // ticker.news
	kinds
)

// table is the price list. Credits are for event frames alone: pings,
// acknowledgements, cursors and errors are free.
var table = map[messages.Api]*List{
	messages.Api_API_UNSPECIFIED: {},
	messages.Api_API_TWITTER:     {Post: 1},
	messages.Api_API_NEWSRANK: {
		Article: 1, ArticleEnriched: 1, Ranking: 1, Development: 1, Priority: 1, Cluster: 1, Tickers: 1,
	},
	messages.Api_API_KITE: {},
}

// List is what the frames of one API cost.
type List [kinds]int64

// Of is the API's, shared by all who ask. One that is not known costs nothing.
func Of(api messages.Api) *List {
	if l := table[api]; l != nil {
		return l
	}
	return table[messages.Api_API_UNSPECIFIED]
}

// Metered says whether any frame of the API costs something.
func Metered(api messages.Api) bool { return *Of(api) != List{} }

// Frame is what the frame of an event costs.
func (l *List) Frame(e *messages.Event) int64 { return l[KindOf(e)] }

// KindOf is what a frame of the event tells of.
func KindOf(e *messages.Event) Kind {
	switch b := e.GetBody().(type) {
	case *messages.Event_Post:
		return Post
	case *messages.Event_Article:
		switch b.Article.GetAction() {
		case messages.ArticleAction_ARTICLE_ENRICHED:
			return ArticleEnriched
		case messages.ArticleAction_ARTICLE_DELETED:
			return ArticleGone
		}
		return Article
	case *messages.Event_ClustersRanked:
		return Ranking
	case *messages.Event_StoryDevelopment:
		return Development
	case *messages.Event_StoryPriority:
		return Priority
	case *messages.Event_ClusterChange:
		return Cluster
	case *messages.Event_TickerNews:
		return Tickers
	}
	return Other
}

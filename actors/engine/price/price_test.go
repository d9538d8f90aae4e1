package price_test

import (
	"testing"

	"github.com/birdwire/birdwire/actors/engine/price"
	"github.com/birdwire/birdwire/messages"
)

func article(a messages.ArticleAction) *messages.Event {
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: a}}}
}

func TestWhatFramesCost(t *testing.T) {
	post := &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{}}}
	ranking := &messages.Event{Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{}}}
	for _, c := range []struct {
		api   messages.Api
		event *messages.Event
		want  int64
	}{
		{messages.Api_API_TWITTER, post, 1},
		{messages.Api_API_NEWSRANK, article(messages.ArticleAction_ARTICLE_CREATED), 1},
		{messages.Api_API_NEWSRANK, article(messages.ArticleAction_ARTICLE_ENRICHED), 1},
		{messages.Api_API_NEWSRANK, ranking, 1},
		{messages.Api_API_NEWSRANK, &messages.Event{Body: &messages.Event_TickerNews{}}, 1},
		{messages.Api_API_NEWSRANK, &messages.Event{Body: &messages.Event_StoryDevelopment{}}, 1},
		{messages.Api_API_NEWSRANK, &messages.Event{Body: &messages.Event_StoryPriority{}}, 1},
		{messages.Api_API_NEWSRANK, &messages.Event{Body: &messages.Event_ClusterChange{}}, 1},
		{messages.Api_API_NEWSRANK, nil, 0},
		{messages.Api_API_KITE, article(messages.ArticleAction_ARTICLE_CREATED), 0},
		{messages.Api_API_KITE, article(messages.ArticleAction_ARTICLE_DELETED), 0},
		{messages.Api_API_UNSPECIFIED, post, 0},
	} {
		if got := price.Of(c.api).Frame(c.event); got != c.want {
			t.Errorf("%v %T: %d, want %d", c.api, c.event.GetBody(), got, c.want)
		}
	}
	if !price.Metered(messages.Api_API_TWITTER) || !price.Metered(messages.Api_API_NEWSRANK) || price.Metered(messages.Api_API_KITE) {
		t.Error("twitter and newsrank are metered, kite is not")
	}
}

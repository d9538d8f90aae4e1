package sim

import (
	"fmt"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/messages"
)

// PublishArticle pushes an article at the node, or at the next one where that does
// not take it, until it is known to be in the log.
func (c *Cluster) PublishArticle(node, id, title string) {
	c.TB.Helper()
	a, err := push.ParseArticle(fmt.Appendf(nil, `{"id":%q,"url":"https://example.com/%s","title":%q,"source":{"id":"wire","name":"Wire"}}`, id, id, title))
	if err != nil {
		c.TB.Fatal(err)
	}
	p := &publisher{cluster: c, at: c.place(node), event: &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: a}}}}
	p.offer()
}

// Enriched are the ids of articles that the log holds, and of those that it holds
// enriched.
func (c *Cluster) Enriched() (all, enriched map[string]bool) {
	c.TB.Helper()
	all, enriched = map[string]bool{}, map[string]bool{}
	c.log(func(_ messages.Position, e *messages.Event) {
		id := e.GetArticle().GetArticle().GetId()
		switch e.GetArticle().GetAction() {
		case messages.ArticleAction_ARTICLE_CREATED:
			all[id] = true
		case messages.ArticleAction_ARTICLE_ENRICHED:
			enriched[id] = true
		}
	})
	return all, enriched
}

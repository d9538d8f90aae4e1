package rule

import (
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Types of article events. The last two are no events of newsrank's: its
// queries never ask for them.
var articleTypes = map[messages.ArticleAction]string{
	messages.ArticleAction_ARTICLE_CREATED:  "item.new",
	messages.ArticleAction_ARTICLE_ENRICHED: "item.enriched",
	messages.ArticleAction_ARTICLE_UPDATED:  "item.updated",
	messages.ArticleAction_ARTICLE_DELETED:  "item.deleted",
}

func (d *Doc) resetArticle(c *messages.ArticleChange) {
	a := c.GetArticle()
	d.Classes, d.Type = ClassNewsrank|ClassKite, articleTypes[c.GetAction()]
	d.article = a
	d.value(KindEvent, d.Type)
	d.value(KindSourceID, a.GetSourceId())
	d.value(KindSourceName, strings.TrimSpace(a.GetSourceName()))
	d.value(KindCategory, a.GetCategory())
	text.Tokenize(a.GetTitle(), &d.buf)
	d.push(FieldTitle, KindTitle)
	d.push(FieldItemText, KindItemText)
	d.push(FieldItemLead, KindItemLead)
	text.Tokenize(a.GetDescription(), &d.buf)
	d.push(FieldItemText, KindItemText)
	d.push(FieldItemLead, KindItemLead)
	for _, t := range a.GetTickers() {
		d.value(KindTicker, ticker(t))
		d.words(FieldItemText, KindItemText, t)
	}
	for _, t := range a.GetTags() {
		d.words(FieldItemText, KindItemText, t)
	}
	d.add(a.GetEntityIds(), a.GetEmbedding(), a.GetEmbeddingModel())
}

func (d *Doc) resetStory(kind, category, title, headline string) {
	d.Classes, d.Type = ClassNewsrank, kind
	d.value(KindEvent, kind)
	d.value(KindCategory, category)
	d.words(FieldTitle, KindTitle, title)
	if headline != title {
		d.words(FieldTitle, KindTitle, headline)
	}
}

func (d *Doc) add(entities []int64, embedding []float32, model string) {
	for _, id := range entities {
		d.keys = append(d.keys, key(KindEntityID, hashID(id)))
	}
	if len(embedding) > 0 {
		d.embedding, d.model = embedding, model
	}
}

func ticker(s string) string { return strings.TrimPrefix(strings.TrimSpace(s), "$") }

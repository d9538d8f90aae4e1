package newsrank

import (
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// appendItem writes item.new and item.enriched.
func (l limits) appendItem(b []byte, c *messages.ArticleChange) []byte {
	a := c.GetArticle()
	switch c.GetAction() {
	case messages.ArticleAction_ARTICLE_CREATED:
		b = append(b, `{"type":"item.new","data":`...)
		return l.appendArticle(b, a)
	case messages.ArticleAction_ARTICLE_ENRICHED:
		b = append(b, `{"type":"item.enriched","data":`...)
		b = l.appendArticle(b, a)
		b = append(b, `,"entity_ids":`...)
		return dialect.AppendInts(b, first(a.GetEntityIds(), l.list))
	}
	return b
}

// appendArticle writes the documented fields always, the optional ones that
// the vendor's client knows where they are known.
func (l limits) appendArticle(b []byte, a *messages.Article) []byte {
	b = id(b, `{"id":`, a.GetNumber())
	b = l.str(b, `,"url_hash":`, a.GetUrlHash())
	b = l.str(b, `,"title":`, a.GetTitle())
	b = l.str(b, `,"url":`, a.GetUrl())
	b = l.str(b, `,"source_id":`, a.GetSourceId())
	b = l.str(b, `,"source_name":`, a.GetSourceName())
	b = l.str(b, `,"category":`, a.GetCategory())
	b = num(b, `,"published_at":`, a.GetPublishedMs())
	b = num(b, `,"discovered_at":`, a.GetDiscoveredMs())
	b = l.str(b, `,"excerpt":`, a.GetExcerpt())
	b = l.optional(b, `,"headline_summary":`, a.GetHeadlineSummary())
	b = l.optional(b, `,"slug":`, a.GetSlug())
	b = l.optional(b, `,"source_language":`, a.GetSourceLanguage())
	b = l.optional(b, `,"image_url":`, a.GetImageUrl())
	b = l.optional(b, `,"video_url":`, a.GetVideoUrl())
	b = l.optional(b, `,"content_status":`, a.GetContentStatus())
	return append(b, '}')
}

func (l limits) optional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return l.str(b, name, value)
}

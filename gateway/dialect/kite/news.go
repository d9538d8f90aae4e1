package kite

import (
	"strconv"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// Event appends the news frame of an article's change; nothing for other
// events, which this API does not show.
func (Codec) Event(b []byte, d *messages.Delivery, form dialect.Form) []byte {
	change := d.GetEvent().GetArticle()
	var action string
	switch change.GetAction() {
	case messages.ArticleAction_ARTICLE_CREATED:
		action = "create"
	case messages.ArticleAction_ARTICLE_UPDATED, messages.ArticleAction_ARTICLE_ENRICHED:
		action = "update"
	case messages.ArticleAction_ARTICLE_DELETED:
		action = "delete"
	default:
		return b
	}
	b = append(b, `{"type":"news","action":"`...)
	b = append(b, action...)
	b = append(b, `","item":`...)
	b = appendItem(b, change.GetArticle())
	if form.Cursor != "" {
		b = append(b, `,"cursor":`...)
		b = dialect.AppendString(b, form.Cursor)
	}
	return append(b, '}')
}

// appendItem writes every field, empty or not: the document's own sample
// calls tickers.join.
func appendItem(b []byte, a *messages.Article) []byte {
	text := func(name, value string) {
		b = append(b, name...)
		b = dialect.AppendString(b, value)
	}
	text(`{"id":`, itemID(a))
	text(`,"title":`, a.GetTitle())
	text(`,"url":`, a.GetUrl())
	text(`,"description":`, a.GetDescription())
	b = append(b, `,"published":`...)
	b = dialect.AppendTime(b, a.GetPublishedMs(), timeLayout)
	text(`,"source":`, a.GetSourceName())
	text(`,"category":`, a.GetCategory())
	text(`,"author":`, a.GetAuthor())
	b = append(b, `,"tags":`...)
	b = dialect.AppendStrings(b, a.GetTags())
	b = append(b, `,"tickers":`...)
	b = dialect.AppendStrings(b, a.GetTickers())
	text(`,"article_type":`, a.GetArticleType())
	text(`,"image_url":`, a.GetImageUrl())
	text(`,"speaker":`, a.GetSpeaker())
	text(`,"speaker_title":`, a.GetSpeakerTitle())
	text(`,"institution":`, a.GetInstitution())
	text(`,"event_location":`, a.GetEventLocation())
	text(`,"base_currency":`, a.GetBaseCurrency())
	text(`,"target_currency":`, a.GetTargetCurrency())
	text(`,"exchange_rate":`, a.GetExchangeRate())
	b = append(b, `,"created":`...)
	b = dialect.AppendTime(b, a.GetDiscoveredMs(), timeLayout)
	updated := a.GetUpdatedMs()
	if updated == 0 {
		updated = a.GetDiscoveredMs()
	}
	b = append(b, `,"updated":`...)
	b = dialect.AppendTime(b, updated, timeLayout)
	return append(b, '}')
}

// itemID is the pushed id, else the article's number in base 36.
func itemID(a *messages.Article) string {
	if a.GetId() != "" {
		return a.GetId()
	}
	return strconv.FormatUint(a.GetNumber(), 36)
}

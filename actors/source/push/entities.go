package push

import (
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// derive fills in what the pusher left out and the text says. What was given
// stays, an empty list too.
//
// What a retweet's text says beyond its cut is in the text that it retweets;
// the last tag before the cut may be half of one.
func (d *decoder) derive(p *messages.Post) {
	if p.GetConversationId() == "" && p.GetInReplyToId() == "" {
		p.ConversationId = p.GetId() // it begins one
	}
	want := [...]bool{
		text.Hashtag: p.GetHashtags() == nil,
		text.Mention: p.GetMentions() == nil,
		text.Cashtag: p.GetCashtags() == nil,
		text.URL:     p.GetUrls() == nil,
	}
	if want == [4]bool{} {
		return
	}
	said := p.GetText()
	if retweeted := p.GetRetweetOf().GetText(); retweeted != "" {
		if before, after, cut := text.Cut(said, retweeted); cut {
			said = before + retweeted + after
		}
	}
	text.Scan(said, &d.text)
	for _, e := range d.text.Entities {
		if !want[e.Kind] {
			continue
		}
		value := e.Value(said)
		switch e.Kind {
		case text.Hashtag:
			p.Hashtags = within(p.Hashtags, value)
		case text.Mention:
			p.Mentions = within(p.Mentions, value)
		case text.Cashtag:
			p.Cashtags = within(p.Cashtags, value)
		case text.URL:
			if len(p.GetUrls()) < maxEntities && len(value) <= maxURL {
				p.Urls = append(p.Urls, asLink(value))
			}
		}
	}
}

func within(list []string, value string) []string {
	if len(list) >= maxEntities {
		return list
	}
	return append(list, value)
}

// asLink is an address as it was written, with what clients open where it was
// written without a scheme.
func asLink(s string) *messages.Link {
	l := &messages.Link{Url: s}
	if !strings.Contains(s, "://") {
		l.ExpandedUrl = "https://" + s
	}
	return l
}

// escapes are those that X's API writes into texts, and no others.
var escapes = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">")

// unescape undoes them, once: "&amp;lt;" was written as "&lt;".
func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return escapes.Replace(s)
}

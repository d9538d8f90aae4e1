package rule

import (
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// Keys of the yes-or-no questions.
var (
	isRetweet  = key(KindIs, text.Hash("retweet"))
	isReply    = key(KindIs, text.Hash("reply"))
	isQuote    = key(KindIs, text.Hash("quote"))
	isVerified = key(KindIs, text.Hash("verified"))

	hasHashtags  = key(KindHas, text.Hash("hashtags"))
	hasCashtags  = key(KindHas, text.Hash("cashtags"))
	hasLinks     = key(KindHas, text.Hash("links"))
	hasMentions  = key(KindHas, text.Hash("mentions"))
	hasMedia     = key(KindHas, text.Hash("media"))
	hasImages    = key(KindHas, text.Hash("images"))
	hasVideoLink = key(KindHas, text.Hash("video_link"))
	hasGeo       = key(KindHas, text.Hash("geo"))
)

// entityKinds are the atoms that a text's entities answer, and the question
// whether a post has any. URLs go another way.
var entityKinds = [...]struct {
	kind Kind
	has  uint64
}{
	text.Hashtag: {KindHashtag, hasHashtags},
	text.Mention: {KindMention, hasMentions},
	text.Cashtag: {KindCashtag, hasCashtags},
}

var noPost = &messages.Post{}

func (d *Doc) resetPost(p *messages.Post) {
	if p == nil {
		p = noPost
	}
	d.Classes, d.Type, d.post = ClassPost, "post", p
	d.sample = text.Hash(p.GetId())
	d.texts(p)
	d.entities(KindHashtag, "#", p.GetHashtags(), hasHashtags)
	d.entities(KindMention, "@", p.GetMentions(), hasMentions)
	d.entities(KindCashtag, "$", p.GetCashtags(), hasCashtags)
	d.links(p)
	d.author(p.GetAuthor())
	d.relations(p)
	d.media(p.GetMedia())
	d.languages(p.GetLang())
	d.value(KindSource, application(p.GetSource()))
	if p.GetRetweetOf() == nil { // a place or a point is the author's own, never the retweeter's
		d.place(p)
	}
}

// texts adds what the post says. Its own entities are derived from the text
// where the post has no list of them; those of a quoted text always, and they
// do not make the post one that has them. A retweet says what it retweets: its
// own text often holds only the beginning.
func (d *Doc) texts(p *messages.Post) {
	derive := [...]bool{
		text.Hashtag: len(p.GetHashtags()) == 0,
		text.Mention: len(p.GetMentions()) == 0,
		text.Cashtag: len(p.GetCashtags()) == 0,
		text.URL:     len(p.GetUrls()) == 0,
	}
	d.says(p.GetText(), derive, true)
	if t := p.GetRetweetOf().GetText(); t != "" && !strings.Contains(p.GetText(), t) {
		d.says(t, derive, true)
	}
	if t := p.GetQuoteOf().GetText(); t != "" {
		d.says(t, [...]bool{true, true, true, true}, false)
	}
}

func (d *Doc) says(s string, derive [4]bool, own bool) {
	if s == "" {
		return
	}
	text.Tokenize(s, &d.buf)
	d.push(FieldText, KindKeyword)
	for _, e := range d.buf.Entities {
		if !derive[e.Kind] {
			continue
		}
		if e.Kind == text.URL {
			d.urls = append(d.urls, address{url: s[e.Start:e.End], inText: true})
			if own {
				d.keys = append(d.keys, hasLinks)
			}
			continue
		}
		d.keys = append(d.keys, key(entityKinds[e.Kind].kind, e.Hash))
		if own {
			d.keys = append(d.keys, entityKinds[e.Kind].has)
		}
	}
}

// entities adds those that the post lists.
func (d *Doc) entities(k Kind, sign string, list []string, has uint64) {
	for _, s := range list {
		d.value(k, strings.TrimPrefix(s, sign))
	}
	if len(list) > 0 {
		d.keys = append(d.keys, has)
	}
}

// links adds the words of the post's URLs, and of the pages they lead to.
func (d *Doc) links(p *messages.Post) {
	for _, l := range p.GetUrls() {
		if u := l.GetUrl(); u != "" {
			d.urls = append(d.urls, address{url: u, inText: strings.Contains(p.GetText(), u)})
		}
		if u := l.GetExpandedUrl(); u != "" && u != l.GetUrl() {
			d.urls = append(d.urls, address{url: u, inText: strings.Contains(p.GetText(), u)})
		}
	}
	if len(p.GetUrls()) > 0 {
		d.keys = append(d.keys, hasLinks)
	}
	for _, u := range d.urls {
		text.Tokenize(u.url, &d.buf)
		d.push(FieldURL, KindURL)
		if !u.inText {
			d.push(FieldText, KindKeyword)
		}
	}
	for _, l := range p.GetUrls() {
		d.words(FieldURLTitle, KindURLTitle, l.GetTitle())
		d.words(FieldURLDescription, KindURLDescription, l.GetDescription())
	}
}

func (d *Doc) author(a *messages.Author) {
	d.value(KindFrom, username(a.GetUsername()))
	d.value(KindFrom, a.GetId())
	d.words(FieldBio, KindBio, a.GetDescription())
	d.words(FieldBioName, KindBioName, a.GetName())
	d.words(FieldBioLocation, KindBioLocation, a.GetLocation())
	if a.GetVerified() {
		d.keys = append(d.keys, isVerified)
	}
}

// relations adds what the post is to other posts.
func (d *Doc) relations(p *messages.Post) {
	d.value(KindConversation, p.GetConversationId())
	d.value(KindInReplyTo, p.GetInReplyToId())
	d.value(KindTo, username(p.GetInReplyToUsername()))
	if p.GetInReplyToId() != "" || p.GetInReplyToUsername() != "" {
		d.keys = append(d.keys, isReply)
	}
	if r := p.GetRetweetOf(); r != nil {
		d.keys = append(d.keys, isRetweet)
		d.value(KindRetweetsOf, username(r.GetUsername()))
		d.value(KindRetweetsOf, r.GetAuthorId())
		d.value(KindRetweetsOfID, r.GetId())
	}
	if p.GetQuoteOf() != nil {
		d.keys = append(d.keys, isQuote)
	}
}

func (d *Doc) media(list []*messages.Media) {
	if len(list) > 0 {
		d.keys = append(d.keys, hasMedia)
	}
	for _, m := range list {
		switch m.GetType() {
		case "photo", "image":
			d.keys = append(d.keys, hasImages)
		case "video":
			d.keys = append(d.keys, hasVideoLink)
		}
	}
}

func (d *Doc) place(p *messages.Post) {
	if p.GetPlace() != nil || p.GetGeo() != nil {
		d.keys = append(d.keys, hasGeo)
	}
	d.words(FieldPlace, KindPlace, p.GetPlace().GetName())
	d.words(FieldPlace, KindPlace, p.GetPlace().GetId())
	d.value(KindPlaceCountry, p.GetPlace().GetCountryCode())
}

func username(s string) string { return strings.TrimPrefix(strings.TrimSpace(s), "@") }

// application is the name that a post's source field says. X has always sent
// it as a link.
func application(s string) string {
	if strings.HasPrefix(s, "<a ") {
		if _, inner, ok := strings.Cut(s, ">"); ok {
			s, _, _ = strings.Cut(inner, "<")
		}
	}
	return strings.TrimSpace(s)
}

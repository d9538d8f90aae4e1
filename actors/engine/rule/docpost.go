package rule

import (
	"slices"
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
	d.mentions(p.GetMentions())
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

// derived says which kinds of entities are taken from a text.
type derived [4]bool

var everything = derived{true, true, true, true}

// texts adds what the post says.
func (d *Doc) texts(p *messages.Post) {
	var room [maxSayings]saying
	said := sayings(p, room[:0])
	for i := range said {
		d.says(&said[i])
	}
}

const maxSayings = 4

// sayings appends the texts that count as the post's. Its own entities are
// derived from its text where it has no list of them; those of a retweeted or
// quoted text always, since no list is about them.
//
// A retweet says what it retweets, whole: its own text often holds only the
// beginning, and then the last word or tag of it may be half of one. A quoted
// text does not make the post one that has tags or links.
func sayings(p *messages.Post, list []saying) []saying {
	own := derived{
		text.Hashtag: len(p.GetHashtags()) == 0,
		text.Mention: len(p.GetMentions()) == 0,
		text.Cashtag: len(p.GetCashtags()) == 0,
		text.URL:     len(p.GetUrls()) == 0,
	}
	said, retweeted := p.GetText(), p.GetRetweetOf().GetText()
	quoted := saying{where: "the quoted text", text: p.GetQuoteOf().GetText(), derived: everything}
	if retweeted == "" {
		return append(list, saying{where: "the text", text: said, derived: own, has: true, half: halfEnds(p)}, quoted)
	}
	whole := saying{where: "the retweeted text", text: retweeted, derived: everything, has: true}
	if before, after, cut := text.Cut(said, retweeted); cut {
		whole.joined = before != ""
		return append(list, saying{where: "the text", text: before, derived: own, has: true}, whole,
			saying{where: "the text", text: after, derived: own, has: true}, quoted)
	}
	mine := saying{where: "the text", text: said, derived: own, has: true, half: halfEnds(p)}
	if at := strings.Index(said, retweeted); at >= 0 {
		mine.from, mine.to, mine.half = at, at+len(retweeted), 0 // nothing of it is cut
		return append(list, mine, quoted)
	}
	return append(list, mine, whole, quoted)
}

// saying is a piece of text that counts as the post's.
type saying struct {
	where    string
	text     string
	derived  derived
	from, to int  // of the text: everything is derived from it
	has      bool // the post has what is derived
	joined   bool // it goes on what was said before
	half     int  // where in the text what may be half a tag ends; 0: there is none
}

// halfEnds is where a retweet's own text is cut, also where the rest of it cannot
// be found in what it retweets.
func halfEnds(p *messages.Post) int {
	if p.GetRetweetOf() == nil {
		return 0
	}
	end, _ := text.CutEnd(p.GetText())
	return max(0, end)
}

func (s *saying) derives(e text.Entity) bool {
	if s.half > 0 && int(e.End) == s.half {
		return false
	}
	return s.derived[e.Kind] || int(e.Start) >= s.from && int(e.End) <= s.to
}

func (d *Doc) says(s *saying) {
	if s.text == "" {
		return
	}
	text.Tokenize(s.text, &d.buf)
	if s.joined {
		d.join(FieldText, KindKeyword)
	} else {
		d.push(FieldText, KindKeyword)
	}
	for _, e := range d.buf.Entities {
		if !s.derives(e) {
			continue
		}
		if e.Kind == text.URL {
			d.urls = append(d.urls, address{url: e.Value(s.text), inText: true})
			if s.has {
				d.keys = append(d.keys, hasLinks)
			}
			continue
		}
		d.keys = append(d.keys, key(entityKinds[e.Kind].kind, e.Hash))
		if s.has {
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

func (d *Doc) mentions(list []string) {
	for _, s := range list {
		d.name(KindMention, s)
	}
	if len(list) > 0 {
		d.keys = append(d.keys, hasMentions)
	}
}

// name adds the key of a username or an id, of which case counts in ASCII alone.
func (d *Doc) name(k Kind, s string) {
	if s = username(s); s != "" {
		d.keys = append(d.keys, key(k, d.buf.HashName(s)))
	}
}

// links adds the words of the post's URLs, and of the pages they lead to.
func (d *Doc) links(p *messages.Post) {
	for _, l := range p.GetUrls() {
		d.link(p, l.GetUrl())
		d.link(p, l.GetExpandedUrl())
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

func (d *Doc) link(p *messages.Post, u string) {
	if u == "" || slices.ContainsFunc(d.urls, func(a address) bool { return a.url == u }) {
		return
	}
	inText := strings.Contains(p.GetText(), u) || strings.Contains(p.GetRetweetOf().GetText(), u)
	d.urls = append(d.urls, address{url: u, inText: inText})
}

func (d *Doc) author(a *messages.Author) {
	d.name(KindFrom, a.GetUsername())
	d.name(KindFrom, a.GetId())
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
	d.name(KindTo, p.GetInReplyToUsername())
	if p.GetInReplyToId() != "" || p.GetInReplyToUsername() != "" {
		d.keys = append(d.keys, isReply)
	}
	if r := p.GetRetweetOf(); r != nil {
		d.keys = append(d.keys, isRetweet)
		d.name(KindRetweetsOf, r.GetUsername())
		d.name(KindRetweetsOf, r.GetAuthorId())
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

package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// reason says, in the words of a post or an article, why an atom holds or not.
func (d *Doc) reason(a *Atom, holds bool) string {
	if d.post == nil {
		return d.articleReason(a, holds)
	}
	p := d.post
	switch a.Kind {
	case KindFrom:
		return "written by " + who(p.GetAuthor().GetUsername(), p.GetAuthor().GetId())
	case KindTo:
		if p.GetInReplyToUsername() == "" && p.GetInReplyToId() == "" {
			return "not a reply"
		}
		return "a reply to " + who(p.GetInReplyToUsername(), "")
	case KindRetweetsOf, KindRetweetsOfID:
		if r := p.GetRetweetOf(); r != nil {
			return fmt.Sprintf("a retweet of post %s by %s", r.GetId(), who(r.GetUsername(), r.GetAuthorId()))
		}
		return "not a retweet"
	case KindIs:
		return "the post is " + negation(holds) + flagWords[a.Value]
	case KindHas:
		return "the post has " + no(holds) + strings.NewReplacer("video_link", "video", "geo", "place").Replace(a.Value)
	case KindLang:
		return "its language is " + or(p.GetLang(), "not known (und)")
	case KindFollowers:
		return d.countReason("%d followers", p.GetAuthor().GetFollowersCount())
	case KindFollowing:
		return d.countReason("%d accounts it follows", p.GetAuthor().GetFollowingCount())
	case KindTweets:
		return d.countReason("%d posts", p.GetAuthor().GetTweetCount())
	case KindListed:
		return d.countReason("%d lists it is in", p.GetAuthor().GetListedCount())
	case KindHashtag, KindMention, KindCashtag:
		return d.entityReason(a.Kind)
	case KindConversation:
		return "its conversation is " + or(p.GetConversationId(), "not known")
	case KindInReplyTo:
		return or(prefixed("a reply to post ", p.GetInReplyToId()), "not a reply to a known post")
	case KindSource:
		return or(prefixed("posted with ", application(p.GetSource())), "what it was posted with is not known")
	case KindPointRadius, KindBoundingBox, KindPlace, KindPlaceCountry:
		return d.placeReason(a)
	case KindURLContains:
		return or(prefixed("its addresses: ", strings.Join(d.addresses(), " ")), "the post has no address")
	case KindContext, KindEntity, KindFromAffiliateOf, KindToAffiliateOf:
		return "no source supplies this"
	}
	return d.wordsReason(a, holds, d.pieces(a.Kind))
}

// flagWords are what is: asks.
var flagWords = map[string]string{
	"retweet": "a retweet", "reply": "a reply", "quote": "a quote", "verified": "by a verified author", "nullcast": "an advertisement",
}

// piece is a part of a document that words are looked for in.
type piece struct{ where, text string }

func (d *Doc) pieces(k Kind) []piece {
	p, a := d.post, d.post.GetAuthor()
	switch k {
	case KindBio:
		return []piece{{"the author's description", a.GetDescription()}}
	case KindBioName:
		return []piece{{"the author's name", a.GetName()}}
	case KindBioLocation:
		return []piece{{"the author's location", a.GetLocation()}}
	case KindURL:
		return d.addressPieces()
	case KindURLTitle, KindURLDescription:
		var out []piece
		for _, l := range p.GetUrls() {
			if k == KindURLTitle {
				out = append(out, piece{"a linked page's title", l.GetTitle()})
			} else {
				out = append(out, piece{"a linked page's description", l.GetDescription()})
			}
		}
		return out
	}
	var out []piece
	for _, s := range sayings(p, nil) {
		out = append(out, piece{s.where, s.text})
	}
	return append(out, d.addressPieces()...)
}

func (d *Doc) addresses() []string {
	var out []string
	for _, u := range d.urls {
		out = append(out, u.url)
	}
	return out
}

func (d *Doc) addressPieces() []piece {
	var out []piece
	for _, u := range d.urls {
		out = append(out, piece{"an address, " + u.url, u.url})
	}
	return out
}

// wordsReason says where the words are, or which are missing.
func (d *Doc) wordsReason(a *Atom, holds bool, pieces []piece) string {
	var b text.Buffer
	seen := map[uint64]bool{}
	var places []string
	for _, p := range pieces {
		if p.text == "" {
			continue
		}
		if len(places) == 0 || !slices.Contains(places, p.where) {
			places = append(places, p.where)
		}
		text.Tokenize(p.text, &b)
		stream := make([]uint64, len(b.Tokens))
		for i, t := range b.Tokens {
			stream[i], seen[t.Hash] = t.Hash, true
		}
		if !holds {
			continue
		}
		if phrase(stream, a.Hashes) || a.Kind == KindProximity && near(stream, a.Hashes, int(a.N)) {
			return "in " + p.where + excerpt(p.text, b.Tokens, a)
		}
	}
	if holds {
		return "found"
	}
	if len(places) == 0 {
		return "the post has no such text"
	}
	var missing []string
	for i, h := range a.Hashes {
		if !seen[h] {
			missing = append(missing, a.Tokens[i])
		}
	}
	switch {
	case len(missing) > 0:
		return "not found: " + strings.Join(missing, ", ")
	case a.Kind == KindProximity:
		return fmt.Sprintf("the words are there, with more than %d others between them", a.N)
	}
	return "the words are there, but not next to each other in this order"
}

// excerpt shows the place with a few words around it.
func excerpt(s string, tokens []text.Token, a *Atom) string {
	for i, t := range tokens {
		if !slices.Contains(a.Hashes, t.Hash) {
			continue
		}
		window := tokens[i:min(len(tokens), i+len(a.Hashes)+int(a.N))]
		hashes := make([]uint64, len(window))
		for j, t := range window {
			hashes[j] = t.Hash
		}
		if a.Kind == KindProximity && !near(hashes, a.Hashes, int(a.N)) ||
			a.Kind != KindProximity && !phrase(hashes, a.Hashes) {
			continue
		}
		from, to := tokens[max(0, i-2)].Start, tokens[min(len(tokens), i+len(window)+2)-1].End
		out := strings.Join(strings.Fields(s[from:to]), " ")
		if from > 0 {
			out = "…" + out
		}
		if int(to) < len(s) {
			out += "…"
		}
		return ": " + out
	}
	return ""
}

func (d *Doc) entityReason(k Kind) string {
	name := map[Kind]string{KindHashtag: "hashtags", KindMention: "mentions", KindCashtag: "cashtags"}[k]
	sign := map[Kind]string{KindHashtag: "#", KindMention: "@", KindCashtag: "$"}[k]
	out := slices.Clone(map[Kind][]string{
		KindHashtag: d.post.GetHashtags(), KindMention: d.post.GetMentions(), KindCashtag: d.post.GetCashtags(),
	}[k])
	var b text.Buffer
	for _, s := range sayings(d.post, nil) {
		text.Scan(s.text, &b)
		for _, e := range b.Entities {
			written := e.Value(s.text)
			same := func(listed string) bool { return text.Fold(listed) == text.Fold(written) }
			if e.Kind != text.URL && entityKinds[e.Kind].kind == k && s.derives(e) && !slices.ContainsFunc(out, same) {
				out = append(out, written)
			}
		}
	}
	if len(out) == 0 {
		return "the post has no " + name
	}
	return "its " + name + ": " + sign + strings.Join(out, " "+sign)
}

func (d *Doc) placeReason(a *Atom) string {
	p := d.post
	if p.GetRetweetOf() != nil {
		return "a retweet has no place of its own"
	}
	if p.GetPlace() == nil && p.GetGeo() == nil {
		return "the post has no place"
	}
	var has []string
	if pl := p.GetPlace(); pl != nil {
		has = append(has, strings.TrimSpace(pl.GetName()+" "+pl.GetCountryCode()+" "+pl.GetId()))
	}
	if g := p.GetGeo(); g != nil {
		s := fmt.Sprintf("the point %s %s", plain(g.GetLon()), plain(g.GetLat()))
		if a.Kind == KindPointRadius {
			s += fmt.Sprintf(", %.1f km away", metres(a.Geo[0], a.Geo[1], g.GetLon(), g.GetLat())/1000)
		}
		has = append(has, s)
	}
	return "its place: " + strings.Join(has, "; ")
}

func (d *Doc) countReason(format string, n int64) string {
	if d.post.GetAuthor() == nil {
		return "the author is not known"
	}
	return "the author has " + fmt.Sprintf(format, n)
}

func (d *Doc) articleReason(a *Atom, holds bool) string {
	art := d.article
	switch a.Kind {
	case KindEvent:
		return "the event is " + or(d.Type, "of no known type")
	case KindSourceID:
		return or(prefixed("its source is ", art.GetSourceId()), "it has no source")
	case KindSourceName:
		return or(prefixed("its source is ", art.GetSourceName()), "it has no source")
	case KindTitle, KindItemText, KindItemLead:
		if art != nil {
			pieces := []piece{{"the title", art.GetTitle()}, {"the description", art.GetDescription()}}
			if a.Kind == KindTitle {
				pieces = pieces[:1]
			}
			for _, s := range slices.Concat(art.GetTickers(), art.GetTags()) {
				if a.Kind == KindItemText {
					pieces = append(pieces, piece{"a tag or ticker", s})
				}
			}
			return d.wordsReason(a, holds, pieces)
		}
	case KindEmbedding:
		if len(d.embedding) == 0 {
			return "the event carries no vector"
		}
		return fmt.Sprintf("the nearest cosine is %.4f", nearestCosine(a.Embeddings, d.embedding, d.model))
	}
	if holds {
		return "the event has it"
	}
	return "the event does not have it"
}

func nearestCosine(filters []*messages.EmbeddingFilter, v []float32, model string) float64 {
	best := -1.0
	for _, f := range filters {
		if len(f.GetEmbedding()) == len(v) && f.GetEmbeddingModel() == model {
			best = max(best, cosine(f.GetEmbedding(), v))
		}
	}
	return best
}

func who(name, id string) string {
	switch {
	case name == "" && id == "":
		return "someone unknown"
	case id == "":
		return "@" + username(name)
	case name == "":
		return id
	}
	return "@" + username(name) + " (" + id + ")"
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func negation(holds bool) string {
	if holds {
		return ""
	}
	return "not "
}

func no(holds bool) string {
	if holds {
		return ""
	}
	return "no "
}

package index

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/actors/engine/vector"
	"github.com/birdwire/birdwire/messages"
)

// A tiny world, so that random queries and random events meet often.
var (
	someWords     = strings.Fields("ant bee cat dog eel fox gnu hen")
	someLangs     = []string{"en", "ja", "und"}
	somePeople    = []string{"nasa", "esa", "jaxa"}
	someTypes     = []string{"item.new", "item.enriched", "story.development", "clusters.ranked"}
	someRelations = []string{"retweet", "reply", "quote", "verified"}
	someThings    = []string{"hashtags", "mentions", "links", "geo", "media"}
)

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

func wordsOf(r *rand.Rand, n int) string {
	var w []string
	for range n {
		w = append(w, pick(r, someWords))
	}
	return strings.Join(w, " ")
}

// valueOf is an atom as the parser makes it: one value, or several tokens.
func valueOf(k rule.Kind, values ...string) *rule.Expr {
	a := rule.Atom{Kind: k, Value: strings.Join(values, " ")}
	for _, v := range values {
		a.Tokens = append(a.Tokens, v)
		a.Hashes = append(a.Hashes, text.Hash(v))
	}
	return &rule.Expr{Op: rule.OpAtom, Atom: a}
}

// atomOfPosts is a random atom of any kind that posts answer.
func atomOfPosts(r *rand.Rand) *rule.Expr {
	word := func() string { return pick(r, someWords) }
	switch r.IntN(20) {
	case 0:
		return valueOf(rule.KindPhrase, word(), word())
	case 1:
		return valueOf(rule.KindPhrase, word(), word(), word())
	case 2:
		e := valueOf(rule.KindProximity, word(), word())
		e.Atom.N = int64(r.IntN(4))
		return e
	case 3:
		return valueOf(rule.KindHashtag, word())
	case 4:
		return valueOf(rule.KindMention, pick(r, somePeople))
	case 5, 6:
		return valueOf(rule.KindFrom, pick(r, somePeople))
	case 7:
		return valueOf(rule.KindRetweetsOf, pick(r, somePeople))
	case 8:
		return valueOf(rule.KindLang, pick(r, someLangs))
	case 9:
		return valueOf(rule.KindIs, pick(r, someRelations))
	case 10:
		return valueOf(rule.KindHas, pick(r, someThings))
	case 11:
		lo := r.Int64N(100)
		return &rule.Expr{Op: rule.OpAtom, Atom: rule.Atom{Kind: rule.KindFollowers, Lo: lo, Hi: lo + r.Int64N(100)}}
	case 12:
		return &rule.Expr{Op: rule.OpAtom, Atom: rule.Atom{Kind: rule.KindURLContains, Value: word()}}
	case 13:
		return &rule.Expr{Op: rule.OpAtom, Atom: rule.Atom{Kind: rule.KindPointRadius, Geo: [4]float64{13.4, 52.5, float64(r.IntN(30000))}}}
	case 14:
		return valueOf(rule.KindURL, word())
	case 15:
		return valueOf(rule.KindBio, word(), word())
	}
	return valueOf(rule.KindKeyword, word())
}

// world is what articles and semantic filters are drawn from.
type world struct {
	vectors [][]float32
}

func newWorld(r *rand.Rand) *world {
	w := &world{}
	for range 6 {
		v := make([]float32, vector.Dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		w.vectors = append(w.vectors, v)
	}
	return w
}

// near is a vector near one of the world's.
func (w *world) near(r *rand.Rand) []float32 {
	v := slices.Clone(w.vectors[r.IntN(len(w.vectors))])
	share := r.Float64()
	for i := range v {
		v[i] += float32(r.NormFloat64() * share)
	}
	return v
}

func (w *world) atom(r *rand.Rand) *rule.Expr {
	switch r.IntN(7) {
	case 0:
		return &rule.Expr{Op: rule.OpAtom, Atom: w.embedding(r)}
	case 1:
		return valueOf(rule.KindEvent, pick(r, someTypes))
	case 2:
		return valueOf(rule.KindCategory, pick(r, someLangs))
	case 3:
		return valueOf(rule.KindSourceID, pick(r, somePeople))
	case 4:
		return valueOf(rule.KindItemText, pick(r, someWords), pick(r, someWords))
	}
	return valueOf(rule.KindTitle, pick(r, someWords))
}

func (w *world) embedding(r *rand.Rand) rule.Atom {
	a := rule.Atom{Kind: rule.KindEmbedding}
	for range 1 + r.IntN(3) {
		a.Embeddings = append(a.Embeddings, &messages.EmbeddingFilter{
			Embedding: w.vectors[r.IntN(len(w.vectors))], Threshold: 0.5 + r.Float64()/2,
			EmbeddingModel: []string{"", "", "m1", "m2"}[r.IntN(4)],
		})
	}
	return a
}

// random is an expression over atoms, not in any normal form.
func random(r *rand.Rand, depth int, atom func() *rule.Expr) *rule.Expr {
	switch n := r.IntN(12); {
	case depth == 0 || n < 4:
		return atom()
	case n < 6:
		return &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{random(r, depth-1, atom)}}
	case n == 6 && r.IntN(8) == 0:
		return rule.True
	case n == 7 && r.IntN(8) == 0:
		return rule.False
	default:
		e := &rule.Expr{Op: rule.OpAnd + rule.Op(n%2)}
		for range 1 + r.IntN(4) {
			e.Args = append(e.Args, random(r, depth-1, atom))
		}
		return e
	}
}

func (w *world) query(r *rand.Rand) *rule.Compiled {
	if r.IntN(3) == 0 {
		return w.asked(r)
	}
	q := &rule.Compiled{Class: rule.ClassPost << r.IntN(3), Sample: 100}
	if q.Class == rule.ClassPost {
		q.Expr = random(r, 4, func() *rule.Expr { return atomOfPosts(r) })
		if r.IntN(5) == 0 {
			q.Sample = 1 + r.IntN(100)
		}
		return q
	}
	q.Expr = random(r, 3, func() *rule.Expr { return w.atom(r) })
	if r.IntN(3) == 0 {
		// As a subscription has it: everything else, and one semantic filter.
		q.Embeddings = w.embedding(r).Embeddings
		q.Expr = rule.And(valueOf(rule.KindTitle, pick(r, someWords)),
			&rule.Expr{Atom: rule.Atom{Kind: rule.KindEmbedding, Embeddings: q.Embeddings}})
	}
	return q
}

// some is up to two of a list, often none.
func some(r *rand.Rand, from []string) []string {
	var out []string
	for range max(0, r.IntN(5)-2) {
		out = append(out, pick(r, from))
	}
	return out
}

// asked is a query as clients ask for it, compiled: a monitor or a subscription.
func (w *world) asked(r *rand.Rand) *rule.Compiled {
	q := &messages.Query{}
	switch r.IntN(3) {
	case 0:
		q.Want = &messages.Query_Monitor{Monitor: &messages.MonitorQuery{Usernames: append(some(r, somePeople), "nasa")}}
	case 1:
		q.Want = &messages.Query_Kite{Kite: &messages.KiteFilters{
			Sources: some(r, somePeople), Categories: some(r, someLangs),
			Keywords: some(r, []string{"ant", "bee cat", "dog eel"}), Companies: some(r, someWords),
		}}
	default:
		f := &messages.NewsrankFilters{
			Topics: some(r, []string{"articles", "stories"}), Categories: some(r, someLangs),
			Sources: some(r, somePeople), Keywords: some(r, []string{"ant", "bee", "cat dog"}),
		}
		if r.IntN(2) == 0 {
			f.EmbeddingFilters = w.embedding(r).Embeddings
		}
		q.Want = &messages.Query_Newsrank{Newsrank: f}
	}
	c, err := rule.Compile(q)
	if err != nil {
		panic(err) // the lists above hold nothing that could be refused
	}
	return c
}

func (w *world) event(r *rand.Rand) *messages.Event {
	if r.IntN(2) == 0 {
		return &messages.Event{Body: &messages.Event_Post{Post: post(r)}}
	}
	vectorOf := func() ([]float32, string) {
		if r.IntN(3) == 0 {
			return nil, ""
		}
		return w.near(r), []string{"m1", "m2", ""}[r.IntN(3)]
	}
	if r.IntN(3) == 0 {
		s := &messages.StoryDevelopment{Title: wordsOf(r, 3), Category: pick(r, someLangs)}
		s.Centroid, s.EmbeddingModel = vectorOf()
		return &messages.Event{Body: &messages.Event_StoryDevelopment{StoryDevelopment: s}}
	}
	a := &messages.Article{
		Title: wordsOf(r, 4), Description: wordsOf(r, 4), Category: pick(r, someLangs), SourceId: pick(r, somePeople),
	}
	a.Embedding, a.EmbeddingModel = vectorOf()
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Action: messages.ArticleAction(1 + r.IntN(4)), Article: a,
	}}}
}

func post(r *rand.Rand) *messages.Post {
	p := &messages.Post{
		Id: strconv.Itoa(r.IntN(1000)), Text: wordsOf(r, r.IntN(8)), Lang: pick(r, someLangs),
		Author: &messages.Author{
			Username: pick(r, somePeople), FollowersCount: r.Int64N(200), Verified: r.IntN(2) == 0,
			Description: wordsOf(r, 3),
		},
	}
	if r.IntN(3) == 0 {
		p.Text += " #" + pick(r, someWords) + " @" + pick(r, somePeople)
	}
	if r.IntN(3) == 0 {
		p.RetweetOf = &messages.PostRef{Username: pick(r, somePeople), Text: wordsOf(r, 3)}
	}
	if r.IntN(3) == 0 {
		p.QuoteOf = &messages.PostRef{Username: pick(r, somePeople), Text: wordsOf(r, 3)}
	}
	if r.IntN(3) == 0 {
		p.Urls = []*messages.Link{{Url: "https://" + pick(r, someWords) + ".example/" + pick(r, someWords)}}
	}
	if r.IntN(4) == 0 {
		p.Geo = &messages.Geo{Lon: 13.4 + r.Float64()/4, Lat: 52.5}
	}
	return p
}

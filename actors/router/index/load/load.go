// Package load makes posts and rules from a seed, for measuring an index: what
// people write and what people ask for, as far as their statistics matter to
// matching. The same seed makes the same rules and posts on every machine.
//
// It owns the generator and the measurement that `birdwire bench match`
// prints; it is never used by a running node.
//
// Posts have 6–35 words from 500,000, by a Zipf law (s 1.07, v 2.7), of which
// 12 % bring the word they usually come with; 35 % have hashtags, 45 %
// mentions, 45 % are retweets, 30 % have links; 2 million people write them
// (s 1.05). Of the rules 30 % are one term, 40 % an AND of two or three, 15 %
// an OR of two to eight, 15 % nested; 35 % name a language, 40 % want no
// retweets, 15 % exclude a word, 10 % want a property. A term is a word
// (84 %), a phrase (6 %), a hashtag (5 %) or an author (5 %).
package load

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/birdwire/birdwire/messages"
)

const (
	words  = 500_000
	people = 2_000_000
	tags   = 50_000
)

// Broad and Selective are how many of the commonest words no rule names.
const (
	Broad     = 150
	Selective = 3000
)

// Config says what to make.
type Config struct {
	Seed uint64
	Skip int // the commonest words that rules leave out: Broad or Selective
}

// Generator makes rules and posts, each from a stream of its own: how many of
// the one were made does not change the other.
type Generator struct {
	skip         uint64
	rules, posts *stream
	made         uint64 // posts
}

// stream is the chances of one kind of thing.
type stream struct {
	*rand.Rand
	word, person, tag *rand.Zipf
}

func newStream(seed, kind uint64) *stream {
	r := rand.New(rand.NewPCG(seed, kind))
	return &stream{
		Rand:   r,
		word:   rand.NewZipf(r, 1.07, 2.7, words-1),
		person: rand.NewZipf(r, 1.05, 2.7, people-1),
		tag:    rand.NewZipf(r, 1.07, 2.7, tags-1),
	}
}

// New is a generator at its beginning.
func New(c Config) *Generator {
	return &Generator{skip: uint64(c.Skip), rules: newStream(c.Seed, 1), posts: newStream(c.Seed, 2)}
}

// once is true in so many of a hundred cases.
func (s *stream) once(percent int) bool { return s.IntN(100) < percent }

// Rule is the next rule, in the rule language.
func (g *Generator) Rule() string {
	s := g.rules
	var b strings.Builder
	switch n := s.IntN(100); {
	case n < 30:
		b.WriteString(g.term())
	case n < 70:
		b.WriteString(g.terms(2+s.IntN(2), " "))
	case n < 85:
		b.WriteString("(" + g.terms(2+s.IntN(7), " OR ") + ")")
	default:
		b.WriteString(g.nested())
	}
	if s.once(35) {
		b.WriteString(" lang:" + languages.pick(s))
	}
	if s.once(40) {
		b.WriteString(" -is:retweet")
	}
	if s.once(15) {
		b.WriteString(" -" + Word(g.asked()))
	}
	if s.once(10) {
		b.WriteString(" " + properties[s.IntN(len(properties))])
	}
	return b.String()
}

var properties = []string{"has:hashtags", "has:links", "has:mentions", "is:reply", "is:verified", "has:media"}

func (g *Generator) nested() string {
	switch g.rules.IntN(4) {
	case 0:
		return "(" + g.terms(2, " OR ") + ") (" + g.terms(2, " OR ") + ")"
	case 1:
		return g.term() + " (" + g.term() + " OR (" + g.terms(2, " ") + "))"
	case 2:
		return "((" + g.terms(2, " ") + ") OR (" + g.terms(2, " ") + " -" + Word(g.asked()) + "))"
	}
	return g.term() + " (" + g.terms(3, " OR ") + ") -(" + g.terms(2, " OR ") + ")"
}

func (g *Generator) terms(n int, join string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(join)
		}
		b.WriteString(g.term())
	}
	return b.String()
}

func (g *Generator) term() string {
	s := g.rules
	switch n := s.IntN(100); {
	case n < 84:
		return Word(g.asked())
	case n < 90:
		w := g.asked()
		return `"` + Word(w) + " " + Word(partner(w)) + `"`
	case n < 95:
		return "#" + tag(s.tag.Uint64())
	}
	return "from:" + Person(s.person.Uint64())
}

// asked is a word as rules name them: not one of the commonest.
func (g *Generator) asked() uint64 {
	for {
		if w := g.rules.word.Uint64(); w >= g.skip {
			return w
		}
	}
}

// partner is the word that w usually comes with.
func partner(w uint64) uint64 { return (w*2654435761 + 97) % (words / 10) }

// Post is the next post, as an event.
func (g *Generator) Post() *messages.Event {
	s := g.posts
	g.made++
	id := strconv.FormatUint(1_700_000_000_000_000_000+g.made, 10)
	p := &messages.Post{Id: id, CreatedMs: int64(g.made), Lang: languages.pick(s), Author: s.author()}
	text := s.text()
	if s.once(35) {
		for range 1 + s.IntN(3) {
			text = append(text, "#"+tag(s.tag.Uint64()))
		}
	}
	if s.once(45) {
		text = append([]string{"@" + Person(s.person.Uint64())}, text...)
	}
	if s.once(30) {
		link := "https://" + Word(s.word.Uint64()) + ".example/" + strconv.Itoa(s.IntN(1e6))
		p.Urls = []*messages.Link{{Url: "https://t.example/" + strconv.Itoa(s.IntN(1e9)), ExpandedUrl: link}}
	}
	p.Text = strings.Join(text, " ")
	if s.once(45) {
		p.RetweetOf = &messages.PostRef{
			Id: strconv.Itoa(s.IntN(1e9)), Username: Person(s.person.Uint64()), Text: p.Text,
		}
	}
	return &messages.Event{Id: "load-" + id, Source: "load", Body: &messages.Event_Post{Post: p}}
}

func (s *stream) author() *messages.Author {
	who := s.person.Uint64()
	return &messages.Author{
		Id: strconv.FormatUint(1e6+who, 10), Username: Person(who), Name: Person(who),
		Verified: who%50 == 0, FollowersCount: int64(1e6 / (who + 1)),
	}
}

func (s *stream) text() []string {
	n := 6 + s.IntN(30)
	text := make([]string, 0, n+8)
	for len(text) < n {
		w := s.word.Uint64()
		text = append(text, Word(w))
		if s.once(12) {
			text = append(text, Word(partner(w)))
		}
	}
	return text
}

// shares are alternatives and how many in a hundred each is.
type shares []struct {
	name    string
	percent int
}

var languages = shares{
	{"en", 42},
	{"ja", 16},
	{"es", 12},
	{"pt", 8},
	{"ar", 7},
	{"id", 4},
	{"fr", 3},
	{"tr", 3},
	{"ko", 3},
	{"und", 2},
}

func (a shares) pick(s *stream) string {
	n := s.IntN(100)
	for _, c := range a {
		if n -= c.percent; n < 0 {
			return c.name
		}
	}
	return a[0].name
}

const syllables = 70 // 14 consonants by 5 vowels

// Word is the n-th commonest word: short ones are common.
func Word(n uint64) string {
	var b [16]byte
	i := len(b)
	for {
		i -= 2
		b[i], b[i+1] = "bcdfghklmnprst"[n%syllables/5], "aeiou"[n%5]
		if n < syllables {
			return string(b[i:])
		}
		n = n/syllables - 1
	}
}

// Person is the username of the n-th most active.
func Person(n uint64) string { return "u_" + Word(n) }

func tag(n uint64) string { return Word(n) + "tag" }

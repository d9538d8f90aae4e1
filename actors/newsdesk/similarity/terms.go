package similarity

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// Bytes of a text that are read; the rest is as if it were not there. A title
// of a million characters costs as much as a long one.
const (
	titleBytes = 2 << 10
	bodyBytes  = 16 << 10
	linkBytes  = 2 << 10
)

// counted is one term of an article before it has a weight.
type counted struct {
	term                uint64
	title, body, capped uint32
	address             uint32  // of title: those of the address, in which nothing has a capital
	number              bool    // it begins with a digit
	own                 float64 // what it counts for where its outlet alone tells a story; 0: as much as anywhere
}

// reader cuts articles into counted terms. It is reused.
type reader struct {
	buffer text.Buffer
	at     map[uint64]int32 // of a term in terms
	terms  []counted
	max    int
	before uint64 // the ideograph before, of which the next makes a pair
}

// read replaces r.terms by the article's, sorted; at most r.max of them, those
// that come first in title, address, entities and body.
func (r *reader) read(a *Article) []counted {
	clear(r.at)
	r.terms = r.terms[:0]
	r.each(text.Clip(a.Title, titleBytes), func(t uint64, first rune) { r.count(t, true, first) })
	r.each(slug(text.Clip(a.Link, linkBytes)), func(t uint64, _ rune) {
		if _, told := r.at[t]; told {
			return
		}
		r.count(t, true, 'a')
		if i, ok := r.at[t]; ok {
			r.terms[i].address++
		}
	})
	for _, name := range a.Entities {
		text.Tokenize(text.Clip(name, 256), &r.buffer)
		for _, t := range r.buffer.Tokens {
			r.count(t.Hash, false, 'A')
		}
	}
	r.each(text.Clip(a.Body, bodyBytes), func(t uint64, first rune) { r.count(t, false, first) })
	slices.SortFunc(r.terms, func(a, b counted) int {
		if a.term < b.term {
			return -1
		}
		return 1 // no term is there twice
	})
	return r.terms
}

// each calls see for every term of s that is no function word, with how it begins.
func (r *reader) each(s string, see func(term uint64, first rune)) {
	text.Tokenize(s, &r.buffer)
	r.before = 0
	for _, t := range r.buffer.Tokens {
		if functionWords[t.Hash] {
			r.before = 0
			continue
		}
		first, _ := utf8.DecodeRuneInString(s[t.Start:])
		if unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana) {
			// One ideograph says little: pairs of them are the words.
			if r.before != 0 {
				see(pair(r.before, t.Hash), first)
			}
			r.before = t.Hash
			continue
		}
		r.before = 0
		see(r.stemmed(t), first)
	}
}

func (r *reader) count(term uint64, inTitle bool, first rune) {
	i, ok := r.at[term]
	if !ok {
		if len(r.terms) == r.max {
			return
		}
		i = int32(len(r.terms))
		r.at[term] = i
		r.terms = append(r.terms, counted{term: term, number: unicode.IsDigit(first)})
	}
	c := &r.terms[i]
	if inTitle {
		c.title++
	} else {
		c.body++
	}
	if unicode.IsUpper(first) || unicode.IsDigit(first) {
		c.capped++
	}
}

// stemmed is the hash of a token without the endings that English puts to
// plurals and verbs. Words of other languages lose a letter now and then, on
// both sides alike.
func (r *reader) stemmed(t text.Token) uint64 {
	if t.End-t.Start < 4 {
		return t.Hash
	}
	word := r.buffer.Text(t)
	stem := stem(word)
	if len(stem) == len(word) {
		return t.Hash
	}
	return text.Hash(stem)
}

func stem(s string) string {
	n := len(s)
	cut := func(ending string, longer int) bool { return n > longer && strings.HasSuffix(s, ending) }
	switch {
	case cut("ies", 4):
		return s[:n-3] + "y"
	case cut("sses", 4):
		return s[:n-2]
	case cut("ing", 6):
		return strings.TrimSuffix(s[:n-3], "e")
	case cut("ed", 5):
		return s[:n-2]
	case cut("ss", 3), cut("us", 3), cut("is", 3):
		return s
	case cut("es", 5):
		return s[:n-2]
	case cut("s", 3):
		return s[:n-1]
	case cut("e", 5):
		return s[:n-1]
	}
	return s
}

func pair(a, b uint64) uint64 { return (a*0x9e3779b97f4a7c15 ^ b) | 1 }

// functionWords are words of English grammar. Streaming IDF finds them by
// itself after some hundred articles; the list is for the articles before.
var functionWords = func() map[uint64]bool {
	set := map[uint64]bool{}
	for _, w := range strings.Fields(`a about after again all also am an and any are as at back be because been before
		being but by can could d day did do does doing don down during each even first for from further get go had has
		have having he her here him his how i if in into is it its just last like ll m made make may me more most much
		my new no nor not now of off on once one only or other our out over own re s said same say says she should so
		some such t take than that the their them then there these they this those through time to too two under until
		up us ve very was we were what when where which while who why will with would year you your`) {
		set[text.Hash(w)] = true
	}
	return set
}()

// logarithm is the natural one, rounded so that all machines agree.
func logarithm(x float64) float64 { return math.Round(math.Log(x)*1024) / 1024 }

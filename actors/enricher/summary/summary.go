// Package summary says in one line what an article says: the sentence that has
// most in common with all the others and stands early. It writes no word of its
// own, so it says nothing that the article does not.
package summary

import (
	"math"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
)

const (
	// Runes is how long a line may be.
	Runes = 160

	bodyBytes     = 8 << 10 // of a body that are read
	sentencesMost = 24
	wordsLeast    = 4
	wordsMost     = 60
	earlier       = 0.35 // what the first sentence has before the others
)

// Line is one line of at most Runes characters about the article; the title
// where there is no sentence to choose.
func Line(title, body string) string {
	title = strings.Join(strings.Fields(text.Clip(title, 4*Runes)), " ")
	all := sentences(text.Clip(body, bodyBytes), sentencesMost)
	best, most := "", 0.0
	c := count(title, all)
	for i, s := range all {
		words := c.words[i+1]
		if len(words) < wordsLeast || len(words) > wordsMost || chatter(s) || slices.Equal(words, c.words[0]) {
			continue
		}
		if score := c.central(i+1) + earlier/float64(1+i); score > most {
			best, most = s, score
		}
	}
	if best == "" {
		best = title
	}
	return text.Shorten(best, Runes)
}

// counts are the words of the title, which is text 0, and of the sentences.
type counts struct {
	words [][]uint64
	in    map[uint64]int // texts that have the word
}

func count(title string, all []string) counts {
	c := counts{in: map[uint64]int{}}
	var b text.Buffer
	for _, s := range append([]string{title}, all...) {
		text.Tokenize(s, &b)
		words := make([]uint64, 0, len(b.Tokens))
		seen := map[uint64]bool{}
		for _, t := range b.Tokens {
			words = append(words, t.Hash)
			if !seen[t.Hash] {
				seen[t.Hash] = true
				c.in[t.Hash]++
			}
		}
		c.words = append(c.words, words)
	}
	return c
}

// central is the mean share that a text has of the words of the others; a word
// that many have says less, one of the title twice as much.
func (c counts) central(at int) float64 {
	own := map[uint64]bool{}
	for _, w := range c.words[at] {
		own[w] = true
	}
	sum, n := 0.0, 0.0
	for i, words := range c.words {
		if i == at || len(words) == 0 {
			continue
		}
		shared, whole := 0.0, 0.0
		for _, w := range words {
			weight := 1 / float64(c.in[w])
			if whole += weight; own[w] {
				shared += weight
			}
		}
		times := 1.0
		if i == 0 {
			times = 2
		}
		sum, n = sum+times*shared/whole, n+times
	}
	if n == 0 {
		return 0
	}
	// A long sentence shares more by being long.
	return sum / n / math.Sqrt(float64(len(c.words[at])))
}

// chatter is what pages say to their readers, not what the article says.
func chatter(s string) bool {
	s = strings.ToLower(text.Clip(s, 200))
	for _, p := range []string{
		"sign up", "subscribe", "read more", "click here", "advertisement", "image source", "image caption", "photo:", "getty images",
		"cookie", "all rights reserved", "newsletter", "follow us", "this article was", "this story was", "continue reading", "watch:", "listen to this",
		"javascript",
	} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

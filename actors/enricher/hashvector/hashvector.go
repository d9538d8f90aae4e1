// Package hashvector makes a vector of 1,536 numbers of what an article says,
// with no model and no network: birdwire-hash-1. Two articles that share words
// have a high cosine, paraphrases a low one: it is not what a language model's
// vector is, and the two are never compared.
//
//	text -> words, pairs of neighbours, entities -> weights -> 1,536 sums -> length 1
//
// A feature's weight is (1 + ln times) · IDF. The title counts three times: it
// is written to say what the article is about. Each feature is added, by two
// bits more of its hash with one sign or the other, to one of the numbers, so
// that features which meet there cancel out on average.
//
// The name is a promise: the same article has the same bits on every machine
// and in every later version, because clients keep vectors as filters. Sums run
// over sorted features, and products are rounded before they are added, so that
// no compiler fuses them. Whoever changes a figure here changes the name.
package hashvector

import (
	"math"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/commonwords"
	"github.com/birdwire/birdwire/actors/engine/text"
)

const (
	// Model is the name that vectors of this package go by.
	Model = "birdwire-hash-1"
	// Size is how many numbers a vector has.
	Size = 1536

	titleBytes = 2 << 10 // of a title that are read
	bodyBytes  = 8 << 10 // of a body: what comes later is background

	titleTimes   = 3
	pairWeight   = 0.25
	entityWeight = 4
	rareIDF      = 6 // of a word that is in no list
	signIDF      = 1 // of one ideograph: pairs of them are the words
)

// Article is what is read of one.
type Article struct {
	Title, Body string
	Entities    []string // names, as a gazetteer has them; each once
}

// feature is a word, a pair or an entity. Its hash says where it belongs.
type feature struct {
	hash   uint64
	times  int
	weight float64 // of one time
}

// Frequent says whether the word with that text.Hash is one of the language
// rather than somebody's name.
func Frequent(word uint64) bool {
	_, ok := frequent[word]
	return ok
}

// Of returns the article's vector, nil where it says nothing.
func Of(a Article) []float32 {
	m := maker{times: make(map[uint64]*feature)}
	m.read(text.Clip(a.Title, titleBytes), titleTimes)
	m.read(text.Clip(a.Body, bodyBytes), 1)
	for _, name := range a.Entities {
		m.add(mixed(text.Hash(text.Fold(name)), entitySeed), titleTimes, entityWeight)
	}
	return m.vector()
}

type maker struct {
	buffer text.Buffer
	times  map[uint64]*feature
}

// The seeds keep kinds of features apart.
const (
	wordSeed   = 0x9e3779b97f4a7c15
	pairSeed   = 0xbf58476d1ce4e5b9
	entitySeed = 0x94d049bb133111eb
)

// read adds the words of s and the pairs of neighbours, each so many times.
func (m *maker) read(s string, times int) {
	text.Tokenize(s, &m.buffer)
	before, beforeIDF := uint64(0), 0.0
	for _, t := range m.buffer.Tokens {
		idf := m.idf(s, t)
		m.add(mixed(t.Hash, wordSeed), times, idf)
		if before != 0 {
			m.add(mixed(before*3+t.Hash, pairSeed), times, pairWeight*(beforeIDF+idf)/2)
		}
		before, beforeIDF = t.Hash, idf
	}
}

func (m *maker) idf(s string, t text.Token) float64 {
	if idf, ok := frequent[t.Hash]; ok {
		return idf
	}
	first, _ := utf8.DecodeRuneInString(s[t.Start:])
	if unicode.In(first, unicode.Han, unicode.Hiragana, unicode.Katakana) {
		return signIDF
	}
	return rareIDF
}

func (m *maker) add(hash uint64, times int, weight float64) {
	f := m.times[hash]
	if f == nil {
		f = &feature{hash: hash, weight: weight}
		m.times[hash] = f
	}
	f.times += times
}

func (m *maker) vector() []float32 {
	features := make([]*feature, 0, len(m.times))
	for _, f := range m.times {
		features = append(features, f)
	}
	slices.SortFunc(features, func(a, b *feature) int {
		if a.hash < b.hash {
			return -1
		}
		return 1 // no hash is there twice
	})
	var sums [Size]float64
	for _, f := range features {
		w := float64(damped(f.times) * f.weight)
		if f.hash>>63 == 1 {
			w = -w
		}
		sums[f.hash%Size] += w
	}
	length := 0.0
	for _, x := range sums {
		length += float64(x * x)
	}
	if length == 0 {
		return nil
	}
	length = math.Sqrt(length)
	v := make([]float32, Size)
	for i, x := range sums {
		v[i] = float32(x / length)
	}
	return v
}

// damped is 1 + ln times, rounded: the last bit of a logarithm differs between
// machines.
func damped(times int) float64 { return math.Round((1+math.Log(float64(times)))*1024) / 1024 }

// mixed spreads a hash over all bits, of which low ones choose the place and
// the highest one the sign.
func mixed(h, seed uint64) uint64 {
	h ^= seed
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// frequent is the IDF of a frequent word, by its hash.
var frequent = func() map[uint64]float64 {
	words := make(map[uint64]float64, 3000)
	commonwords.Each(func(word string, idf float64) { words[text.Hash(word)] = idf })
	return words
}()

package similarity

import (
	"math"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/commonwords"
	"github.com/birdwire/birdwire/actors/engine/text"
)

// entry is what is known of one term: where it was, how it was written, and
// which live stories have it.
type entry struct {
	articles   uint32 // that had it
	stories    uint32 // that had it, each counted once
	caps, lows uint32 // occurrences with a capital, and without
	posts      [indexed][]posting
}

// posting is one live story that has the term: the weight is that in the
// story's sum.
type posting struct {
	slot   int32 // postings are sorted by it
	weight float32
}

// dictionary counts terms as they come: an article is weighed by the stories
// before it. Stories are counted and not articles, because the names of a
// story that everybody reports are in many articles, and would seem to say
// little where they say most.
type dictionary struct {
	terms    map[uint64]*entry
	articles uint32
	stories  uint32
	max      int
	live     int // stories, when the article came
}

// common are the terms of more than a quarter of all stories, and of more of many
// live ones than few allows: they say nothing, and reading their postings would
// be reading a list of all stories. Articles are not counted: one outlet that
// posts a text a hundred times would make its words say nothing, and every
// further copy a story of its own.
func (d *dictionary) common(e *entry) bool {
	return d.stories > 50 && e.stories > d.stories/4 || d.live > manyStories && len(e.posts[all]) > few(d.live)
}

const manyStories = 500

// few is in how many live stories a term may be: a tenth of some, and of ten
// thousands a twenty-fifth, and a thousand at most. What an article costs grows
// with it, and a word that eight hundred stories share tells none of them.
func few(live int) int { return min(max(live/25, min(live/10, 250)), 1000) }

// idf counts as if some stories had been there before, in which words are as
// frequent as in the language: of the first hundred nobody could tell which words
// are common, and the names of the very first would say nothing.
func (d *dictionary) idf(term uint64, e *entry) float64 {
	return max(0.01, logarithm((float64(d.stories)+before+1)/(float64(e.stories)+float64(before*usual[term])+0.5)))
}

const before = 200 // stories

// usual is in which share of texts a frequent word of English is, by its stem.
// Shares are rounded as logarithms are.
var usual = func() map[uint64]float64 {
	shares := map[uint64]float64{}
	commonwords.Each(func(word string, idf float64) {
		shares[text.Hash(stem(word))] += math.Round(math.Exp(-idf)*65536) / 65536
	})
	return shares
}()

func (d *dictionary) entry(term uint64) *entry {
	e := d.terms[term]
	if e == nil {
		e = &entry{}
		d.terms[term] = e
	}
	return e
}

// learn counts an article's terms.
func (d *dictionary) learn(terms []counted) {
	if len(d.terms) > d.max {
		d.halve()
	}
	for _, t := range terms {
		e := d.entry(t.term)
		e.articles++
		e.caps += t.capped
		e.lows += t.title + t.body - t.capped - t.address
	}
	d.articles++
}

// halve forgets half of everything, and terms of one article that no live
// story has. The order does not matter: each term is changed by itself.
func (d *dictionary) halve() {
	d.articles, d.stories = d.articles/2, d.stories/2
	for term, e := range d.terms {
		e.articles, e.stories, e.caps, e.lows = e.articles/2, e.stories/2, e.caps/2, e.lows/2
		if e.articles == 0 && !e.used() {
			delete(d.terms, term)
		}
	}
}

func (e *entry) used() bool { return len(e.posts[title])+len(e.posts[all]) > 0 }

// weigh makes vectors of counted terms, which are sorted.
//
// Names are known by their letters: a term counts as a name as far as it is
// written with a capital wherever it was seen. In headlines with capitals
// throughout, only the other articles of the stream tell "Sbarro" from
// "Files".
//
// The scale of a view is what the article's likeness to stories is multiplied by;
// see unheardOf.
func (d *dictionary) weigh(terms []counted) (vectors, [indexed]float64) {
	return d.weighed(terms, false)
}

// weighed is weigh; own: as the terms count where their outlet alone tells a story.
func (d *dictionary) weighed(terms []counted, own bool) (v vectors, scale [indexed]float64) {
	var length, unheard [indexed]float64 // squared
	for _, t := range terms {
		e := d.terms[t.term]
		if d.common(e) {
			continue
		}
		idf := d.idf(t.term, e)
		if own && t.own > 0 {
			idf *= t.own
		}
		add := func(view int, count float64) {
			if count > 0 {
				weight := float64(count * idf)
				v[view] = append(v[view], component{t.term, float32(weight)})
				if view < indexed {
					length[view] += float64(weight * weight)
					if e.stories == 0 {
						unheard[view] += float64(weight * weight)
					}
				}
			}
		}
		add(title, frequency(t.title))
		add(all, frequency(t.title+t.body))
		if t.capped > 0 {
			name := float64(e.caps) / (float64(e.caps) + 4*float64(e.lows))
			if name > 0.05 {
				add(entities, frequency(t.capped)*name)
			}
		}
	}
	for view := range v {
		v[view].unit()
	}
	for view := range scale {
		scale[view] = 1
		if length[view] > 0 {
			scale[view] = 1 / math.Sqrt(1-float64((1-float64(unheardOf*unheardOf))*unheard[view]/length[view]))
		}
	}
	return v, scale
}

// unheardOf is what a term that no story has had weighs in the length of an
// article that is compared with stories: a name that nobody else has told yet
// may begin a story, but in what many tell each in his own words most such terms
// are only somebody's words, and their IDF is the highest of all.
const unheardOf = 0.5

// frequency is the sublinear weight of a term that is there n times.
func frequency(n uint32) float64 {
	if n == 0 {
		return 0
	}
	return 1 + logarithm(float64(n))
}

// told counts the terms of an article that the story had not.
func (d *dictionary) told(article, story sparse) {
	j := 0
	for _, c := range article {
		for j < len(story) && story[j].term < c.term {
			j++
		}
		if j == len(story) || story[j].term != c.term {
			d.entry(c.term).stories++
		}
	}
}

// set makes the story's posting for a term; weight 0 takes it away.
func (e *entry) set(view int, slot int32, weight float32) {
	list := e.posts[view]
	at, found := slices.BinarySearchFunc(list, slot, func(p posting, slot int32) int { return int(p.slot) - int(slot) })
	switch {
	case weight == 0 && found:
		list = slices.Delete(list, at, at+1)
	case weight == 0:
	case found:
		list[at].weight = weight
	default:
		list = slices.Insert(list, at, posting{slot, weight})
	}
	e.posts[view] = list
}

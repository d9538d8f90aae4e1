package similarity

import (
	"maps"
	"math"
	"slices"
)

// outlets know what each outlet's headlines have in common: "Morning briefing: …",
// "What to watch tonight: …". Twenty of them would be one story, because a story
// counts its words once, so that they never become common words. An outlet alone
// repeats them; whether an article is told together with what its own outlet alone
// has told is decided without them, as far as it repeats them. What others tell,
// too, is told by the words that all share.
type outlets map[uint64]*outlet

// outlet is one. Headlines that repeat another one are not counted: a text that is
// posted a hundred times is one story.
type outlet struct {
	last  int64      // came of its latest article
	heads [][]uint64 // terms of its latest headlines, sorted; at most headsMost
	words []used     // by term; at most wordsMost
	told  int        // headlines counted; halved with the words
}

type used struct {
	term uint64
	n    int
}

const (
	outletsMost = 1024 // past it the one that is silent longest is forgotten
	headsMost   = 16
	headTerms   = 24 // of one headline
	wordsMost   = 1024
	toldMost    = 512 // past it, or past wordsMost, all counts are halved
	usedFree    = 2   // headlines may share a word before it counts less
	usedShare   = 8   // and so does one of so many: who tells many things tells some of them often
)

// see counts the headline and sets how much less each of its terms says where the
// outlet alone tells a story. It says whether any does.
func (o outlets) see(source uint64, came int64, terms []counted, d *dictionary) (less bool) {
	if source == 0 {
		return false
	}
	x := o.of(source)
	x.last = came
	var head []uint64
	for _, t := range terms {
		if t.title > 0 && !t.number && len(head) < headTerms {
			head = append(head, t.term)
		}
	}
	if slices.ContainsFunc(x.heads, func(h []uint64) bool { return repeats(head, h) }) {
		return false
	}
	for i := range terms {
		if over := x.over(terms[i].term, d); over > 0 {
			terms[i].own, less = 1/(1+over), true
		}
	}
	x.count(head)
	return less
}

// of is the outlet, a new one where it is not known.
func (o outlets) of(source uint64) *outlet {
	x := o[source]
	if x == nil {
		if len(o) == outletsMost {
			silent := slices.MinFunc(slices.Collect(maps.Keys(o)), func(a, b uint64) int { return int(o[a].last - o[b].last) })
			delete(o, silent)
		}
		x = &outlet{}
		o[source] = x
	}
	return x
}

// repeats says whether headlines share four fifths of their words.
func repeats(a, b []uint64) bool {
	shared := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			shared++
			i++
			j++
		}
	}
	return 5*shared >= 4*max(len(a), len(b))
}

// over is in how many more headlines the term was than it would be if the outlet
// used it as others do.
func (x *outlet) over(term uint64, d *dictionary) float64 {
	i, found := x.find(term)
	if !found || x.words[i].n <= usedFree {
		return 0
	}
	share := 1 / float64(usedShare)
	if e := d.terms[term]; e != nil {
		share += float64(e.stories) / (float64(d.stories) + before)
	}
	return max(0, float64(x.words[i].n-usedFree)-float64(share*float64(x.told)))
}

// without is what q says without the words that the outlet repeats, as long as
// before; nil where it repeats none of them.
func (o outlets) without(source uint64, q *query, d *dictionary) *vectors {
	x, less := o[source], false
	if x == nil {
		return nil
	}
	var own vectors
	for view, v := range q.v {
		own[view] = slices.Clone(v)
		length := v.norm2()
		for i := range own[view] {
			c := &own[view][i]
			if over := x.over(c.term, d); over > 0 {
				c.weight, less = float32(float64(c.weight)/(1+over)), true
			}
		}
		if now := own[view].norm2(); now > 0 {
			longer := math.Sqrt(length / now)
			for i := range own[view] {
				own[view][i].weight = float32(float64(own[view][i].weight) * longer)
			}
		}
	}
	if !less {
		return nil
	}
	return &own
}

func (x *outlet) find(term uint64) (int, bool) {
	return slices.BinarySearchFunc(x.words, term, func(u used, term uint64) int {
		switch {
		case u.term < term:
			return -1
		case u.term > term:
			return 1
		}
		return 0
	})
}

// count takes a headline in.
func (x *outlet) count(head []uint64) {
	x.told++
	for _, term := range head {
		i, found := x.find(term)
		if !found {
			x.words = slices.Insert(x.words, i, used{term: term})
		}
		x.words[i].n++
	}
	if x.heads = append(x.heads, head); len(x.heads) > headsMost {
		x.heads = slices.Delete(x.heads, 0, 1)
	}
	for len(x.words) > wordsMost || x.told > toldMost {
		x.told /= 2
		x.words = slices.DeleteFunc(x.words, func(u used) bool { return u.n < 2 })
		for i := range x.words {
			x.words[i].n /= 2
		}
	}
}

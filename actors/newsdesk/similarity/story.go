package similarity

import "math"

// story is one live story. Its sums are in the index too, under its slot.
type story struct {
	id     int64
	slot   int32
	count  int // articles
	bodies int // of them with a body
	sum    vectors
	norm2  [views]float64 // of sum
	// met is the sum of how alike (query.alike) its articles were as they joined
	// it, and meetings how many have.
	met      [indexed]float64
	meetings int
	last     int64    // event time of the latest article
	members  []member // the latest Config.Members, in the order in which they came (member.came)
	queued   bool     // waits for a look at merging and splitting
	parted   int      // articles when it was last looked at for a split
	source   uint64   // the outlet that alone tells it; 0: several do, or it is not known
}

// member is one article in a story.
type member struct {
	id   int64
	came int64 // it is the engine's so manieth
	at   int64
	body bool
	v    vectors

	*arrival // nil once it is in a story, of which many are kept
}

// arrival is what only the search for an article's story needs.
type arrival struct {
	source uint64           // its outlet; 0: unknown
	scale  [indexed]float64 // as query.scale
	own    *vectors         // v without what its outlet repeats; nil: it repeats nothing
}

// gap is the distance in milliseconds from a time to the nearest article.
func (s *story) gap(at int64) int64 {
	nearest := int64(math.MaxInt64)
	for i := range s.members {
		d := s.members[i].at - at
		nearest = min(nearest, max(d, -d))
	}
	return nearest
}

// gapOf is the mean distance of o's articles from the nearest of s.
func (s *story) gapOf(o *story) int64 {
	sum := int64(0)
	for i := range o.members {
		sum += s.gap(o.members[i].at)
	}
	return sum / int64(len(o.members))
}

// sumTerms is how many terms of a story's sum are kept in each view, twice as
// many before the lightest go: a story of thousands of articles is still told
// by its heaviest.
const sumTerms = 2048

// shift adds factor·v to the story's sums and brings the index along.
func (e *Engine) shift(s *story, v *vectors, factor float32) {
	for view := range v {
		sum := s.sum[view].plus(v[view], factor)
		changed := v[view]
		if len(sum) > 2*sumTerms {
			e.unpost(s, view)
			sum = sum.heaviest(sumTerms)
			changed = sum
		}
		e.post(s, view, sum, changed)
		s.sum[view], s.norm2[view] = sum, sum.norm2()
	}
}

// post writes the weights of sum for the terms of changed.
func (e *Engine) post(s *story, view int, sum, changed sparse) {
	if view >= indexed {
		return
	}
	i := 0
	for _, c := range changed {
		for i < len(sum) && sum[i].term < c.term {
			i++
		}
		weight := float32(0)
		if i < len(sum) && sum[i].term == c.term {
			weight = sum[i].weight
		}
		e.words.entry(c.term).set(view, s.slot, weight)
	}
}

func (e *Engine) unpost(s *story, view int) {
	if view >= indexed {
		return
	}
	for _, c := range s.sum[view] {
		e.words.entry(c.term).set(view, s.slot, 0)
	}
}

// take gives an article to a story.
func (e *Engine) take(s *story, m member) {
	switch {
	case s.count == 0:
		e.words.stories++
		s.source = m.source
	case s.source != m.source:
		s.source = 0
	}
	m.arrival = nil
	e.words.told(m.v[all], s.sum[all])
	e.shift(s, &m.v, 1)
	s.count++
	if m.body {
		s.bodies++
	}
	s.last = max(s.last, m.at)
	s.members = append(s.members, m)
	s.trim(e.cfg.Members)
}

// meet takes down how alike an article is that joins.
func (s *story) meet(f *Features) {
	s.met[title] += f[fMeanTitle]
	s.met[all] += f[fMeanAll]
	s.meetings++
}

// trim forgets the vectors of all but the latest n.
func (s *story) trim(n int) {
	if drop := len(s.members) - n; drop > 0 {
		copy(s.members, s.members[drop:])
		clear(s.members[n:])
		s.members = s.members[:n]
	}
}

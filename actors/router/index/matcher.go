package index

import (
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/vector"
)

// matcher loads the document's keys.
func (s *Snapshot) matcher(d *rule.Doc, all []uint64, scratch *Scratch, near []vector.Hit, hits []Hit) matcher {
	k := &scratch.keys
	k.load(all, len(near), s.spread)
	if s.common != nil {
		if scratch.observed++; scratch.observed >= observeEach {
			scratch.observed = 0
			s.common.observe(k.list)
		}
	}
	for _, n := range near {
		k.add(uint64(n.ID))
	}
	return matcher{doc: d, scratch: scratch, near: near, class: uint32(d.Classes) << postClass, hits: hits}
}

// matcher is one document on its way through the segments.
type matcher struct {
	doc     *rule.Doc
	scratch *Scratch
	near    []vector.Hit
	class   uint32 // the document's, where a posting has its own
	hits    []Hit
}

// segment finds the lists, then the candidates, then asks each. Every step
// first touches what the next will read: the reads of many keys or candidates
// then wait for the memory together, and not one after the other.
func (m *matcher) segment(v *view) {
	s := m.scratch
	if words := int(v.several)/4/64 + 1; len(s.tried) < words {
		s.tried = make([]uint64, words)
	}
	s.candidates = s.candidates[:0]
	m.collect(v.always)
	s.lists = s.lists[:0]
	mask := uint64(len(v.table) - 1)
	touched := uint32(0)
	for _, key := range s.keys.list {
		touched += v.table[hashKey(key, v.spread)&mask].n
	}
	for _, key := range s.keys.list {
		if off, n := v.lookup(key); n > 0 {
			touched += v.posts[off].at
			s.lists = append(s.lists, list{off: off, n: n})
		}
	}
	for _, l := range s.lists {
		m.collect(v.posts[l.off : l.off+l.n])
	}
	s.touched += touched
	m.askAll(v)
	for _, w := range s.marked {
		s.tried[w] = 0
	}
	s.marked = s.marked[:0]
}

// collect appends those candidates whose class and signature fit.
func (m *matcher) collect(posts []posting) {
	k, class := &m.scratch.keys, m.class
	for _, p := range posts {
		if p.at&class != 0 && k.meets(p.signature) {
			m.scratch.candidates = append(m.scratch.candidates, p.at)
		}
	}
}

// ahead is how many candidates are touched before the first of them is asked.
const ahead = 16

func (m *matcher) askAll(v *view) {
	touched := uint32(0)
	for rest := m.scratch.candidates; len(rest) > 0; {
		n := min(len(rest), ahead)
		for _, c := range rest[:n] {
			touched += v.words[2*(c&postPlace)]
		}
		for _, c := range rest[:n] {
			if at := place(c & postPlace); at >= v.several || m.first(at) {
				m.ask(v, at, c&postSure != 0)
			}
		}
		rest = rest[n:]
	}
	m.scratch.touched += touched
}

// ask runs a candidate's program, unless it is sure without, and appends its
// owners.
func (m *matcher) ask(v *view, at place, sure bool) {
	q := v.record(at)
	if !sure {
		if n := q.sample(); n < 100 && !m.doc.Sampled(n) || !q.run(m.doc, m.scratch, v.atoms) {
			return
		}
	}
	similarity := float32(0)
	if len(m.near) > 0 && q.hasMeaning() {
		similarity = m.similarity(q)
	}
	for first, end := ids(at, q); first < end; first++ {
		if !v.dead.has(first) {
			m.hits = append(m.hits, Hit{ID: v.id(first), Similarity: similarity})
		}
	}
}

// first marks the record at a place, which has several anchors, and says
// whether this is the first of them that the document has. Such a record
// has more than eight words, so that four places tell it from the next.
func (m *matcher) first(at place) bool {
	s := m.scratch
	w, bit := uint32(at/4/64), uint64(1)<<(at/4%64)
	if s.tried[w]&bit != 0 {
		return false
	}
	if s.tried[w] == 0 {
		s.marked = append(s.marked, w)
	}
	s.tried[w] |= bit
	return true
}

// similarity is the best cosine of the query's semantic filters that the
// document passes, except those under a negation.
func (m *matcher) similarity(q record) float32 {
	best, passed := 0.0, false
	for i := range q.leaves() {
		l := q.leaf(i)
		if l.kind != leafMeaning || l.not {
			continue
		}
		for _, n := range m.near {
			if uint64(n.ID) == l.key && (!passed || n.Cosine > best) {
				best, passed = n.Cosine, true
			}
		}
	}
	return float32(best)
}

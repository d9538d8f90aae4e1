package index

import (
	"cmp"
	"slices"

	"github.com/birdwire/birdwire/actors/router/rule"
	"github.com/birdwire/birdwire/actors/router/vector"
)

// Hit is one query that wants the document.
type Hit struct {
	ID ID
	// Similarity is the best cosine where a semantic filter of the query is
	// passed; else 0.
	Similarity float32
}

// Snapshot is an index at one moment. Immutable: any number of goroutines may
// match with it, each with a Scratch of its own.
type Snapshot struct {
	views  []view
	lanes  []lane
	common *frequencies
}

// Scratch is what matching needs to write: about 10 KiB, and a bit for each
// query with several anchors. The zero value is ready; for one goroutine at a
// time, with any snapshots of any index.
type Scratch struct {
	keys     keys
	near     []vector.Hit // semantic filters that the document passes, by key
	tried    []uint64     // a bit each for the programs with several anchors
	marked   []uint32     // words of tried that are not 0
	vectors  vector.Scratch
	batch    batchScratch
	observed int
}

// Match appends the queries that want the document, by id, each once. It
// allocates nothing while hits and scratch have room.
func (s *Snapshot) Match(d *rule.Doc, scratch *Scratch, hits []Hit) []Hit {
	scratch.near = s.near(d, scratch, scratch.near[:0])
	return s.match(d, d.Keys(), scratch, scratch.near, hits)
}

// near appends the semantic filters that the document passes.
func (s *Snapshot) near(d *rule.Doc, scratch *Scratch, near []vector.Hit) []vector.Hit {
	if len(s.lanes) == 0 {
		return near
	}
	v, model := d.Embedding()
	if len(v) == 0 {
		return near
	}
	for _, l := range s.lanes {
		if l.takes(model) {
			near = l.set.Match(v, &scratch.vectors, near)
		}
	}
	return near
}

// match is Match once the semantic filters are known.
func (s *Snapshot) match(d *rule.Doc, all []uint64, scratch *Scratch, near []vector.Hit, hits []Hit) []Hit {
	if d.Classes == 0 {
		return hits
	}
	k := &scratch.keys
	k.load(all, len(near))
	if s.common != nil {
		if scratch.observed++; scratch.observed >= observeEach {
			scratch.observed = 0
			s.common.observe(k.list)
		}
	}
	for _, n := range near {
		k.add(uint64(n.ID))
	}
	m := matcher{doc: d, scratch: scratch, near: near, class: uint32(d.Classes) << postClass, hits: hits}
	for i := range s.views {
		m.segment(&s.views[i])
	}
	slices.SortFunc(m.hits[len(hits):], func(a, b Hit) int { return cmp.Compare(a.ID, b.ID) })
	return m.hits
}

// matcher is one document on its way through the segments.
type matcher struct {
	doc     *rule.Doc
	scratch *Scratch
	near    []vector.Hit
	class   uint32 // the document's, where a posting has its own
	hits    []Hit
}

func (m *matcher) segment(v *view) {
	s := m.scratch
	if words := (v.several + 63) / 64; len(s.tried) < words {
		s.tried = make([]uint64, words)
	}
	for _, p := range v.always {
		if p.rule&m.class != 0 {
			m.try(v, p)
		}
	}
	for _, key := range s.keys.list {
		for _, p := range v.lookup(key) {
			if p.rule&m.class != 0 && s.keys.meets(p.signature) {
				m.try(v, p)
			}
		}
	}
	for _, w := range s.marked {
		s.tried[w] = 0
	}
	s.marked = s.marked[:0]
}

// try runs a candidate, unless it was tried under another anchor before.
func (m *matcher) try(v *view, p posting) {
	r := p.rule & postRule
	if int(r) < v.several {
		s := m.scratch
		w, bit := r/64, uint64(1)<<(r%64)
		if s.tried[w]&bit != 0 {
			return
		}
		if s.tried[w] == 0 {
			s.marked = append(s.marked, w)
		}
		s.tried[w] |= bit
	}
	if p.rule&postSure == 0 {
		q := v.program(int(r))
		if n := q.sample(); n < 100 && !m.doc.Sampled(n) || !q.run(m.doc, m.scratch, v.atoms) {
			return
		}
	}
	m.accept(v, r)
}

func (m *matcher) accept(v *view, r uint32) {
	similarity := float32(0)
	if len(m.near) > 0 {
		if q := v.program(int(r)); q.hasMeaning() {
			similarity = m.similarity(q)
		}
	}
	for i, to := v.owners(int(r)); i < to; i++ {
		if !v.dead.has(int(i)) {
			m.hits = append(m.hits, Hit{ID: v.ids[i], Similarity: similarity})
		}
	}
}

// similarity is the best cosine of the query's semantic filters that the
// document passes, those behind a negation excepted.
func (m *matcher) similarity(q program) float32 {
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

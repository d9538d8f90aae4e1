package index

import (
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/vector"
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
	models []modelFilters
	common *frequencies
	spread uint64 // see seeds
}

// Scratch is what matching needs to write: about 10 KiB, and a bit for each
// query with several anchors. The zero value is ready; for one goroutine at a
// time, with any snapshots of any index.
type Scratch struct {
	keys       keys
	near       []vector.Hit // semantic filters that the document passes
	lists      []list       // of postings, of one segment
	candidates []uint32     // postings' places that passed their signature, of one segment
	tried      []uint64     // a bit for each record with several anchors
	marked     []uint32     // words of tried that are not 0
	other      []Hit        // room to sort in
	vectors    vector.Scratch
	batch      batchScratch
	observed   int
	touched    uint32 // a sum that nobody reads, so that reading ahead is not optimised away
}

// list is some of a segment's postings.
type list struct{ off, n uint32 }

// Match appends the queries that want the document, by id, each once. It
// allocates nothing while hits and scratch have room.
func (s *Snapshot) Match(d *rule.Doc, scratch *Scratch, hits []Hit) []Hit {
	scratch.near = s.near(d, scratch, scratch.near[:0])
	return s.match(d, d.Keys(), scratch, scratch.near, hits)
}

// near appends the semantic filters that the document passes.
func (s *Snapshot) near(d *rule.Doc, scratch *Scratch, near []vector.Hit) []vector.Hit {
	if len(s.models) == 0 {
		return near
	}
	v, model := d.Embedding()
	if len(v) == 0 {
		return near
	}
	for _, m := range s.models {
		if m.model == model {
			near = m.set.Match(v, &scratch.vectors, near)
		}
	}
	return near
}

// MatchAll is Match by asking every query: what Match is held against, in
// answers and in time.
func (s *Snapshot) MatchAll(d *rule.Doc, scratch *Scratch, hits []Hit) []Hit {
	scratch.near = s.near(d, scratch, scratch.near[:0])
	m := s.matcher(d, d.Keys(), scratch, scratch.near, hits)
	for i := range s.views {
		v := &s.views[i]
		for at, q := range v.all() {
			if q.class()&d.Classes != 0 {
				m.ask(v, at, false)
			}
		}
	}
	sortHits(m.hits[len(hits):], scratch)
	return m.hits
}

// match is Match once the semantic filters are known.
func (s *Snapshot) match(d *rule.Doc, all []uint64, scratch *Scratch, near []vector.Hit, hits []Hit) []Hit {
	if d.Classes == 0 {
		return hits
	}
	m := s.matcher(d, all, scratch, near, hits)
	for i := range s.views {
		m.segment(&s.views[i])
	}
	sortHits(m.hits[len(hits):], scratch)
	return m.hits
}

package index

import (
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/vector"
)

// batchScratch is what MatchBatch needs besides.
type batchScratch struct {
	near    [][]vector.Hit // by document
	events  [][]float32    // of the documents with a vector of one model
	results [][]vector.Hit
	which   []int
}

// MatchBatch is Match for several documents: it appends to hits[i] the queries
// that want docs[i]. Events with vectors share one pass over the semantic
// filters, so that a lane of their own costs little more for eight than for
// one. hits is as long as docs.
func (s *Snapshot) MatchBatch(docs []*rule.Doc, scratch *Scratch, hits [][]Hit) {
	b := &scratch.batch
	for len(b.near) < len(docs) {
		b.near = append(b.near, nil)
	}
	for i := range docs {
		b.near[i] = b.near[i][:0]
	}
	for _, m := range s.models {
		s.nearAll(m, docs, scratch)
	}
	for i, d := range docs {
		hits[i] = s.match(d, d.Keys(), scratch, b.near[i], hits[i])
	}
}

// nearAll asks one model's filters for all documents that have such a vector.
func (s *Snapshot) nearAll(m modelFilters, docs []*rule.Doc, scratch *Scratch) {
	b := &scratch.batch
	b.events, b.results, b.which = b.events[:0], b.results[:0], b.which[:0]
	for i, d := range docs {
		if v, model := d.Embedding(); len(v) > 0 && m.model == model {
			b.events, b.results, b.which = append(b.events, v), append(b.results, b.near[i]), append(b.which, i)
		}
	}
	m.set.MatchBatch(b.events, &scratch.vectors, b.results)
	for i, n := range b.which {
		b.near[n] = b.results[i]
	}
	clear(b.events) // keep no event alive
	clear(b.results)
}

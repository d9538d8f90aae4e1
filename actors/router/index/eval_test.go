package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

// wanted is what rule.Eval says of each query.
func wanted(queries map[ID]*rule.Compiled, d *rule.Doc) []Hit {
	var hits []Hit
	v, model := d.Embedding()
	for id, q := range queries {
		if q.Match(d) {
			best, _ := rule.Similarity(q.Embeddings, v, model)
			hits = append(hits, Hit{ID: id, Similarity: float32(best)})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return int(a.ID) - int(b.ID) })
	return hits
}

// sameHits compares hits, and similarities of those queries that are as
// subscriptions are: in others a filter may have been simplified away.
func sameHits(queries map[ID]*rule.Compiled, got, want []Hit) bool {
	return slices.EqualFunc(got, want, func(a, b Hit) bool {
		return a.ID == b.ID && (a.Similarity == b.Similarity || queries[a.ID].Embeddings == nil)
	})
}

// Random queries of every kind against random events of every kind: what the
// index answers is what walking each expression answers.
func TestIndexAgainstEval(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 5))
		w := newWorld(r)
		x := New(Config{BatchMost: 1 + r.IntN(100), InlineMost: 1 + r.IntN(1000)})
		queries := map[ID]*rule.Compiled{}
		for range 250 {
			id := ID(r.IntN(200))
			if r.IntN(5) == 0 {
				x.Remove(id)
				delete(queries, id)
				continue
			}
			q := w.query(r)
			if err := x.Put(id, q); err != nil {
				t.Fatal(err)
			}
			queries[id] = q
			if m := x.Merge(); m != nil && r.IntN(3) == 0 {
				m.Run()
				x.Install(m)
			}
		}
		s := x.Snapshot()
		var scratch Scratch
		var docs []*rule.Doc
		for range 120 {
			d := new(rule.Doc)
			if r.IntN(10) == 0 {
				d.ResetRanked(&messages.RankedCluster{Title: wordsOf(r, 3), Category: pick(r, someLangs)})
			} else {
				d.Reset(w.event(r))
			}
			docs = append(docs, d)
		}
		batch := make([][]Hit, len(docs))
		s.MatchBatch(docs, &scratch, batch)
		for i, d := range docs {
			want := wanted(queries, d)
			for how, got := range map[string][]Hit{
				"Match": s.Match(d, &scratch, nil), "MatchBatch": batch[i], "MatchAll": s.MatchAll(d, &scratch, nil),
			} {
				if !sameHits(queries, got, want) {
					t.Fatalf("seed %d, %s, document %d (%s): %v, want %v", seed, how, i, d.Type, got, want)
				}
			}
		}
		for id := range queries {
			x.Remove(id)
		}
		if n := len(x.semantic.byKey) + len(x.semantic.sets) + len(x.semantic.byQuery); n != 0 {
			t.Fatalf("seed %d: %d semantic filters are left of no query", seed, n)
		}
	}
}

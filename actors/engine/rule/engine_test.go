package rule_test

import (
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/vector"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// The plain cosine and the vector engine's agree to the last bit, so that an
// event at a threshold is decided alike by both.
func TestCosineIsTheEngines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var scratch vector.Scratch
	for i := range 200 {
		event, filter := make([]float32, vector.Dim), make([]float32, vector.Dim)
		for j := range event {
			event[j] = float32(random.NormFloat64())
			filter[j] = event[j] + 0.8*float32(random.NormFloat64())
		}
		set := vector.New()
		if err := set.Add(1, [][]float32{filter}, []float64{0.5}); err != nil {
			t.Fatal(err)
		}
		hits := set.Snapshot().Match(event, &scratch, nil)
		got, ok := rule.Similarity([]*messages.EmbeddingFilter{{Embedding: filter, Threshold: 0.5}}, event, "")
		if !ok || len(hits) != 1 || hits[0].Cosine != got {
			t.Fatalf("vectors %d: the engine says %v, the plain answer is %v %v", i, hits, got, ok)
		}
	}
}

// Every rule of the corpus against every post of it, all at once through the
// index: what it says is what the plain walk says.
func TestCorpusThroughTheIndex(t *testing.T) {
	examples := corpus(t)
	x := index.New(index.Config{})
	compiled := make([]*rule.Compiled, len(examples))
	for i, e := range examples {
		c, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: e.rule}})
		if err != nil {
			t.Fatal(err)
		}
		compiled[i] = c
		if err := x.Put(index.ID(i), c); err != nil {
			t.Fatal(err)
		}
	}
	s := x.Snapshot()
	var d rule.Doc
	var scratch index.Scratch
	var last *messages.Post
	for _, e := range examples {
		if e.post == last {
			continue
		}
		last = e.post
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: e.post}})
		hit := map[index.ID]bool{}
		for _, h := range s.Match(&d, &scratch, nil) {
			hit[h.ID] = true
		}
		for i, c := range compiled {
			if want := c.Match(&d); hit[index.ID(i)] != want {
				t.Errorf("%s: %s: the index says %v, the walk %v", e.where, examples[i].rule, !want, want)
			}
		}
	}
}

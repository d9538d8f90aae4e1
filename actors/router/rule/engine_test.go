package rule_test

import (
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/actors/router/rule"
	"github.com/birdwire/birdwire/actors/router/vector"
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

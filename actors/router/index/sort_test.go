package index

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortHits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var scratch Scratch
	for _, most := range []uint64{1, 200, 1 << 20, 1<<64 - 1} {
		for n := range 300 {
			hits := make([]Hit, n)
			for i := range hits {
				hits[i] = Hit{ID: ID(r.Uint64N(most)), Similarity: float32(i)}
			}
			want := slices.Clone(hits)
			slices.SortStableFunc(want, func(a, b Hit) int { return cmp.Compare(a.ID, b.ID) })
			sortHits(hits, &scratch)
			for i := range want {
				if hits[i].ID != want[i].ID {
					t.Fatalf("%d hits below %d: place %d has %d, want %d", n, most, i, hits[i].ID, want[i].ID)
				}
			}
		}
	}
}

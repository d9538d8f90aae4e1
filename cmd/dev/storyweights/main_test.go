package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// What was drawn from known weights is learnt back.
func TestFit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var pairs []similarity.Pair
	var want similarity.Weights
	want[0], want[5], want[11] = -1, 3, -2
	for range 20_000 {
		p := similarity.Pair{Weight: 1}
		p.Features[0], p.Features[5], p.Features[11], p.Features[3] = 1, r.Float64()*2, r.Float64()*2, r.Float64()
		p.Same = r.Float64() < 1/(1+math.Exp(-want.Logit(&p.Features)))
		pairs = append(pairs, p)
	}
	got := fitPairs(pairs, " one mean_all all ", 0.1)
	for i := range want {
		if math.Abs(got[i]-want[i]) > 0.2 {
			t.Errorf("%s: %.3f, want %.3f", similarity.FeatureNames[i], got[i], want[i])
		}
	}
}

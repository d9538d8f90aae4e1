package main

import (
	"math"
	"strings"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// The features that are learnt; the weight of another is 0. See
// actors/newsdesk/DECISIONS.md for what the others did.
const (
	joinFeatures  = " one body gap gap_log mean_title mean_all title all "
	mergeFeatures = " one body gap gap_log mean_title mean_all title all "
)

// The logits are moved by so much, so that 0 decides where F1 is highest and
// not where as many pairs are wrong on both sides.
const (
	joinShift  = 0.7
	mergeShift = 0
)

// fit is logistic regression with a ridge penalty, by Newton's method.
func fit(pairs []similarity.Pair, features string, ridge float64) (w similarity.Weights) {
	var used []int
	for i, name := range similarity.FeatureNames {
		if strings.Contains(features, " "+name+" ") {
			used = append(used, i)
		}
	}
	n := len(used)
	for range 25 {
		slope, curve := make([]float64, n), make([][]float64, n)
		for i := range curve {
			curve[i] = make([]float64, n)
			curve[i][i] = ridge
			slope[i] = -ridge * w[used[i]]
		}
		for k := range pairs {
			add(&pairs[k], &w, used, slope, curve)
		}
		step := solve(curve, slope)
		largest := 0.0
		for i, d := range step {
			w[used[i]] += d
			largest = max(largest, math.Abs(d))
		}
		if largest < 1e-6 {
			break
		}
	}
	return w
}

// add adds a pair's share to the slope and the curvature of the likelihood.
func add(p *similarity.Pair, w *similarity.Weights, used []int, slope []float64, curve [][]float64) {
	chance := 1 / (1 + math.Exp(-w.Logit(&p.Features)))
	miss := -chance
	if p.Same {
		miss = 1 - chance
	}
	bend := p.Weight * chance * (1 - chance)
	for i, u := range used {
		x := p.Features[u]
		if x == 0 {
			continue
		}
		slope[i] += p.Weight * miss * x
		for j, v := range used {
			curve[i][j] += bend * x * p.Features[v]
		}
	}
}

// solve is Gauss's elimination with the largest pivot; it changes both.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	for i := range n {
		pivot := i
		for k := i + 1; k < n; k++ {
			if math.Abs(a[k][i]) > math.Abs(a[pivot][i]) {
				pivot = k
			}
		}
		a[i], a[pivot], b[i], b[pivot] = a[pivot], a[i], b[pivot], b[i]
		for k := i + 1; k < n; k++ {
			f := a[k][i] / a[i][i]
			for j := i; j < n; j++ {
				a[k][j] -= f * a[i][j]
			}
			b[k] -= f * b[i]
		}
	}
	x := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		sum := b[i]
		for j := i + 1; j < n; j++ {
			sum -= a[i][j] * x[j]
		}
		x[i] = sum / a[i][i]
	}
	return x
}

package main

import (
	"math"
	"strings"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// The features that are learnt; the weight of another is 0. See
// actors/newsdesk/DECISIONS.md for what others did.
const (
	joinFeatures  = " one body gap gap_log mean_title mean_all log_title log_all bond_title bond_all "
	mergeFeatures = " one body gap gap_log mean_title mean_all title all "
)

// joinShift moves the logit of joining so that 0 decides where F1 is highest
// and not where as many pairs are wrong on both sides: an article apart costs
// less precision than it costs recall.
const joinShift = 0.7

// unlikeWeight keeps large stories apart that share a few words. It is set and
// not learnt: no story of AllSides is large.
const unlikeWeight = -10

// row is one thing to learn from.
type row struct {
	x      []float64
	yes    bool
	weight float64
}

// fitPairs learns the weights of the named features.
func fitPairs(pairs []similarity.Pair, features string, ridge float64) (w similarity.Weights) {
	var used []int
	for i, name := range similarity.FeatureNames {
		if strings.Contains(features, " "+name+" ") {
			used = append(used, i)
		}
	}
	rows := make([]row, len(pairs))
	for n := range pairs {
		x := make([]float64, len(used))
		for i, u := range used {
			x[i] = pairs[n].Features[u]
		}
		rows[n] = row{x, pairs[n].Same, pairs[n].Weight}
	}
	for i, v := range fit(rows, ridge) {
		w[used[i]] = v
	}
	return w
}

// fit is logistic regression with a ridge penalty, by Newton's method.
func fit(rows []row, ridge float64) []float64 {
	n := len(rows[0].x)
	w := make([]float64, n)
	for range 25 {
		slope, curve := make([]float64, n), make([][]float64, n)
		for i := range curve {
			curve[i] = make([]float64, n)
			curve[i][i] = ridge
			slope[i] = -ridge * w[i]
		}
		for k := range rows {
			rows[k].add(w, slope, curve)
		}
		largest := 0.0
		for i, d := range solve(curve, slope) {
			w[i] += d
			largest = max(largest, math.Abs(d))
		}
		if largest < 1e-6 {
			break
		}
	}
	return w
}

func logit(w, x []float64) (sum float64) {
	for i := range x {
		sum += w[i] * x[i]
	}
	return sum
}

// add adds the row's share to the slope and the curvature of the likelihood.
func (r *row) add(w, slope []float64, curve [][]float64) {
	chance := 1 / (1 + math.Exp(-logit(w, r.x)))
	miss := -chance
	if r.yes {
		miss = 1 - chance
	}
	bend := r.weight * chance * (1 - chance)
	for i, x := range r.x {
		if x == 0 {
			continue
		}
		slope[i] += r.weight * miss * x
		for j, y := range r.x {
			curve[i][j] += bend * x * y
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

package similarity

import (
	"cmp"
	"math"
	"slices"
)

// component is one term of a sparse vector.
type component struct {
	term   uint64 // text.Hash of the stemmed term
	weight float32
}

// sparse is a vector, sorted by term, no term twice.
type sparse []component

// The views of an article.
const (
	title    = iota // the title's terms
	all             // title and body
	entities        // names in the body and the entities that came with it
	views

	// Of the views, those before entities are in the index. Names are read to
	// see what is new: as a feature of their own they did not help.
	indexed = entities
)

// vectors are one article's or story's, by view. An article's have length 1, or
// 0 where it has nothing of the kind.
type vectors [views]sparse

// unit scales v to length 1.
func (v sparse) unit() {
	n := v.norm2()
	if n == 0 {
		return
	}
	length := math.Sqrt(n)
	for i := range v {
		v[i].weight = float32(float64(v[i].weight) / length)
	}
}

func (v sparse) norm2() float64 {
	sum := 0.0
	for _, c := range v {
		sum += float64(float64(c.weight) * float64(c.weight))
	}
	return sum
}

// dot is the product of both, in the order of terms.
func (v sparse) dot(o sparse) float64 {
	sum := 0.0
	for i, j := 0, 0; i < len(v) && j < len(o); {
		switch a, b := v[i].term, o[j].term; {
		case a < b:
			i++
		case a > b:
			j++
		default:
			sum += float64(float64(v[i].weight) * float64(o[j].weight))
			i++
			j++
		}
	}
	return sum
}

// steepDot is the sum of steep(v)·root(o), in the order of terms.
func (v sparse) steepDot(o sparse) float64 {
	sum := 0.0
	for i, j := 0, 0; i < len(v) && j < len(o); {
		switch a, b := v[i].term, o[j].term; {
		case a < b:
			i++
		case a > b:
			j++
		default:
			sum += float64(steep(v[i].weight) * root(o[j].weight))
			i++
			j++
		}
	}
	return sum
}

// root is a weight's square root, and steep its power of one and a half: the
// product of both is of the size of a product of two weights. What is below 0 by
// rounding is 0.
func root(w float32) float64 { return math.Sqrt(max(0, float64(w))) }

func steep(w float32) float64 { return float64(max(0, float64(w)) * root(w)) }

// plus is v + factor·o as a new vector, without what is as good as 0: a sum
// from which all was taken away again leaves rounding behind.
func (v sparse) plus(o sparse, factor float32) sparse {
	out := make(sparse, 0, len(v)+len(o))
	i, j := 0, 0
	for i < len(v) || j < len(o) {
		switch {
		case j == len(o) || i < len(v) && v[i].term < o[j].term:
			out = append(out, v[i])
			i++
		case i == len(v) || o[j].term < v[i].term:
			out = append(out, component{o[j].term, factor * o[j].weight})
			j++
		default:
			if w := v[i].weight + float32(factor*o[j].weight); w > nothing || w < -nothing {
				out = append(out, component{v[i].term, w})
			}
			i++
			j++
		}
	}
	return out
}

const nothing = 1e-5

// heaviest keeps the n largest weights of v, in place and in order of terms.
func (v sparse) heaviest(n int) sparse {
	if len(v) <= n {
		return v
	}
	slices.SortFunc(v, func(a, b component) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.term, b.term))
	})
	v = v[:n]
	slices.SortFunc(v, func(a, b component) int { return cmp.Compare(a.term, b.term) })
	return v
}

package rule

import (
	"errors"
	"fmt"
	"math"

	"github.com/birdwire/birdwire/messages"
)

// dimensions of every embedding.
const dimensions = 1536

// Similarity is the best cosine among the filters whose threshold it reaches,
// and whether there is one. A filter of another model than the event's is not
// compared: their numbers mean different things.
func Similarity(filters []*messages.EmbeddingFilter, embedding []float32, model string) (float64, bool) {
	best, ok := 0.0, false
	if len(embedding) != dimensions {
		return best, ok
	}
	for _, f := range filters {
		if len(f.GetEmbedding()) != dimensions || f.GetEmbeddingModel() != model {
			continue
		}
		if c := cosine(f.GetEmbedding(), embedding); c >= f.GetThreshold() && (!ok || c > best) {
			best, ok = c, true
		}
	}
	return best, ok
}

// cosine adds in one fixed order, that of the vector engine, so that the two
// agree to the last bit: 32 partial sums, folded to one. NaN where a vector is
// zero.
func cosine(a, b []float32) float64 {
	c := dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b))
	return math.Max(-1, math.Min(1, c))
}

func dot(a, b []float32) float64 {
	var part [32]float64
	for i := range a {
		part[i%32] += float64(a[i]) * float64(b[i])
	}
	var t [8]float64
	for j := range t {
		t[j] = (part[j] + part[j+8]) + (part[j+16] + part[j+24])
	}
	return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]))
}

func checkEmbedding(f *messages.EmbeddingFilter) error {
	if n := len(f.GetEmbedding()); n != dimensions {
		return fmt.Errorf("embedding has %d numbers, want %d", n, dimensions)
	}
	zero := true
	for i, x := range f.GetEmbedding() {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("embedding[%d] is not a finite number", i)
		}
		zero = zero && x == 0
	}
	if zero {
		return errors.New("embedding is all zeros, which has no direction")
	}
	if t := f.GetThreshold(); !(t >= 0.5 && t <= 1) {
		return fmt.Errorf("threshold is %v, want 0.5 to 1", t)
	}
	return nil
}

package vector

import (
	"math"
	"unsafe"
)

// quantized describes a vector's int8 form.
type quantized struct {
	square float64 // dot(r, r)
	scale  float64 // s/‖r‖
	relErr float64 // E = ‖r − s·q‖/‖r‖
}

// quantize writes v's int8 form, of numbers in [-127, 127]. v is checked.
func quantize(v []float32, out []int8) quantized {
	var wide [Dim]float64
	highest := 0.0
	for i, f := range v {
		wide[i] = float64(f)
		highest = math.Max(highest, math.Abs(wide[i]))
	}
	var t [8]float64
	dotGo(&v[0], &wide[0], &t)
	square := fold(&t)
	norm := math.Sqrt(square)

	// highest is at least the smallest float32, so step is a normal float64.
	step := highest / 127
	rest := 0.0
	for i, f := range wide {
		q := math.RoundToEven(f / step)
		q = math.Max(-127, math.Min(127, q))
		out[i] = int8(q)
		d := f - step*q
		rest += d * d
	}
	return quantized{square: square, scale: step / norm, relErr: math.Sqrt(rest) / norm}
}

// cosine is the package comment's, from the eight sums of a kernel.
func cosine(t *[8]float64, squareA, squareB float64) float64 {
	c := fold(t) / math.Sqrt(squareA*squareB)
	return math.Max(-1, math.Min(1, c))
}

// The kernels take pointers, as assembly does; these are their lengths.

func rowFloats(p *float32) []float32 { return unsafe.Slice(p, Dim) }
func rowWide(p *float64) []float64   { return unsafe.Slice(p, Dim) }

package vector

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"unsafe"
)

func eachKernel(t *testing.T, f func(t *testing.T, k kernel)) {
	for _, k := range kernels() {
		t.Run(k.name, func(t *testing.T) { f(t, k) })
	}
}

// random is a vector with numbers of like size, or, one time in four, with an
// outlier or with numbers of very different sizes.
func random(r *rand.Rand) []float32 {
	v := make([]float32, Dim)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	switch r.IntN(8) {
	case 0:
		v[r.IntN(Dim)] = float32(r.NormFloat64() * 300)
	case 1:
		for i := range v {
			v[i] *= float32(math.Exp(r.NormFloat64() * 8))
		}
	}
	return v
}

// intsGo is what every kernel's integers must be.
func intsGo(rows *int8, n int, event *probe, _ *page, out *[pageRows]int32) {
	all := unsafe.Slice(rows, Dim*pageRows)
	p := event.ints[:]
	for r := range n {
		row := all[r*Dim:][:Dim]
		var s0, s1, s2, s3 int32
		for i := 0; i <= Dim-4; i += 4 {
			x, y := row[i:i+4:i+4], p[i:i+4:i+4]
			s0 += int32(x[0]) * int32(y[0])
			s1 += int32(x[1]) * int32(y[1])
			s2 += int32(x[2]) * int32(y[2])
			s3 += int32(x[3]) * int32(y[3])
		}
		out[r] = s0 + s1 + s2 + s3
	}
}

// near is v moved by about share of its own length.
func near(r *rand.Rand, v []float32, share float64) []float32 {
	out := slices.Clone(v)
	size := 0.0
	for _, f := range v {
		size += float64(f) * float64(f)
	}
	size = math.Sqrt(size / Dim)
	for i := range out {
		out[i] += float32(r.NormFloat64() * size * share)
	}
	return out
}

// reference is the cosine as the package comment writes it.
func reference(a, b []float32) float64 {
	return dotReference(a, b) / math.Sqrt(dotReference(a, a)*dotReference(b, b))
}

func dotReference(a, b []float32) float64 {
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

func TestEveryKernelGivesTheSameBits(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 12 {
			p := newPage(1)
			var rows [][]float32
			for slot := range pageRows {
				v := random(r)
				p.put(slot, v)
				rows = append(rows, v)
			}
			event := random(r)
			var x probe
			x.set(event)
			for n := 1; k.ints != nil && n <= pageRows; n++ {
				var got, want [pageRows]int32
				k.ints(&p.ints[0], n, &x, p, &got)
				intsGo(&p.ints[0], n, &x, nil, &want)
				if !slices.Equal(got[:n], want[:n]) {
					t.Fatalf("%d rows: integer products %v, want %v", n, got[:n], want[:n])
				}
			}
			for slot, v := range rows {
				var sums [8]float64
				k.dot(&p.floats[slot*Dim], &x.wide[0], &sums)
				if got, want := fold(&sums), dotReference(v, event); got != want {
					t.Fatalf("dot = %x, want %x", got, want)
				}
			}
		}
	})
}

func TestThresholdDecidesToTheLastDigit(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		for range 60 {
			row := random(r)
			event := near(r, row, r.Float64()*3)
			c := reference(row, event)
			s := newSet(k)
			for id, threshold := range map[ID]float64{1: c, 2: math.Nextafter(c, 2), 3: math.Nextafter(c, -2)} {
				if err := s.Add(id, [][]float32{row}, []float64{threshold}); err != nil {
					t.Fatal(err)
				}
			}
			want := []Hit{{ID: 1, Cosine: c}, {ID: 3, Cosine: c}}
			var scratch Scratch
			if got := s.Snapshot().Match(event, &scratch, nil); !reflect.DeepEqual(got, want) {
				t.Fatalf("hits %v, want %v: threshold %v passes, the next float64 above it does not", got, want, c)
			}
		}
	})
}

// The bound of the package comment must hold for every pair: what the
// estimate says is never further from the cosine than it allows.
func TestPrefilterBoundHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	worst := 0.0
	for range 1000 {
		row := random(r)
		event := near(r, row, math.Exp(r.NormFloat64()*3))
		if r.IntN(4) == 0 {
			event = random(r)
		}
		p := newPage(1)
		p.put(0, row)
		var x probe
		x.set(event)
		var dots [pageRows]int32
		intsGo(&p.ints[0], 1, &x, nil, &dots)
		estimate := float64(dots[0]) * p.scale[0] * x.scale
		bound := p.relErr[0]*(1+x.relErr) + x.relErr
		off := math.Abs(reference(row, event) - estimate)
		if off > bound+slack/100 {
			t.Fatalf("estimate is off by %v, the bound allows %v", off, bound)
		}
		worst = math.Max(worst, off/bound)
	}
	if worst < 0.01 {
		t.Errorf("the estimate never came nearer than %v of its bound: the test sees no hard case", worst)
	}
}

func TestAVectorIsExactlyOneWithItself(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(7, 8))
		for range 40 {
			v := random(r)
			s := newSet(k)
			if err := s.Add(9, [][]float32{v}, []float64{1}); err != nil {
				t.Fatal(err)
			}
			var scratch Scratch
			if got := s.Snapshot().Match(v, &scratch, nil); len(got) != 1 || got[0].Cosine != 1 {
				t.Fatalf("hits %v, want one of cosine 1", got)
			}
		}
	})
}

func TestExtremeSizes(t *testing.T) {
	fill := func(f float32) []float32 {
		v := make([]float32, Dim)
		for i := range v {
			v[i] = f
		}
		return v
	}
	one := make([]float32, Dim)
	one[Dim-1] = math.SmallestNonzeroFloat32
	eachKernel(t, func(t *testing.T, k kernel) {
		for name, v := range map[string][]float32{
			"largest": fill(math.MaxFloat32), "smallest": fill(math.SmallestNonzeroFloat32),
			"one smallest": one, "negative": fill(-1e-30),
		} {
			s := newSet(k)
			if err := s.Add(1, [][]float32{v}, []float64{1}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var scratch Scratch
			if got := s.Snapshot().Match(v, &scratch, nil); len(got) != 1 {
				t.Errorf("%s: hits %v, want its own", name, got)
			}
		}
	})
}

func TestUnusableVectorsAreRefused(t *testing.T) {
	good := make([]float32, Dim)
	good[0] = 1
	with := func(i int, f float32) []float32 { v := slices.Clone(good); v[i] = f; return v }
	for _, c := range []struct {
		name       string
		vectors    [][]float32
		thresholds []float64
		want       error
	}{
		{"short", [][]float32{good[:Dim-1]}, []float64{.5}, ErrDimension},
		{"long", [][]float32{append(slices.Clone(good), 1)}, []float64{.5}, ErrDimension},
		{"none", nil, nil, ErrDimension},
		{"nan", [][]float32{with(7, float32(math.NaN()))}, []float64{.5}, ErrNotFinite},
		{"infinite", [][]float32{with(7, float32(math.Inf(-1)))}, []float64{.5}, ErrNotFinite},
		{"zero", [][]float32{make([]float32, Dim)}, []float64{.5}, ErrZero},
		{"negative zero", [][]float32{with(0, float32(math.Copysign(0, -1)))}, []float64{.5}, ErrZero},
		{"second of two", [][]float32{good, make([]float32, Dim)}, []float64{.5, .5}, ErrZero},
		{"threshold nan", [][]float32{good}, []float64{math.NaN()}, ErrThreshold},
		{"threshold above 1", [][]float32{good}, []float64{1.01}, ErrThreshold},
		{"threshold missing", [][]float32{good, with(1, 1)}, []float64{.5}, ErrThreshold},
	} {
		s := New()
		if err := s.Add(1, [][]float32{good}, []float64{.5}); err != nil {
			t.Fatal(err)
		}
		if err := s.Add(1, c.vectors, c.thresholds); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		var scratch Scratch
		if got := s.Snapshot().Match(good, &scratch, nil); len(got) != 1 {
			t.Errorf("%s: a refused change took the old filter away: hits %v", c.name, got)
		}
	}
}

func TestUnusableEventsHitNothing(t *testing.T) {
	s := New()
	v := make([]float32, Dim)
	v[3] = 1
	if err := s.Add(1, [][]float32{v}, []float64{-1}); err != nil {
		t.Fatal(err)
	}
	nan := slices.Clone(v)
	nan[4] = float32(math.NaN())
	var scratch Scratch
	for _, e := range [][]float32{nil, v[:10], make([]float32, Dim), nan} {
		if got := s.Snapshot().Match(e, &scratch, nil); len(got) != 0 {
			t.Errorf("event of %d numbers: hits %v, want none", len(e), got)
		}
		if got := s.Snapshot().Scan(e, &scratch, nil); len(got) != 0 {
			t.Errorf("event of %d numbers: scan hits %v, want none", len(e), got)
		}
	}
}

package vector

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

var benchFilters = flag.Int("filters", 10000, "filters in the benchmarks' set; BENCH.md has 100,000, which need 800 MB")

// filled is a set of n filters whose vectors lie about as far from each other
// as those of texts do, and events of which each is near one of them.
func filled(b *testing.B, k kernel, n int) (*Snapshot, [][]float32) {
	r := rand.New(rand.NewPCG(21, 22))
	theme := make([]float32, Dim)
	for i := range theme {
		theme[i] = float32(r.NormFloat64()) * 0.5
	}
	make1 := func() []float32 {
		v := make([]float32, Dim)
		for i := range v {
			v[i] = theme[i] + float32(r.NormFloat64())
		}
		return v
	}
	s := newSet(k)
	var events [][]float32
	for id := range n {
		v := make1()
		if err := s.Add(ID(id), [][]float32{v}, []float64{0.75}); err != nil {
			b.Fatal(err)
		}
		if id%(n/16) == 0 && len(events) < 16 {
			events = append(events, near(r, v, 0.5))
		}
	}
	return s.Snapshot(), events
}

// BenchmarkVector compares, in one run: the machine's read bandwidth over the
// same memory, exact scans of float32, the prefilter, and batches of eight.
func BenchmarkVector(b *testing.B) {
	n := *benchFilters
	for _, k := range kernels() {
		s, events := filled(b, k, n)
		var scratch Scratch
		var hits []Hit
		floats := int64(n) * Dim * 4
		if k.name == kernels()[0].name {
			b.Run("read", func(b *testing.B) {
				b.SetBytes(floats)
				var sum uint64
				for range b.N {
					for _, p := range s.pages {
						sum += readAll(p.floats)
					}
				}
				sink = sum
			})
		}
		b.Run(k.name+"/exact", func(b *testing.B) {
			b.SetBytes(floats)
			for i := range b.N {
				hits = s.Scan(events[i%len(events)], &scratch, hits[:0])
			}
		})
		b.Run(k.name+"/prefilter", func(b *testing.B) {
			b.SetBytes(floats / 4)
			b.ReportAllocs()
			for i := range b.N {
				hits = s.Match(events[i%len(events)], &scratch, hits[:0])
			}
		})
		b.Run(k.name+"/batch8", func(b *testing.B) {
			out := make([][]Hit, 8)
			for range b.N {
				for i := range out {
					out[i] = out[i][:0]
				}
				s.MatchBatch(events[:8], &scratch, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(8*b.N), "ns/event")
		})
	}
}

var sink uint64

// readAll touches every cache line with as little else as Go can.
func readAll(f []float32) uint64 {
	w := unsafe.Slice((*uint64)(unsafe.Pointer(&f[0])), len(f)/2)
	var a, b, c, d uint64
	for i := 0; i+32 <= len(w); i += 32 {
		x := w[i : i+32 : i+32]
		a += x[0]
		b += x[8]
		c += x[16]
		d += x[24]
	}
	return a + b + c + d
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(23, 24))
	v := random(r)
	s := New()
	for i := range b.N {
		v[i%Dim] = float32(i)
		if err := s.Add(ID(i%1000), [][]float32{v}, []float64{0.8}); err != nil {
			b.Fatal(err)
		}
		s.Snapshot()
	}
}

func ExampleSet() {
	v := make([]float32, Dim)
	v[0], v[1] = 3, 4
	s := New()
	if err := s.Add(7, [][]float32{v}, []float64{0.75}); err != nil {
		fmt.Println(err)
		return
	}
	event := make([]float32, Dim)
	event[1] = 1
	var scratch Scratch
	fmt.Println(s.Snapshot().Match(event, &scratch, nil))
	// Output: [{7 0.8}]
}

package vector

// kernel is the arithmetic that differs by machine. All kernels give the same
// answers bit for bit; see the package comment.
type kernel struct {
	name string
	// dot adds the 32 partial sums of row·event and folds them to eight (t in the
	// package comment). event is the event's vector widened to float64.
	dot func(row *float32, event *float64, out *[8]float64)
	// ints writes q·p for the first n rows of a page. next is the page that
	// will be asked for after it, a hint to the cache. nil: this kernel has no
	// prefilter, since its integers are no faster than its exact answer.
	ints func(rows *int8, n int, event *probe, next *page, out *[pageRows]int32)
}

// probe is an event's vector made ready for the kernels.
type probe struct {
	ints    [Dim]int8
	wide    [Dim]float64
	sum     int32   // of ints
	square  float64 // dot(x, x)
	scale   float64 // u/‖x‖
	relErr  float64 // F
	defined bool    // false: not a vector that can be compared; it hits nothing
}

func (p *probe) set(v []float32) {
	p.defined = Check(v) == nil
	if !p.defined {
		return
	}
	for i, f := range v {
		p.wide[i] = float64(f)
	}
	q := quantize(v, p.ints[:])
	p.square, p.scale, p.relErr = q.square, q.scale, q.relErr
	p.sum = 0
	for _, n := range p.ints {
		p.sum += int32(n)
	}
}

func fold(t *[8]float64) float64 {
	return ((t[0] + t[4]) + (t[2] + t[6])) + ((t[1] + t[5]) + (t[3] + t[7]))
}

// portable is the kernel for machines without a faster one. It has no
// prefilter: measured, a byte costs Go as much to multiply as a float64.
var portable = kernel{name: "go", dot: dotGo}

// dotGo takes four partial sums at a time, so that they stay in registers; the
// row is read eight times, from the nearest cache.
func dotGo(row *float32, event *float64, out *[8]float64) {
	a, b := rowFloats(row), rowWide(event)
	var part [32]float64
	for j := 0; j < 32; j += 4 {
		var s0, s1, s2, s3 float64
		for i := j; i <= Dim-4; i += 32 {
			x, y := a[i:i+4:i+4], b[i:i+4:i+4]
			s0 += float64(x[0]) * y[0]
			s1 += float64(x[1]) * y[1]
			s2 += float64(x[2]) * y[2]
			s3 += float64(x[3]) * y[3]
		}
		part[j], part[j+1], part[j+2], part[j+3] = s0, s1, s2, s3
	}
	for j := range out {
		out[j] = (part[j] + part[j+8]) + (part[j+16] + part[j+24])
	}
}

//go:build amd64 && !purego

package vector

import "golang.org/x/sys/cpu"

// kernels are those that this machine can run, the fastest first.
func kernels() []kernel {
	var list []kernel
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VNNI {
		list = append(list, kernel{name: "avx512vnni", dot: dotAVX512, ints: intsVNNI})
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		list = append(list, kernel{name: "avx2", dot: dotAVX2, ints: intsAVX2})
	}
	return append(list, portable)
}

//go:noescape
func dotAVX512(row *float32, event *float64, out *[8]float64)

//go:noescape
func dotAVX2(row *float32, event *float64, out *[8]float64)

// sumsVNNI writes Σ (q+128)·p: the instruction multiplies unsigned by signed
// bytes, and the page is the unsigned side so that the event can stay in one
// register for four rows. It works on whole fours of rows.
//
//go:noescape
func sumsVNNI(rows *int8, fours int, event *int8, next *int8, bounds *float64, out *int32)

//go:noescape
func sumsAVX2(rows *int8, n int, event *int8, next *int8, bounds *float64, out *int32)

// intsVNNI reads up to three rows past n, which may be written at the same time by
// the set's owner; what comes of them is thrown away.
func intsVNNI(rows *int8, n int, event *probe, next *page, out *[pageRows]int32) {
	sumsVNNI(rows, (n+3)/4, &event.ints[0], &next.ints[0], &next.scale[0], &out[0])
	for i := range out[:n] {
		out[i] -= 128 * event.sum
	}
}

func intsAVX2(rows *int8, n int, event *probe, next *page, out *[pageRows]int32) {
	sumsAVX2(rows, n, &event.ints[0], &next.ints[0], &next.scale[0], &out[0])
}

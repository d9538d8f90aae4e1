package similarity

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkAdd gives articles their stories while so many live: made-up events,
// five articles each, two thirds with bodies of thirty words.
func BenchmarkAdd(b *testing.B) {
	for _, live := range []int{1000, 10_000, 50_000} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			articles := made(1, 6*live, live*6/5, minute/10)
			e := engine(b, Config{Live: live})
			before := heap()
			for _, a := range articles[:5*live] {
				e.Add(a)
			}
			rest, n := articles[5*live:], 0
			each := make([]time.Duration, 0, b.N)
			bytes := float64(heap()-before) / float64(e.Live())
			for b.Loop() {
				began := time.Now()
				e.Add(rest[n%len(rest)])
				each = append(each, time.Since(began))
				n++
			}
			slices.Sort(each)
			b.ReportMetric(float64(e.Live()), "live")
			b.ReportMetric(float64(each[len(each)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(bytes, "B/story")
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

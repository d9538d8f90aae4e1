//go:build unix

package desk_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// BenchmarkTake is one article from the log to all events that follow, the
// stories' work included, with so many live stories: made-up events of a few
// articles each, a quarter of whose words all events share, at 200 articles a
// second of event time, once as many stories end as begin.
func BenchmarkTake(b *testing.B) {
	for _, live := range []int{1_000, 5_000, 10_000, 20_000, 50_000, 100_000} {
		b.Run(fmt.Sprint(live), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			w := newWorld(b, desk.Config{Similarity: similarity.Config{Live: live}})
			w.desk.Begin()
			r := rand.New(rand.NewPCG(1, 2))
			at, n := begins, 0
			next := func() time.Duration {
				n++
				at += 5
				event := n/4 + r.IntN(400)
				a := article{number: uint64(n), title: telling(r, event, 8), text: telling(r, event, 40), source: fmt.Sprint("s", r.IntN(200))}
				e := a.event(at)
				began := time.Now()
				p := w.desk.Place() + 1
				w.desk.Take(p, e)
				w.answer()
				took := time.Since(began)
				if pending := w.desk.Pending(); len(pending) > 0 {
					w.desk.Take(p+1, pending[len(pending)-1]) // as if it were written at once
				}
				return took
			}
			for most := 0; ; { // until there is no room, and as many end as begin
				all, _ := w.desk.Live()
				if most == live && all < live {
					break
				}
				most = max(most, all)
				next()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			all, awake := w.desk.Live()
			each := make([]time.Duration, 0, b.N)
			used := cpu(b)
			b.ResetTimer()
			for b.Loop() {
				each = append(each, next())
			}
			b.ReportMetric(float64((cpu(b)-used).Nanoseconds())/float64(len(each)), "cpu-ns/op")
			slices.Sort(each)
			b.ReportMetric(float64(each[len(each)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(each[len(each)-1].Microseconds()), "max-µs")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(all), "B/story")
			b.ReportMetric(float64(awake), "awake")
		})
	}
}

// cpu is what the process has used: other processes share the machine.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// telling is of words of the event's own, of which a million events have few in
// common, and of words that all share.
func telling(r *rand.Rand, event, words int) string {
	own := rand.New(rand.NewPCG(1, uint64(event)+2))
	var vocabulary [10]int
	for w := range vocabulary {
		vocabulary[w] = own.IntN(1_000_000)
	}
	var b strings.Builder
	for range words {
		if r.IntN(4) > 0 {
			fmt.Fprintf(&b, "Orvin%d ", vocabulary[r.IntN(len(vocabulary))])
		} else {
			fmt.Fprintf(&b, "word%d ", r.IntN(200))
		}
	}
	return b.String()
}

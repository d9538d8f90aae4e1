package load

import (
	"flag"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

var most = flag.Int("rules", 100_000, "the largest number of rules that BenchmarkMeasure tries; a million needs 2 GB and a minute")

var own = flag.Bool("own-time", false, "measure the thread's own CPU time, for machines with busy neighbours")

// A clock that nobody waits for: every reading is a microsecond on.
func ticking() func() time.Time {
	var ticks atomic.Int64
	return func() time.Time { return time.UnixMicro(ticks.Add(1)) }
}

func TestMeasureFillsEverything(t *testing.T) {
	r, err := Measure(Options{
		Config: Config{Seed: 3, Skip: Broad}, Rules: 12_000, Posts: 200, Updates: 1200,
		Now: ticking(), Go: func(work func()) { go work() },
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]time.Duration{
		"compile": r.Compile, "build": r.Build, "document": r.Document.Mean, "match": r.Match.P99,
		"evaluate all": r.EvaluateAll.P50, "update": r.Update.Max, "hit": r.PerHit(), "unmerged": r.Unmerged.P50, "during": r.During.P50,
	} {
		if d <= 0 {
			t.Errorf("%s took %v", name, d)
		}
	}
	if r.Hits <= 0 || r.Distinct == 0 || r.Bytes <= 0 || r.Merges == 0 {
		t.Errorf("%v hits a post, %d distinct rules, %v bytes a rule, %d merges", r.Hits, r.Distinct, r.Bytes, r.Merges)
	}
}

func TestMeasureWithoutAWorker(t *testing.T) {
	r, err := Measure(Options{Config: Config{Seed: 3, Skip: Selective}, Rules: 100, Posts: 10, Updates: 10, Now: ticking()})
	if err != nil || r.During.Max != 0 {
		t.Errorf("%v, matching during merges took %v; there was no merge", err, r.During)
	}
}

// BenchmarkMeasure is the whole measurement, once a size: run it with
// -benchtime=1x. BENCH.md has its figures.
func BenchmarkMeasure(b *testing.B) {
	for _, skip := range []int{Broad, Selective} {
		for n := 1000; n <= *most; n *= 10 {
			now := time.Now
			b.Run(fmt.Sprintf("skip=%d/rules=%d", skip, n), func(b *testing.B) {
				if *own {
					now = threadTime()
				}
				for range b.N {
					r, err := Measure(Options{
						Config: Config{Seed: 1, Skip: skip}, Rules: n, Updates: 2000,
						Now: now, Go: func(work func()) {
							go func() {
								runtime.LockOSThread() // the clock may be the thread's
								work()
							}()
						},
					})
					if err != nil {
						b.Fatal(err)
					}
					report(b, r)
				}
			})
		}
	}
}

func report(b *testing.B, r Result) {
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(us(r.Match.Mean), "µs-match")
	b.ReportMetric(us(r.Match.P50), "µs-match-p50")
	b.ReportMetric(us(r.Match.P99), "µs-match-p99")
	b.ReportMetric(us(r.Document.Mean), "µs-document")
	b.ReportMetric(r.Hits, "hits/post")
	b.ReportMetric(us(r.PerHit()), "µs/hit")
	b.ReportMetric(us(r.EvaluateAll.Mean), "µs-evaluate-all")
	b.ReportMetric(float64(r.EvaluateAll.Mean)/float64(r.Match.Mean), "×-evaluate-all")
	b.ReportMetric(r.Bytes, "B/rule")
	b.ReportMetric(r.Heap, "heap-B/rule")
	b.ReportMetric(us(r.Compile), "µs-compile")
	b.ReportMetric(r.Build.Seconds(), "s-build")
	b.ReportMetric(us(r.Update.P50), "µs-update-p50")
	b.ReportMetric(us(r.Update.P99), "µs-update-p99")
	b.ReportMetric(us(r.Unmerged.P99), "µs-unmerged-p99")
	b.ReportMetric(us(r.During.P99), "µs-during-merge-p99")
	b.ReportMetric(float64(r.Merges), "merges")
}

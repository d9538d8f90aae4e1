package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// openBench opens a store that never says it is full: how much space there is
// is not what is measured.
func openBench(b *testing.B, cfg Config) *Store {
	b.Helper()
	if cfg.Dir == "" {
		cfg.Dir = b.TempDir()
	}
	cfg.ReserveBytes = func(uint64) uint64 { return 0 }
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// post is an event of about 700 bytes encoded.
func post(i int) *messages.Event {
	text := fmt.Sprintf("%d %s", i, strings.Repeat("the future is electric ", 12))
	return &messages.Event{
		Id: fmt.Sprintf("push/%d/post/1", i), Source: "push", DetectedMs: 1_772_625_600_000,
		Body: &messages.Event_Post{Post: &messages.Post{
			Id: fmt.Sprint(1_234_567_890_123_456_789 + i), Text: text, CreatedMs: 1_772_625_600_000, Lang: "en",
			Author: &messages.Author{
				Id: "44196397", Username: "elonmusk", Name: "Some Name", Verified: true, FollowersCount: 1_000_000,
				Description: strings.Repeat("about ", 20), Location: "somewhere on earth",
			},
			Hashtags: []string{"electric", "future"}, Mentions: []string{"someone"}, Source: "Birdwire bench",
		}},
	}
}

func benchFrame(events int) *messages.Frame {
	f := &messages.Frame{Node: "bench", Incarnation: 1}
	for i := range events {
		f.Events = append(f.Events, post(i))
	}
	return f
}

func reportLatency(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkRawSync is the limit in the same run: append one buffer to a file
// and sync it.
func BenchmarkRawSync(b *testing.B) {
	for _, size := range []int{700, 64 << 10, 180 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "raw"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			buf := make([]byte, size)
			_, _ = rand.Read(buf)
			var took []time.Duration
			b.SetBytes(int64(size))
			for b.Loop() {
				start := time.Now()
				if _, err := f.Write(buf); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			reportLatency(b, took)
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, events := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			s := openBench(b, Config{})
			template := benchFrame(events)
			var took []time.Duration
			for b.Loop() {
				f := &messages.Frame{Node: template.Node, Incarnation: 1, Number: uint64(len(took) + 1), Events: template.Events}
				start := time.Now()
				if _, err := s.Journal().Append(context.Background(), f); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
			reportLatency(b, took)
		})
	}
}

// BenchmarkGroupCommit appends as a journal does: events come at a rate, and
// each frame takes what came while the last one was being written. The latency
// is an event's, from its coming to its acknowledgement.
func BenchmarkGroupCommit(b *testing.B) {
	for _, rate := range []int{1_000, 10_000, 100_000, 200_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			s := openBench(b, Config{})
			full := benchFrame(store.MaxFrameEvents).Events
			apart := time.Second / time.Duration(rate)
			var took []time.Duration
			written, number := 0, uint64(0)
			start := time.Now()
			for b.Loop() {
				due := int(time.Since(start)/apart) - written
				if due < 1 {
					<-time.After(apart)
					due = max(1, int(time.Since(start)/apart)-written)
				}
				due = min(due, len(full))
				number++
				f := &messages.Frame{Node: "bench", Incarnation: 1, Number: number, Events: full[:due]}
				if _, err := s.Journal().Append(context.Background(), f); err != nil {
					b.Fatal(err)
				}
				now := time.Since(start)
				for i := range due {
					took = append(took, now-time.Duration(written+i)*apart)
				}
				written += due
			}
			b.ReportMetric(float64(written)/time.Since(start).Seconds(), "events/s")
			reportLatency(b, took)
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, events := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("events=%d", events), func(b *testing.B) {
			s := openBench(b, Config{})
			held := min(100_000/events, 3_000)
			template := benchFrame(events)
			for i := range held {
				f := &messages.Frame{Node: template.Node, Incarnation: 1, Number: uint64(i + 1), Events: template.Events}
				if _, err := s.Journal().Append(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
			read := 0
			for b.Loop() {
				c, err := s.Journal().Read(context.Background(), 1)
				if err != nil {
					b.Fatal(err)
				}
				for {
					e, err := c.Next(context.Background())
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					read += len(e.Frame.GetEvents())
				}
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
			if want := held * events * b.N; read != want {
				b.Fatalf("read %d events, want %d", read, want)
			}
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkItemsCAS(b *testing.B) {
	for _, batch := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s := openBench(b, Config{})
			n := 0
			for b.Loop() {
				items := make([]*messages.Item, batch)
				for i := range items {
					n++
					items[i] = &messages.Item{
						Identity: fmt.Sprintf("feed/%d", n), Revision: 1, ContentHash: make([]byte, 32),
						Article: &messages.Article{Title: "Fed Signals Rate Cut", Description: strings.Repeat("meeting minutes ", 35)},
					}
				}
				each, err := s.Items().CAS(context.Background(), items, make([]uint64, batch))
				if err = errors.Join(append(each, err)...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

// BenchmarkArticles is the whole of what the store does for an article: ask the
// table, append, write the table.
func BenchmarkArticles(b *testing.B) {
	for _, batch := range []int{16, 64, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s, ctx := openBench(b, Config{}), context.Background()
			template := benchFrame(batch)
			n, frames := 0, uint64(0)
			for b.Loop() {
				items, identities := make([]*messages.Item, batch), make([]string, batch)
				for i := range items {
					n++
					identities[i] = fmt.Sprintf("feed/%d", n)
					items[i] = &messages.Item{
						Identity: identities[i], Revision: 1, ContentHash: make([]byte, 32),
						Article: &messages.Article{Title: "Fed Signals Rate Cut", Description: strings.Repeat("meeting minutes ", 35)},
					}
				}
				if _, err := s.Items().Get(ctx, identities); err != nil {
					b.Fatal(err)
				}
				frames++
				f := &messages.Frame{Node: "bench", Incarnation: 1, Number: frames, Events: template.Events}
				if _, err := s.Journal().Append(ctx, f); err != nil {
					b.Fatal(err)
				}
				each, err := s.Items().CAS(ctx, items, make([]uint64, batch))
				if err = errors.Join(append(each, err)...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "articles/s")
		})
	}
}

func BenchmarkControlCAS(b *testing.B) {
	s := openBench(b, Config{})
	var revision uint64
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		var err error
		if revision, err = s.Control().CAS(context.Background(), "bench.key", make([]byte, 700), revision); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	reportLatency(b, took)
}

// BenchmarkOpen is a start on an empty folder, and one on what that left.
func BenchmarkOpen(b *testing.B) {
	for _, kind := range []string{"empty", "again"} {
		b.Run(kind, func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				if kind == "empty" {
					dir = b.TempDir()
				}
				s, err := Open(context.Background(), Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// benchNodes opens one node that stands alone, or three that are one.
func benchNodes(b *testing.B, nodes int) []*Store {
	b.Helper()
	if nodes == 1 {
		return []*Store{openBench(b, Config{})}
	}
	c := trio{dir: b.TempDir()}
	for range nodes {
		c.seeds = append(c.seeds, freePort(b))
	}
	stores := make([]*Store, len(c.seeds))
	var wait sync.WaitGroup
	for i := range stores {
		wait.Go(func() {
			cfg := c.member(i)
			cfg.Logger, cfg.DuplicateWindow = slog.New(slog.DiscardHandler), 0
			cfg.ReserveBytes = func(uint64) uint64 { return 0 }
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			s, err := Open(ctx, cfg)
			if err != nil {
				b.Error(err)
				return
			}
			stores[i] = s
		})
	}
	wait.Wait()
	b.Cleanup(func() {
		for _, s := range stores {
			if s != nil {
				_ = s.Close() // of a benchmark: nothing depends on it
			}
		}
	})
	if b.Failed() {
		b.FailNow()
	}
	return stores
}

// freePort is an address on loopback that nobody listens on.
func freePort(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// BenchmarkClusterAppend has every node append, one frame in flight each, as
// journals do. ns/op is of one round of all nodes' frames.
func BenchmarkClusterAppend(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, events := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("nodes=%d/events=%d", nodes, events), func(b *testing.B) {
				stores := benchNodes(b, nodes)
				template := benchFrame(events)
				took := make([][]time.Duration, nodes)
				b.ResetTimer()
				var wait sync.WaitGroup
				for n, s := range stores {
					wait.Go(func() {
						for i := range b.N {
							f := &messages.Frame{Node: fmt.Sprint("n", n), Incarnation: 1, Number: uint64(i + 1), Events: template.Events}
							start := time.Now()
							if _, err := s.Journal().Append(context.Background(), f); err != nil {
								b.Error(err)
								return
							}
							took[n] = append(took[n], time.Since(start))
						}
					})
				}
				wait.Wait()
				b.ReportMetric(float64(nodes*events*b.N)/b.Elapsed().Seconds(), "events/s")
				reportLatency(b, slices.Concat(took...))
			})
		}
	}
}

// BenchmarkClusterRead replays the log on the last node, frames of 64.
func BenchmarkClusterRead(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			stores := benchNodes(b, nodes)
			template, held := benchFrame(64), 1500
			for i := range held {
				f := &messages.Frame{Node: "bench", Incarnation: 1, Number: uint64(i + 1), Events: template.Events}
				if _, err := stores[0].Journal().Append(context.Background(), f); err != nil {
					b.Fatal(err)
				}
			}
			read := 0
			b.ResetTimer()
			for range b.N {
				c, err := stores[nodes-1].Journal().Read(context.Background(), 1)
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
			if want := held * 64 * b.N; read != want {
				b.Fatalf("read %d events, want %d", read, want)
			}
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkClusterCAS writes one record over and over by compare-and-set, and
// waits each time until the last node's watcher was told.
func BenchmarkClusterCAS(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, watched := range []bool{false, true} {
			b.Run(fmt.Sprintf("nodes=%d/watched=%t", nodes, watched), func(b *testing.B) {
				stores := benchNodes(b, nodes)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				changes, err := stores[nodes-1].Control().Watch(ctx, "bench.")
				if err != nil {
					b.Fatal(err)
				}
				<-changes // there is nothing yet
				if !watched {
					cancel()
				}
				var revision uint64
				var took []time.Duration
				b.ResetTimer()
				for range b.N {
					start := time.Now()
					if revision, err = stores[0].Control().CAS(context.Background(), "bench.key", make([]byte, 700), revision); err != nil {
						b.Fatal(err)
					}
					for watched {
						if c := <-changes; c.Revision == revision {
							break
						}
					}
					took = append(took, time.Since(start))
				}
				reportLatency(b, took)
			})
		}
	}
}

// BenchmarkClusterLeases is one node's look at the lease records of so many, each of
// which names all the others as reached: every node does this twice a second. It tells
// the processor time of a look, of all three members' together.
func BenchmarkClusterLeases(b *testing.B) {
	for _, nodes := range []int{3, 10, 50, 200} {
		b.Run(fmt.Sprintf("records=%d", nodes), func(b *testing.B) {
			stores := benchNodes(b, 3)
			ctx := context.Background()
			for i := range nodes { // 30 bytes, and a name of 7 of every node
				if _, err := stores[0].Control().CAS(ctx, fmt.Sprintf("leases.n%d", i), make([]byte, 30+9*nodes), 0); err != nil {
					b.Fatal(err)
				}
			}
			var took []time.Duration
			cpu := func() time.Duration {
				c, ok := processTime()
				if !ok {
					b.Skip("this system does not say what a process has used")
				}
				return c
			}
			before := cpu()
			b.ResetTimer()
			for range b.N {
				start := time.Now()
				all, err := stores[2].Control().List(ctx, "leases.")
				if err != nil || len(all) != nodes {
					b.Fatal(len(all), err)
				}
				took = append(took, time.Since(start))
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
			reportLatency(b, took)
		})
	}
}

//go:build unix

package grpc_test

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
)

// counting says when so many have come.
type counting struct {
	told
	news sync.Cond
}

func newCounting() *counting {
	c := &counting{}
	c.news.L = &c.mu
	return c
}

func (c *counting) Received(from link.Peer, envelopes []link.Envelope) {
	c.told.Received(from, envelopes)
	c.news.Broadcast()
}

func (c *counting) wait(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.got < n {
		c.news.Wait()
	}
}

func benchLink(b *testing.B, node string, h link.Handler) (*grpc.Link, string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	l, err := grpc.New(grpc.Config{
		Cluster: "bench", Self: link.Peer{Node: node, Incarnation: 1}, Version: 1, Oldest: 1, Listener: listener, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	l.Handle(h)
	b.Cleanup(func() { _ = l.Close() })
	return l, listener.Addr().String()
}

// BenchmarkSend sends as fast as the link takes it, both ends in this process.
func BenchmarkSend(b *testing.B) {
	for _, c := range []struct {
		name  string
		bytes int
	}{{"200B", 200}, {"64KB", 64 << 10}} {
		b.Run(c.name, func(b *testing.B) {
			to := newCounting()
			up := &told{}
			from, _ := benchLink(b, "a", up)
			target, address := benchLink(b, "b", to)
			from.Peers([]grpc.Address{{Node: "b", Address: address}})
			for up.count(link.Up) == 0 {
				<-time.After(time.Millisecond)
			}
			e := link.Envelope{Kind: "birdwire.v1.Deliveries", Target: "node/connections/c1234", Sender: "node/shard/12/key", Bytes: make([]byte, c.bytes)}
			b.SetBytes(int64(c.bytes))
			b.ReportAllocs()
			cpu, n := processor(), 0
			for b.Loop() {
				n++
				for from.Send(target.Self(), e) != link.Queued {
					<-time.After(100 * time.Microsecond) // full: half of it has to go first
				}
			}
			to.wait(n)
			b.ReportMetric(float64(processor()-cpu)/float64(n)/1000, "cpu-us/op")
		})
	}
}

// BenchmarkAlone sends one when the one before has been answered: each is a write of
// its own, there and back.
func BenchmarkAlone(b *testing.B) {
	back := newCounting()
	from, _ := benchLink(b, "a", back)
	e := &echo{}
	target, address := benchLink(b, "b", e)
	e.Link = target
	from.Peers([]grpc.Address{{Node: "b", Address: address}})
	for back.count(link.Up) == 0 {
		<-time.After(time.Millisecond)
	}
	envelope := link.Envelope{Kind: "birdwire.v1.Deliveries", Target: "node/connections/c1234", Sender: "node/shard/12/key", Bytes: make([]byte, 200)}
	b.ReportAllocs()
	cpu, n := processor(), 0
	for b.Loop() {
		n++
		from.Send(target.Self(), envelope)
		back.wait(n)
	}
	b.ReportMetric(float64(processor()-cpu)/float64(n)/1000, "cpu-us/op")
}

// BenchmarkRoundTrip asks at 20,000 a second, and reports how long answers take.
func BenchmarkRoundTrip(b *testing.B) {
	asks := &asking{sent: make([]time.Time, b.N), took: make([]time.Duration, 0, b.N), done: make(chan struct{}), want: b.N}
	from, _ := benchLink(b, "a", asks)
	e := &echo{}
	target, address := benchLink(b, "b", e)
	e.Link = target
	from.Peers([]grpc.Address{{Node: "b", Address: address}})
	for asks.count(link.Up) == 0 {
		<-time.After(time.Millisecond)
	}
	payload := make([]byte, 200)
	b.ResetTimer()
	cpu := processor()
	const each = 50 * time.Microsecond
	began := time.Now()
	for i := range b.N {
		if ahead := time.Duration(i)*each - time.Since(began); ahead > 0 {
			<-time.After(ahead)
		}
		asks.mu.Lock()
		asks.sent[i] = time.Now()
		asks.mu.Unlock()
		from.Send(target.Self(), link.Envelope{Kind: "k", Target: "t", Sender: "s", Bytes: payload})
	}
	<-asks.done
	b.ReportMetric(float64(processor()-cpu)/float64(b.N)/1000, "cpu-us/op")
	slices.Sort(asks.took)
	for name, at := range map[string]float64{"p50-us": .5, "p99-us": .99, "p99.9-us": .999} {
		b.ReportMetric(float64(asks.took[int(at*float64(b.N-1))])/1000, name)
	}
}

type asking struct {
	told
	sent []time.Time
	took []time.Duration
	want int
	done chan struct{}
	once sync.Once
}

func (a *asking) Received(_ link.Peer, envelopes []link.Envelope) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for range envelopes { // answers come in order
		a.took = append(a.took, time.Since(a.sent[len(a.took)]))
	}
	if len(a.took) >= a.want {
		a.once.Do(func() { close(a.done) })
	}
}

// processor is what this process has used of it, in nanoseconds.
func processor() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

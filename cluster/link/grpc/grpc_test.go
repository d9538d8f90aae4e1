package grpc_test

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
)

// heard keeps what a link tells.
type heard struct {
	mu    sync.Mutex
	news  sync.Cond
	lines []string
	got   []link.Envelope
}

func newHeard() *heard {
	h := &heard{}
	h.news.L = &h.mu
	return h
}

func (h *heard) Received(_ link.Peer, envelopes []link.Envelope) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.got = append(h.got, envelopes...)
	h.news.Broadcast()
}

func (h *heard) Happened(e link.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprint(e.Peer, " ", e.Kind))
	h.news.Broadcast()
}

// until waits for what must come: a test that hangs says so by its deadline.
func (h *heard) until(ok func() bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for !ok() {
		h.news.Wait()
	}
}

type node struct {
	*grpc.Link
	*heard
	address grpc.Address
}

func start(t *testing.T, name string, incarnation uint64) *node {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := grpc.New(grpc.Config{
		Cluster: "test", Self: link.Peer{Node: name, Incarnation: incarnation}, Version: 1, Oldest: 1, Listener: listener,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)).With("node", name),
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{l, newHeard(), grpc.Address{Node: name, Address: listener.Addr().String()}}
	l.Handle(n.heard)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestTwoLinks(t *testing.T) {
	a, b := start(t, "a", 1), start(t, "b", 7)
	a.Peers([]grpc.Address{b.address})
	b.Peers([]grpc.Address{a.address})
	a.until(func() bool { return len(a.lines) == 1 })
	b.until(func() bool { return len(b.lines) == 1 })
	began := time.Now()
	for i := range 100_000 {
		for a.Send(b.Self(), link.Envelope{Kind: "k", Target: "t", Bytes: []byte(fmt.Sprint(i))}) != link.Queued {
			a.until(func() bool { return true })
		}
	}
	b.until(func() bool { return len(b.got) == 100_000 })
	for i, e := range b.got {
		if string(e.Bytes) != fmt.Sprint(i) {
			t.Fatalf("%d: %s", i, e.Bytes)
		}
	}
	t.Log(time.Since(began), a.Status())
	b.Close()
	a.until(func() bool { return len(a.lines) == 3 })
	if got := fmt.Sprint(a.lines); got != "[b@7 up b@7 down b@7 ended]" {
		t.Error(got)
	}
}

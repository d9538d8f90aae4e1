package grpc

import (
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/cluster/link"
)

// sessions says whether there is one, as a handler is told.
type sessions struct {
	mu   sync.Mutex
	news sync.Cond
	ups  int
	now  int
}

func (s *sessions) Received(link.Peer, []link.Envelope) {}

func (s *sessions) Happened(e link.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case link.Up:
		s.ups++
		s.now++
	case link.Down:
		s.now--
	}
	s.news.Broadcast()
}

func (s *sessions) wait(now int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.now != now {
		s.news.Wait()
	}
}

// unlooped is a link with one peer that is dialed when the test says so.
func unlooped(t *testing.T, node, other string) (*Link, *peer, *sessions) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(Config{
		Cluster: "c", Self: link.Peer{Node: node, Incarnation: 1}, Version: 1, Oldest: 1, Listener: listener, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &sessions{}
	s.news.L = &s.mu
	l.Handle(s)
	p := newPeer(l, other)
	l.peers[other] = p
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, p, s
}

// Two that dial each other at the same moment come to one session, however what
// they say crosses, and neither is told of another on the way.
func TestBothDialAtOnce(t *testing.T) {
	a, ab, aHears := unlooped(t, "a", "b")
	b, ba, bHears := unlooped(t, "b", "a")
	ab.discovered(b.cfg.Address)
	ba.discovered(a.cfg.Address)
	const rounds = 150
	crossed := 0
	for round := range rounds {
		begin := make(chan struct{})
		returned := make(chan outcome, 2)
		for _, p := range []*peer{ab, ba} {
			go func() { // ends with its attempt, or the session of it
				<-begin
				returned <- p.dial()
			}()
		}
		close(begin)
		aHears.wait(1)
		bHears.wait(1)
		here, there := ab.session.Load(), ba.session.Load()
		if here == nil || there == nil || here.dialed == there.dialed {
			t.Fatalf("round %d: no one session: %v, %v", round, here, there)
		}
		if <-returned == busy { // the attempt that gave way
			crossed++
		}
		here.stop("the round is over")
		<-here.done
		<-there.done
		<-returned
	}
	if aHears.ups != rounds || bHears.ups != rounds {
		t.Errorf("%d and %d sessions in %d rounds", aHears.ups, bHears.ups, rounds)
	}
	t.Logf("they have crossed in %d of %d rounds", crossed, rounds)
}

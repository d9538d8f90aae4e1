package gossip

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport bounds what strangers can have of the gossip port: memberlist takes
// any number of connections, for seconds each, and believes a length of 20 MB
// before it knows who has written it.
type transport struct {
	memberlist.NodeAwareTransport
	ctx     context.Context // ends with the node's gossip: so do connections that it has made
	streams chan net.Conn
	open    atomic.Int32
	over    chan struct{}
	ended   sync.WaitGroup
}

const (
	maxStreams     = 64      // that others have opened, at once; past it they are closed
	maxStreamBytes = 1 << 20 // of one: the state of a thousand nodes
)

func newTransport(ctx context.Context, inner memberlist.NodeAwareTransport) *transport {
	t := &transport{NodeAwareTransport: inner, ctx: ctx, streams: make(chan net.Conn), over: make(chan struct{})}
	t.ended.Go(t.admit) // ends with Shutdown
	return t
}

func (t *transport) admit() {
	for {
		select {
		case conn := <-t.NodeAwareTransport.StreamCh():
			if t.open.Add(1) > maxStreams {
				t.open.Add(-1)
				conn.Close()
				continue
			}
			select {
			case t.streams <- &stream{Conn: conn, left: maxStreamBytes, closed: func() { t.open.Add(-1) }}:
			case <-t.over:
				conn.Close()
				return
			}
		case <-t.over:
			return
		}
	}
}

func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown ends the inner one first: its listener may wait for admit.
func (t *transport) Shutdown() error {
	err := t.NodeAwareTransport.Shutdown()
	select {
	case <-t.over:
	default:
		close(t.over)
	}
	t.ended.Wait()
	return err
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

// DialAddressTimeout makes a connection that ends with the node's gossip, so that
// Close does not wait for a node that does not answer.
func (t *transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.dial(to, timeout)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(t.ctx, func() { conn.Close() })
	return &stream{Conn: conn, left: maxStreamBytes, closed: func() { stop() }}, nil
}

func (t *transport) dial(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if _, sockets := t.NodeAwareTransport.(*memberlist.NetTransport); !sockets {
		return t.NodeAwareTransport.DialAddressTimeout(to, timeout)
	}
	dialer := net.Dialer{Timeout: timeout} // as the inner one's, which knows no context
	return dialer.DialContext(t.ctx, "tcp", to.Addr)
}

// stream is a connection that ends after so many bytes.
type stream struct {
	net.Conn
	left   int // used by one goroutine: the reader
	once   sync.Once
	closed func()
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.Conn.Read(p[:min(len(p), s.left)])
	s.left -= n
	return n, err
}

func (s *stream) Close() error {
	s.once.Do(s.closed)
	return s.Conn.Close()
}

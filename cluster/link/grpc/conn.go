package grpc

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// ending is how a connection came to its end.
type ending int32

const (
	open     ending = iota
	byPeer          // its kernel said so: FIN or RST
	byUs            // closed here
	bySilent        // the network, or nothing that came for too long
)

// conn is a TCP connection that remembers how it ended: gRPC tells of all ends
// alike, and only one that the peer's side ended may mean that its process has.
type conn struct {
	net.Conn
	how     atomic.Int32 // ending: the first that was seen
	waiting *atomic.Int32
	once    sync.Once
}

// admit has it not count any more among those that are nobody's yet.
func (c *conn) admit() {
	if c.waiting != nil {
		c.once.Do(func() { c.waiting.Add(-1) })
	}
}

func (c *conn) end(how ending) { c.how.CompareAndSwap(int32(open), int32(how)) }

func (c *conn) ending() ending { return ending(c.how.Load()) }

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.note(err)
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.note(err)
	return n, err
}

func (c *conn) note(err error) {
	switch {
	case err == nil:
	case hungUp(err, ""):
		c.end(byPeer)
	case errors.Is(err, net.ErrClosed):
		c.end(byUs)
	default:
		c.end(bySilent)
	}
}

func (c *conn) Close() error {
	c.end(byUs)
	c.admit()
	return c.Conn.Close()
}

// RemoteAddr leads from a stream to its connection: gRPC tells who the peer is by
// this address, and by nothing else of ours.
func (c *conn) RemoteAddr() net.Addr { return address{c.Conn.RemoteAddr(), c} }

type address struct {
	net.Addr
	conn *conn
}

// waitingMost is how many connections there may be that are no session yet: whoever
// reaches the port can make one, and each costs buffers until helloTime is over.
const waitingMost = 128

// listener makes connections of ours. One past the bound is closed at once; a node
// whose own is among them comes again.
type listener struct {
	net.Listener
	waiting atomic.Int32
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.waiting.Add(1) <= waitingMost {
			return &conn{Conn: c, waiting: &l.waiting}, nil
		}
		l.waiting.Add(-1)
		_ = c.Close() // nothing was said
	}
}

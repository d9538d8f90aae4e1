package ws

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lxzan/gws"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// A client may send framesBurst frames at once and framesPerSecond after
// that. Past it we read no further until it is due, and TCP holds the client
// back: the session's mailbox has no other bound towards a client.
const (
	framesPerSecond = 256
	framesBurst     = 512
)

// run reads until the connection ends, whatever ends it. It is the
// connection's one goroutine, and not the one that net/http served the
// request with, whose stack and buffers it would hold. Its stack stays at the
// 2 KiB it began with only while frames on it are few and small: hence the
// one defer, and apart.
//
// gws recovers nothing here. What it is known to panic on (a 64-bit length of
// 2^63 or more) the guard keeps from it.
func (c *Conn) run(socket *gws.Conn) {
	defer c.finish()
	socket.ReadLoop()
}

// apart does f on a stack of its own and waits for it. What parses or tells
// needs more stack than an idle connection should keep.
func (c *Conn) apart(f func()) {
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		defer func() { c.panicked(recover()) }()
		f()
	}()
	<-done
}

// panicked ends the connection whose reading panicked; nil: it did not.
func (c *Conn) panicked(reason any) {
	if reason == nil {
		return
	}
	c.route.figures.panics.Add(1)
	c.server.cfg.Log.Error("panic while reading from a client", "connection", c.id, "api", c.route.name,
		"key_id", c.keyID, "reason", reason, "stack", string(debug.Stack()))
	c.End(messages.EndReason_END_INTERNAL, "")
}

// events is what gws tells about every connection.
type events struct{}

func (events) OnOpen(*gws.Conn) {}

func (events) OnClose(socket *gws.Conn, err error) {
	c := connOf(socket)
	var peer *gws.CloseError
	why := "connection lost: " + plain(err)
	if errors.As(err, &peer) {
		c.peerClosed = true
		why = fmt.Sprintf("closed by the client with code %d", peer.Code)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == "" {
		c.ended = why
	}
}

func (events) OnPing(socket *gws.Conn, payload []byte) {
	c := connOf(socket)
	c.hear()
	c.control(pongFrame(payload))
}

func (events) OnPong(socket *gws.Conn, _ []byte) { connOf(socket).hear() }

func (events) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }() // always nil
	c := connOf(socket)
	c.hear()
	if c.session == nil {
		return // refused and on its way out
	}
	c.apart(func() { c.take(message.Bytes()) })
}

// take hands the session what the client said.
func (c *Conn) take(text []byte) {
	m, err := c.route.codec.Decode(text, c.pro)
	switch {
	case errors.Is(err, dialect.ErrTooDeep):
		frame := c.route.codec.Error(nil, err.Error())
		c.end(dialect.Ending{Frame: frame, Code: dialect.CloseTooLarge, Reason: err.Error()}, false)
	case m != nil:
		c.session.Tell(m)
	}
}

// hear notes that the client is there and holds it to its pace.
func (c *Conn) hear() {
	now := monotonic()
	c.lastHeard.Store(int64(now))
	if c.session != nil && now-c.toldAt >= instant(time.Second) {
		c.toldAt = now
		c.apart(func() { c.session.Tell(heard) })
	}
	c.pace(now)
}

// pace is a leaky bucket: paceAt is when it will be empty.
func (c *Conn) pace(now instant) {
	const step = instant(time.Second) / framesPerSecond
	c.paceAt = max(c.paceAt, now) + step
	if ahead := c.paceAt - now - framesBurst*step; ahead > 0 {
		time.Sleep(time.Duration(ahead))
	}
}

func connOf(socket *gws.Conn) *Conn { return (*Conn)(socket.NetConn().(*wire)) }

// noStorage is gws's store of per-connection values, which nothing uses: one
// for all connections instead of a map each.
type noStorage struct{}

func (noStorage) Len() int                     { return 0 }
func (noStorage) Load(string) (any, bool)      { return nil, false }
func (noStorage) Delete(string)                {}
func (noStorage) Store(string, any)            {}
func (noStorage) Range(func(string, any) bool) {}

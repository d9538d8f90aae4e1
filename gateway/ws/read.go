package ws

import (
	"bufio"
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

// start has the connection read what came early and then whatever comes, on a
// goroutine of its own, for the one that net/http served the request with would
// keep that one's stack and buffers.
func (c *Conn) start(early []byte) {
	if len(early) > 0 || !c.server.watcher.watch(c) {
		go c.run(early)
	}
}

// wake has a quiet connection read again, which may be for its end.
func (c *Conn) wake() {
	if c.quiet.CompareAndSwap(true, false) {
		go c.run(nil)
	}
}

// run reads until the client is quiet, when the watcher waits for it, or until
// the connection ends, whatever ends it. It is the connection's one goroutine.
func (c *Conn) run(early []byte) {
	w := newWire(c, early)
	for w.read() {
		if c.server.watcher.watch(c) {
			return // another goroutine may have it by now
		}
		w.stay, w.quiet = true, false
	}
	c.finish()
}

// read has gws read; false: there will be nothing more to read. gws has its
// state only in between: it is 700 bytes.
//
// gws recovers nothing here. What it is known to panic on (a 64-bit length of
// 2^63 or more) the guard keeps from it.
func (w *wire) read() (quiet bool) {
	defer func() {
		if reason := recover(); reason != nil {
			w.c.panicked(reason)
			quiet = false
		}
	}()
	request := handshake
	if w.c.deflate {
		request = handshakeDeflate
	}
	socket, err := w.c.route.upgrader.UpgradeFromConn(w, bufio.NewReaderSize(w, readBuffer), request)
	if err != nil {
		panic(fmt.Sprintf("gws does not take our handshake: %v", err))
	}
	socket.ReadLoop()
	return w.quiet
}

// apart does f. Where the goroutine stays while the client is quiet, f has a
// stack of its own: what parses or tells needs more than an idle connection
// should keep.
func (w *wire) apart(f func()) {
	if !w.stay {
		f()
		return
	}
	done := make(chan struct{})
	go func() { // ends with f
		defer close(done)
		defer func() { w.c.panicked(recover()) }()
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
	w := wireOf(socket)
	if w.quiet {
		return
	}
	c := w.c
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
	w := wireOf(socket)
	w.hear()
	w.c.control(pongFrame(payload))
}

func (events) OnPong(socket *gws.Conn, _ []byte) { wireOf(socket).hear() }

func (events) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer func() { _ = message.Close() }() // always nil
	w := wireOf(socket)
	w.hear()
	if w.c.session == nil {
		return // refused and on its way out
	}
	w.apart(func() { w.c.take(message.Bytes()) })
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
func (w *wire) hear() {
	c, now := w.c, monotonic()
	c.lastHeard.Store(int64(now))
	if c.session != nil && now-c.toldAt >= instant(time.Second) {
		c.toldAt = now
		w.apart(func() { c.session.Tell(heard) })
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

func wireOf(socket *gws.Conn) *wire { return socket.NetConn().(*wire) }

// noStorage is gws's store of per-connection values, which nothing uses: one
// for all connections instead of a map each.
type noStorage struct{}

func (noStorage) Len() int                     { return 0 }
func (noStorage) Load(string) (any, bool)      { return nil, false }
func (noStorage) Delete(string)                {}
func (noStorage) Store(string, any)            {}
func (noStorage) Range(func(string, any) bool) {}

package ws

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// drained and heard are shared: messages are never changed.
var (
	drained = &messages.SocketDrained{}
	heard   = &messages.Heard{}
)

// Conn is one client's socket. Its exported methods are for its session: any
// goroutine may call them at any time, none blocks, and after the end they do
// nothing.
//
// Invariant: only who set busy writes to the socket, so frames never mix.
//
// It is 352 bytes, a size that Go allocates without a rest; the next is 384.
type Conn struct {
	server  *Server
	route   *route
	net     net.Conn
	raw     syscall.RawConn // nil where a write may block: TLS
	id      string
	keyID   string
	address netip.Addr // the client's
	opened  instant

	delivered atomic.Int64  // event frames taken into the queue
	position  atomic.Uint64 // of the newest of them

	paceAt     instant      // see pace; only the reading goroutine
	toldAt     instant      // when the session last was told Heard; only the reading goroutine
	lastHeard  atomic.Int64 // an instant
	quiet      atomic.Bool  // nobody reads, until the watcher or abort wakes it
	place      int32        // the watcher's; 0: none yet
	flusher    uint16       // which of the server's
	readFailed bool         // only the reading goroutine
	peerClosed bool         // the client sent its close frame; only the reading goroutine
	pro        bool
	deflate    bool // negotiated
	parting    bool // open only to be told why it is refused

	next *Conn // in the flusher's list; its owner is whoever took the list

	prev, after *Conn // in the server's list; Server.mu protects them

	mu         sync.Mutex // protects what follows
	queue      queue
	session    gateway.Session // nil until started, and where the key was refused
	ended      string          // why, "" while open: the first reason stays
	flushed    chan struct{}   // closed once nothing is queued; nil until finish waits
	closeTimer *time.Timer     // ends a close that the client does not answer
	listed     bool            // is in the flusher's list
	busy       bool            // someone is writing
	closing    bool            // a close frame is queued: nothing may follow it
	closed     bool            // the socket is gone
	wantDrain  bool            // the session waits for SocketDrained
}

// ID is the connection's id, as the client and its slot know it.
func (c *Conn) ID() string { return c.id }

// Connected sends the API's first frame, where it has one.
func (c *Conn) Connected() {
	c.control(textFrame(func(b []byte) []byte { return c.route.codec.Connected(b, c.id, c.keyID) }))
}

// Subscribed answers a subscribe with the filters as they were understood;
// nil answers an unsubscribe.
func (c *Conn) Subscribed(s *messages.ClientSubscribed) {
	c.control(textFrame(func(b []byte) []byte { return c.route.codec.Subscribed(b, s) }))
}

// Pong answers an application's ping.
func (c *Conn) Pong() { c.control(textFrame(c.route.codec.Pong)) }

// Error sends an error frame; the connection stays open.
func (c *Conn) Error(text string) {
	c.control(textFrame(func(b []byte) []byte { return c.route.codec.Error(b, text) }))
}

// Cursor sends the frame that says: everything up to position was sent.
func (c *Conn) Cursor(position messages.Position) {
	at := dialect.After(c.server.cfg.Epoch(), position)
	c.control(textFrame(func(b []byte) []byte { return dialect.AppendCursorFrame(b, at) }))
}

// Ping sends a WebSocket ping, whose pong ends the Silence, and the API's own
// where it has one.
func (c *Conn) Ping() {
	c.control(pingFrame)
	c.control(textFrame(func(b []byte) []byte { return c.route.codec.Ping(b, time.Now()) }))
}

// Silence is how long ago the client last sent a frame of any kind; at first,
// how long ago it connected.
func (c *Conn) Silence() time.Duration {
	return time.Duration(monotonic() - instant(c.lastHeard.Load()))
}

// instant is a reading of a clock that nobody sets, in nanoseconds. With wall
// time a step of the machine's clock closed every connection, or stopped the
// reading of one for as long as the step was.
type instant int64

// monotonic is now: an hour and more after the zero instant.
func monotonic() instant { return instant(time.Hour + time.Since(begun)) }

var begun = time.Now()

// Deliver queues one frame for each delivery that the API shows: all of them
// or, where the queue's bound would be passed, none and false: the client is
// a slow consumer. An empty queue takes a batch of up to eight times the
// bound, since a batch says nothing about how fast the client reads.
func (c *Conn) Deliver(ds []*messages.Delivery, cursors, embeddings bool) bool {
	f := form{epoch: c.server.cfg.Epoch(), dialect: c.route.dialect, cursors: cursors, embeddings: embeddings}
	at := c.server.batches.of(f, c.deflate)
	known := at.Load()
	var few [16][]byte
	frames, count, size := few[:0], 0, 0
	if known.is(ds, f) && known.joined != nil {
		frames, count, size = append(frames, known.joined), known.frames, len(known.joined)
		c.server.cache.hits.Add(uint64(count))
	} else {
		for _, d := range ds {
			if frame := c.frameOf(d, f); frame != nil {
				frames = append(frames, frame)
				size += len(frame)
			}
		}
		count = len(frames)
		known.asked(at, ds, f, frames, size)
	}
	if !c.push(frames, size) {
		return false
	}
	if len(ds) > 0 {
		c.delivered.Add(int64(count))
		c.position.Store(ds[len(ds)-1].GetPosition())
	}
	return true
}

// Pending is how many bytes are queued, those in the kernel not counted.
func (c *Conn) Pending() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue.bytes
}

// NotifyDrained tells the session SocketDrained, once, as soon as no more
// than a quarter of the bound is queued, which may be at once.
func (c *Conn) NotifyDrained() {
	c.mu.Lock()
	c.wantDrain = true
	tell, session := c.settle()
	c.mu.Unlock()
	if tell {
		session.Tell(drained)
	}
}

// End tells the client why in its API's own way and closes. What is queued is
// sent first, except for a client that does not read.
func (c *Conn) End(reason messages.EndReason, detail string) {
	slow := reason == messages.EndReason_END_SLOW
	queued := 0
	if slow {
		queued = c.Pending()
	}
	first := c.end(c.route.codec.End(reason, detail), slow || reason == messages.EndReason_END_DEAD)
	if slow && first {
		c.slow(queued, "more waits than may")
	}
}

// part has the session end the connection for the drain; where there is none yet,
// it ends at once.
func (c *Conn) part() {
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	if session == nil {
		c.End(messages.EndReason_END_DRAIN, "")
		return
	}
	session.Tell(&messages.End{Reason: messages.EndReason_END_DRAIN})
}

// control queues a frame of ours. A client that does not even read those is
// slow.
func (c *Conn) control(frame []byte) {
	if frame == nil {
		return
	}
	if !c.push([][]byte{frame}, len(frame)) {
		c.End(messages.EndReason_END_SLOW, "")
	}
}

// push queues frames of size bytes in all, unless they would pass the bound.
func (c *Conn) push(frames [][]byte, size int) bool {
	bound := c.server.cfg.QueueBytes
	c.mu.Lock()
	if len(frames) == 0 || c.closing || c.closed {
		c.mu.Unlock()
		return true // SocketClosed is on its way; nobody is slow
	}
	if !c.fits(size, bound) && !c.busy && c.raw != nil {
		// The socket may be able to take more than the flushers have come to
		// write: that is our delay and not the client's.
		w := writers.Get().(*writer)
		c.writeReady(w)
		writers.Put(w)
		c.mu.Lock()
	}
	if !c.fits(size, bound) || c.closing || c.closed {
		slow := !c.closing && !c.closed
		c.mu.Unlock()
		return !slow
	}
	for _, f := range frames {
		c.queue.push(f)
	}
	c.schedule()
	return true
}

func (c *Conn) fits(size, bound int) bool {
	if c.queue.empty() {
		return size <= 8*bound
	}
	return c.queue.bytes+size <= bound
}

// schedule sees to it that what is queued gets written. Called with c.mu
// held, which it releases.
func (c *Conn) schedule() {
	list := !c.listed && !c.busy
	c.listed = c.listed || list
	c.mu.Unlock()
	if list {
		c.server.flushers[c.flusher].push(c)
	}
}

// settle looks at how much is queued after it changed: it wakes finish, and
// says whether the session must be told that the queue drained. c.mu is held.
func (c *Conn) settle() (tell bool, session gateway.Session) {
	if c.flushed != nil && (c.queue.empty() || c.closed) {
		close(c.flushed)
		c.flushed = nil
	}
	if c.wantDrain && c.session != nil && !c.closed && c.queue.bytes <= c.server.cfg.QueueBytes/4 {
		c.wantDrain = false
		return true, c.session
	}
	return false, nil
}

// attach makes the session known. It may have called NotifyDrained already.
func (c *Conn) attach(session gateway.Session) {
	c.mu.Lock()
	c.session = session
	tell, session := c.settle()
	c.mu.Unlock()
	if tell {
		session.Tell(drained)
	}
}

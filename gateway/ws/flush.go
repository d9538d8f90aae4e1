package ws

import (
	"sync"
	"sync/atomic"
)

const (
	chunkSize = 64 << 10 // written at once at most, where frames are small
	turnSize  = 4 * chunkSize
	// A stalled socket holds its buffer for as long as it stalls, and there may
	// be thousands: theirs is what one TLS record takes.
	blockingChunk = 16 << 10
)

// flusher writes what connections have queued. It is one goroutine, started
// by New and stopped by Close; each connection belongs to one of a few.
//
// Connections with something to write are in its list, each at most once,
// so the list is bounded by their number. The list is a stack that is taken
// whole: pushing is one compare-and-swap, and what arrives while a round is
// written joins the next one, which is how bursts come to share a write.
type flusher struct {
	list atomic.Pointer[Conn]
	wake chan struct{} // holds one: the list was empty and is not
	stop chan struct{}
	w    *writer
}

func newFlusher() *flusher {
	return &flusher{wake: make(chan struct{}, 1), stop: make(chan struct{}), w: newWriter()}
}

// push adds a connection whose listed flag its caller has just set.
func (f *flusher) push(c *Conn) {
	for {
		old := f.list.Load()
		c.next = old
		if f.list.CompareAndSwap(old, c) {
			if old == nil {
				select {
				case f.wake <- struct{}{}:
				default:
				}
			}
			return
		}
	}
}

func (f *flusher) run() {
	for {
		c := f.list.Swap(nil)
		if c == nil {
			select {
			case <-f.wake:
				continue
			case <-f.stop:
				return
			}
		}
		for c = reverse(c); c != nil; {
			next := c.next
			c.next = nil
			c.flush(f.w)
			c = next
		}
	}
}

// reverse turns the stack into the order of arrival.
func reverse(c *Conn) *Conn {
	var head *Conn
	for c != nil {
		c.next, head, c = head, c, c.next
	}
	return head
}

// writers and blockingBuffers are for connections that are written outside a
// flusher.
var (
	writers         = sync.Pool{New: func() any { return newWriter() }}
	blockingBuffers = sync.Pool{New: func() any { return new([blockingChunk]byte) }}
)

// flush takes its turn: it writes without blocking until nothing is queued,
// the socket is full, or a fair share is written.
func (c *Conn) flush(w *writer) {
	c.mu.Lock()
	c.listed = false
	if c.busy || c.queue.empty() {
		c.mu.Unlock()
		return
	}
	if c.raw == nil {
		c.busy = true
		c.mu.Unlock()
		go c.writeBlocking()
		return
	}
	c.writeReady(w)
}

// writeReady writes while the socket takes it. Called with c.mu held, which
// it releases.
func (c *Conn) writeReady(w *writer) {
	c.busy = true
	for written := 0; !c.queue.empty() && written < turnSize; {
		chunk := c.queue.next(w.buf)
		c.mu.Unlock()
		n, err := w.write(c.raw, chunk)
		c.mu.Lock()
		written += n
		c.wrote(n)
		if err != nil {
			c.busy = false
			c.failed("write", err)
			return
		}
		if n < len(chunk) {
			c.mu.Unlock()
			go c.writeBlocking() // the socket is full: a goroutine of its own waits for it
			return
		}
	}
	c.busy = false
	again := !c.queue.empty() && !c.listed
	c.listed = c.listed || again
	tell, session := c.settle()
	c.mu.Unlock()
	if again {
		c.server.flushers[c.flusher].push(c)
	}
	if tell {
		session.Tell(drained)
	}
}

// writeBlocking writes until nothing is queued. It is the connection's own
// goroutine, for a socket that is full or that cannot be written without
// blocking (TLS); it ends when the queue is empty, when the socket takes
// nothing for WriteTimeout, or when it is closed.
func (c *Conn) writeBlocking() {
	buf := blockingBuffers.Get().(*[blockingChunk]byte)
	defer blockingBuffers.Put(buf)
	c.mu.Lock()
	for !c.queue.empty() {
		chunk := c.queue.next(buf[:])
		c.mu.Unlock()
		n, err := c.writeWithin(chunk)
		c.mu.Lock()
		c.wrote(n)
		if err != nil {
			c.busy = false
			c.failed("write", err)
			return
		}
		if tell, session := c.settle(); tell {
			c.mu.Unlock()
			session.Tell(drained)
			c.mu.Lock()
		}
	}
	c.busy = false
	_, _ = c.settle() // wakes finish; the session was told above
	c.mu.Unlock()
}

// wrote accounts for n bytes. c.mu is held.
func (c *Conn) wrote(n int) {
	if c.closed {
		return // the queue was emptied in between
	}
	frames := c.queue.advance(n)
	c.route.figures.frames.Add(uint64(frames))
	c.route.figures.bytes.Add(uint64(n))
}

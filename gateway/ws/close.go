package ws

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/messages"
)

// lingerBytes is how much of what a client still sends is read and dropped
// after a close frame, so that the kernel does not answer it with a reset,
// which could overtake the frame.
const lingerBytes = 4 << 20

// lingerAnswered is how long that takes at most where the client has sent its
// close frame, and nothing should follow.
const lingerAnswered = time.Second

// end queues the ending's frames after what is queued, or, for a client that
// does not read, in its place, and gives the client CloseTimeout to answer.
// The first end counts.
func (c *Conn) end(e dialect.Ending, drop bool) (first bool) {
	c.mu.Lock()
	if c.closing || c.closed {
		c.mu.Unlock()
		return false
	}
	c.closing = true
	c.ended = e.Reason
	if drop {
		c.queue.drop()
	}
	if e.Frame != nil {
		c.queue.push(textFrame(func(b []byte) []byte { return append(b, e.Frame...) }))
	}
	c.queue.push(closeFrame(e.Code, e.Reason))
	c.closeTimer = time.AfterFunc(c.closeTimeout(), c.abort)
	c.schedule()
	return true
}

// closeTimeout is how long the client's part in closing may take.
func (c *Conn) closeTimeout() time.Duration {
	if c.parting {
		return c.server.cfg.PartingTime
	}
	return c.server.cfg.CloseTimeout
}

// slow counts a slow consumer and tells of it.
func (c *Conn) slow(queued int, why string) {
	c.route.figures.slow.Add(1)
	c.server.slow.Note("slow consumer closed", c.address, "api", c.route.name, "key_id", c.keyID, "connection", c.id,
		"why", why, "queued_bytes", queued, "delivered", c.delivered.Load(), "open_for", time.Duration(monotonic()-c.opened))
}

// abort closes the socket whatever is queued; the reading goroutine finds out
// and cleans up. A quiet connection has none, and the kernel tells nobody of a
// socket that is closed here.
func (c *Conn) abort() {
	_ = c.net.Close()
	c.wake()
}

// failed ends the connection after an error of its socket. Called with c.mu
// held, which it releases.
func (c *Conn) failed(operation string, err error) {
	stalled := c.ended == "" && errors.Is(err, os.ErrDeadlineExceeded)
	queued := c.queue.bytes
	switch {
	case stalled:
		c.ended = "slow consumer: " + c.stalled()
	case c.ended == "":
		c.ended = operation + ": " + plain(err)
	}
	c.closing, c.closed = true, true
	c.queue.reset()
	c.settle()
	c.mu.Unlock()
	if stalled {
		c.slow(queued, c.stalled())
	}
	c.abort()
}

func (c *Conn) stalled() string {
	return "its socket took nothing for " + c.server.cfg.WriteTimeout.String()
}

// plain is the error without the addresses that package net puts around it.
func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

// finish is the end of every connection, on its reading goroutine, once
// nothing more is read: it lets the queue run out, closes the socket, and tells
// the session.
func (c *Conn) finish() {
	deadline := time.Now().Add(c.closeTimeout())
	if c.parting {
		deadline = deadline.Add(-time.Duration(monotonic() - c.opened)) // of all there is to it: it has a place of few
	}
	c.mu.Lock()
	if !c.closing {
		c.closing, c.closed = true, true
		c.queue.reset() // nobody is there to read it
	}
	var flushed chan struct{}
	if !c.closed && !c.queue.empty() {
		flushed = make(chan struct{})
		c.flushed = flushed
	}
	timer := c.closeTimer
	c.mu.Unlock()
	if flushed != nil {
		give := time.NewTimer(time.Until(deadline))
		select {
		case <-flushed:
		case <-give.C:
		}
		give.Stop()
	}
	if timer != nil {
		timer.Stop()
	}
	c.mu.Lock()
	c.closed = true
	c.queue.reset()
	c.settle()
	session, why := c.session, c.ended
	c.mu.Unlock()
	if !c.readFailed {
		if soon := time.Now().Add(lingerAnswered); c.peerClosed && soon.Before(deadline) {
			deadline = soon
		}
		defer func() { // the slot need not wait for this
			c.linger(deadline)
			c.abort()
			c.server.forget(c)
		}()
	} else {
		c.abort()
		c.server.forget(c)
	}
	if session != nil {
		c.server.cfg.Log.Debug("connection closed", "connection", c.id, "api", c.route.name, "key_id", c.keyID, "why", why)
		session.Tell(&messages.SocketClosed{Detail: why})
	}
}

// linger says that nothing more is sent and reads until the client says so
// too, or takes too long about it.
func (c *Conn) linger(deadline time.Time) {
	if c.net.SetDeadline(deadline) != nil {
		return
	}
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return
	}
	var sink [512]byte
	for left := lingerBytes; left > 0; {
		n, err := c.net.Read(sink[:])
		if err != nil {
			return
		}
		left -= n
	}
}

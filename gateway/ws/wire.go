package ws

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
)

// wire is the connection as gws sees it, a net.Conn. Reads go to the socket,
// past the guard; the close frames that gws writes go through the connection's
// own queue, so that they never mix with frames in flight and never block.
// Deadlines are ours: gws's are ignored.
type wire Conn

var _ net.Conn = (*wire)(nil)

func (w *wire) Read(p []byte) (int, error) {
	if w.guard.failed {
		return 0, errBroken
	}
	if w.early != nil {
		n := copy(p, *w.early)
		if *w.early = (*w.early)[n:]; len(*w.early) == 0 {
			w.early = nil
		}
		return w.check(p[:n]), nil
	}
	var n int
	var err error
	if in := &w.in; w.raw == nil {
		n, err = w.net.Read(p)
	} else {
		in.into = p
		if err = w.raw.Read(in.attempt); err == nil {
			n, err = in.n, in.err
		}
		in.into = nil
	}
	w.readFailed = w.readFailed || err != nil
	return w.check(p[:n]), err
}

// errBroken ends the reading; mistake has the words for the client.
var errBroken = errors.New("frame breaks the WebSocket protocol")

// check returns how much of what came may be read, and holds fragments to the
// pace of messages: gws tells of them only once the last has come. It is not
// inlined: Read's own frame decides what an idle connection's stack takes.
//
//go:noinline
func (w *wire) check(b []byte) int {
	n, fragments := w.guard.pass(b)
	for ; fragments > 0; fragments-- {
		(*Conn)(w).pace(monotonic())
	}
	return n
}

// incoming reads a socket through syscall.RawConn, whose frames are smaller
// than those of net.Conn by 144 bytes: that, and Read doing it without a call
// more, decides whether an idle connection's stack has 2 KiB or 4.
type incoming struct {
	attempt func(fd uintptr) bool
	into    []byte
	n       int
	err     error
}

// try is attempt; false: nothing has come yet, wait and try again.
func (in *incoming) try(fd uintptr) bool {
	in.n, in.err = tryRead(fd, in.into)
	return in.n > 0 || in.err != nil
}

// Write takes a close frame. The only other thing that gws writes is an answer
// to its handshake, and the client has had ours.
func (w *wire) Write(p []byte) (int, error) {
	if len(p) >= 2 && p[0] == finBit|opClose {
		(*Conn)(w).closeAsked(p[2:])
	}
	return len(p), nil
}

// Close does nothing: finish closes the socket once the queue has run out.
func (w *wire) Close() error { return nil }

func (w *wire) LocalAddr() net.Addr              { return w.net.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr             { return w.net.RemoteAddr() }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// closeAsked queues the close frame that gws wants to send: the answer to the
// client's, or the word on what it did wrong. gws's own reasons name the
// library, and after a failed read our addresses, so they are replaced.
// Nothing that is still queued is worth sending any more.
func (c *Conn) closeAsked(body []byte) {
	code, reason := uint16(0), ""
	if len(body) >= 2 {
		code, reason = binary.BigEndian.Uint16(body), string(body[2:])
	}
	if reason != "" {
		code, reason = c.mistake(code, reason)
	}
	c.mu.Lock()
	if c.closing || c.closed || c.readFailed {
		c.mu.Unlock()
		return
	}
	c.closing = true
	c.ended = reason
	c.queue.drop()
	if code == 0 {
		c.queue.push([]byte{finBit | opClose, 0})
	} else {
		c.queue.push(closeFrame(code, reason))
	}
	c.schedule()
}

// mistake words what the client did wrong. gws calls a message that inflates
// past the limit an internal error.
func (c *Conn) mistake(code uint16, reason string) (uint16, string) {
	switch {
	case c.guard.failed:
		return closeProtocol, errBroken.Error()
	case code == dialect.CloseTooLarge, strings.Contains(reason, "too large"):
		return dialect.CloseTooLarge, c.route.tooLarge
	case code == closeBadText:
		return code, "text is not UTF-8"
	case code == dialect.CloseInternal: // the only other thing that fails in gws is inflating
		return closeBadText, "compressed message cannot be read"
	}
	return closeProtocol, errBroken.Error()
}

const (
	closeProtocol = 1002
	closeBadText  = 1007
)

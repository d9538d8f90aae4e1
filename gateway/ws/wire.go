package ws

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
)

// wire is the connection as gws sees it, a net.Conn, for as long as its client
// is not quiet. Reads go to the socket, past the guard; the close frames that gws
// writes go through the connection's own queue, so that they never mix with
// frames in flight and never block. Deadlines are ours: gws's are ignored.
type wire struct {
	c     *Conn
	guard guard
	early []byte // read with the request
	stay  bool   // there is no watcher to wait for the client: Read does
	quiet bool   // nothing more has come, and the last message is whole

	attempt func(fd uintptr) bool // try, made once
	into    []byte                // try's, as are n and err
	n       int
	err     error
}

var _ net.Conn = (*wire)(nil)

func newWire(c *Conn, early []byte) *wire {
	w := &wire{c: c, guard: guard{deflate: c.deflate}, early: early, stay: c.server.watcher == nil || c.raw == nil}
	w.attempt = w.try
	return w
}

// Read waits for the rest of a message. Between two it ends the reading with
// errQuiet instead, where the watcher can wait.
func (w *wire) Read(p []byte) (int, error) {
	if w.guard.failed {
		return 0, errBroken
	}
	if len(w.early) > 0 {
		n := copy(p, w.early)
		w.early = w.early[n:]
		return w.check(p[:n]), nil
	}
	var n int
	var err error
	if w.c.raw == nil {
		n, err = w.c.net.Read(p)
	} else {
		w.into = p
		if err = w.c.raw.Read(w.attempt); err == nil {
			n, err = w.n, w.err
		}
		w.into = nil
	}
	if w.quiet {
		return 0, errQuiet
	}
	w.c.readFailed = w.c.readFailed || err != nil
	return w.check(p[:n]), err
}

var (
	// errBroken ends the reading; mistake has the words for the client.
	errBroken = errors.New("frame breaks the WebSocket protocol")
	errQuiet  = errors.New("quiet")
)

// check returns how much of what came may be read, and holds fragments to the
// pace of messages: gws tells of them only once the last has come.
func (w *wire) check(b []byte) int {
	n, fragments := w.guard.pass(b)
	for ; fragments > 0; fragments-- {
		w.c.pace(monotonic())
	}
	return n
}

// try is attempt; false: nothing has come yet, wait and try again.
func (w *wire) try(fd uintptr) bool {
	w.n, w.err = tryRead(fd, w.into)
	if w.n > 0 || w.err != nil {
		return true
	}
	w.quiet = !w.stay && w.guard.between()
	return w.quiet
}

// Write takes a close frame. The only other things that gws writes are an answer
// to its handshake, and the client has had ours, and a farewell to one that is
// quiet.
func (w *wire) Write(p []byte) (int, error) {
	if len(p) >= 2 && p[0] == finBit|opClose && !w.quiet {
		w.closeAsked(p[2:])
	}
	return len(p), nil
}

// Close does nothing: finish closes the socket once the queue has run out.
func (w *wire) Close() error { return nil }

func (w *wire) LocalAddr() net.Addr              { return w.c.net.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr             { return w.c.net.RemoteAddr() }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// closeAsked queues the close frame that gws wants to send: the answer to the
// client's, or the word on what it did wrong. gws's own reasons name the
// library, and after a failed read our addresses, so they are replaced.
// Nothing that is still queued is worth sending any more.
func (w *wire) closeAsked(body []byte) {
	c := w.c
	code, reason := uint16(0), ""
	if len(body) >= 2 {
		code, reason = binary.BigEndian.Uint16(body), string(body[2:])
	}
	if reason != "" {
		code, reason = w.mistake(code, reason)
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
func (w *wire) mistake(code uint16, reason string) (uint16, string) {
	switch {
	case w.guard.failed:
		return closeProtocol, errBroken.Error()
	case code == dialect.CloseTooLarge, strings.Contains(reason, "too large"):
		return dialect.CloseTooLarge, w.c.route.tooLarge
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

package ws

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// writer is what one goroutine needs to write to any socket without
// allocating: a buffer, and a function for syscall.RawConn that is made once.
type writer struct {
	buf     []byte
	chunk   []byte
	n       int
	err     error
	control func(fd uintptr)
}

func newWriter() *writer {
	w := &writer{buf: make([]byte, chunkSize)}
	w.control = func(fd uintptr) { w.n, w.err = tryWrite(fd, w.chunk) }
	return w
}

// write writes what the socket takes at once; less than all is no error. It
// needs Control alone: RawConn.Write looks at the deadline as well, which is
// another goroutine's to keep, and a twentieth of the cost of the call.
func (w *writer) write(raw syscall.RawConn, chunk []byte) (int, error) {
	w.chunk, w.n, w.err = chunk, 0, nil
	err := raw.Control(w.control)
	w.chunk = nil
	if err != nil {
		return 0, err
	}
	return w.n, w.err
}

// writeWithin writes the chunk, waiting for the socket as long as it takes
// anything within WriteTimeout.
func (c *Conn) writeWithin(chunk []byte) (int, error) {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.server.cfg.WriteTimeout)); err != nil {
		return 0, err
	}
	n, err := c.net.Write(chunk)
	if c.raw == nil {
		return n, err // after a timeout a TLS stream cannot go on
	}
	if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	if err != nil {
		return n, err
	}
	return n, c.net.SetWriteDeadline(time.Time{}) // a passed deadline would fail the next write at once
}

package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Most clients write their whole request before they read. An answer that comes
// earlier (a key that is wrong, a body that is too large) and a connection that
// is closed after it reach them as a connection reset, since the system throws
// away what was sent where bytes have come that nobody read. So after such an
// answer the connection is closed for writing alone, and what still comes is
// read and thrown away, within bounds of bytes and time.
const (
	lingerBytes = 64 << 20         // of one connection
	lingerTime  = 30 * time.Second // of one connection, in all
	lingerIdle  = 2 * time.Second  // without a byte
	lingerMost  = 256              // connections at once; one more is closed as it is
)

// smallBody is what net/http itself reads after an early answer, so that the
// connection can be used again.
const smallBody = 256 << 10

// lingering are a server's connections that were answered and still send.
type lingering struct {
	mu      sync.Mutex // protects what follows
	stopped bool
	open    map[net.Conn]struct{}
}

// arriving is a request's body, whether it was read to its end, and whether reading
// it has failed: as past a deadline, where net/http cannot read on by itself either.
type arriving struct {
	io.ReadCloser
	over, failed atomic.Bool
}

func (a *arriving) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if errors.Is(err, io.EOF) {
		a.over.Store(true)
	} else if err != nil {
		a.failed.Store(true)
	}
	return n, err
}

// bodyOf watches the request's body; nil where it has none.
func bodyOf(r *http.Request) *arriving {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	a := &arriving{ReadCloser: r.Body}
	r.Body = a
	return a
}

// early: an answer would come before the end of a body that is more than
// net/http reads by itself, or that it cannot read, or on a connection that is closed
// with it. One whose length is not said beforehand, as all of ours but streams have it, is left to
// net/http, which has to write its end.
func (r *recorder) early() bool {
	if r.body == nil || r.body.over.Load() || r.hijacked || r.Header().Get("Content-Length") == "" {
		return false
	}
	return r.length < 0 || r.length > smallBody || r.body.failed.Load() || r.Header().Get("Connection") == "close"
}

// after reads on where the answer was early. It returns when the client has
// ended or a bound is reached.
func (l *lingering) after(r *recorder) {
	if !r.early() || r.FlushError() != nil {
		return
	}
	conn, _, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err != nil {
		return // net/http closes it
	}
	defer conn.Close() //nolint:errcheck // nothing is lost with it
	if !l.begin(conn) {
		return
	}
	defer l.end(conn)
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return
	}
	over := time.Now().Add(lingerTime)
	b := make([]byte, 32<<10)
	for left := lingerBytes; left > 0; {
		now := time.Now()
		if !now.Before(over) || conn.SetReadDeadline(now.Add(lingerIdle)) != nil {
			return
		}
		n, err := conn.Read(b)
		if err != nil {
			return
		}
		left -= n
	}
}

func (l *lingering) begin(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped || len(l.open) >= lingerMost {
		return false
	}
	l.open[c] = struct{}{}
	return true
}

func (l *lingering) end(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
}

// stop ends all of them: their answers are sent.
func (l *lingering) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for c := range l.open {
		_ = c.Close()
	}
}

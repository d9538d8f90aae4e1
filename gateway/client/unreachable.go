package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Unreachable is that no answer came: which server was asked, and why, for a
// person. errors.Is and errors.As find what the network said.
type Unreachable struct {
	Server string // "http://127.0.0.1:8000"
	Why    string // "nothing listens there"
	// Lasting: it is so until somebody changes the address, the server or the
	// certificate.
	Lasting bool
	err     error
}

func (u *Unreachable) Error() string { return u.Server + ": " + u.Why }
func (u *Unreachable) Unwrap() error { return u.err }

// unreachable makes one of a transport's error; nil stays nil, and what the
// caller itself has ended stays what it is. waited is the bound of the call.
func (c *caller) unreachable(err error, waited time.Duration) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return hideKey(err, c.secret)
	}
	u := &Unreachable{Server: c.base.Scheme + "://" + c.base.Host, err: hideKey(err, c.secret)}
	u.Why, u.Lasting = whyNot(err, c.base.Hostname(), waited)
	return u
}

func whyNot(err error, host string, waited time.Duration) (why string, lasting bool) {
	var dns *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var noTLS tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there", false
	case errors.As(err, &dns):
		return "no address is known of " + host, false
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it speaks plain HTTP: write http:// instead of https://", true
	case errors.As(err, &untrusted):
		return "its certificate is not trusted: " + untrusted.Err.Error(), true
	case errors.As(err, &noTLS):
		return "what answers there speaks no TLS", true
	case strings.Contains(err.Error(), "readLoopPeekFail"): // it spoke before it was asked
		return "what answers there speaks no HTTP", true
	case strings.Contains(err.Error(), "malformed HTTP"):
		if strings.Contains(err.Error(), `"\x15\x03`) { // how an alert of TLS begins
			return "it speaks TLS: write https:// instead of http://", true
		}
		return "what answers there speaks no HTTP", true
	case errors.As(err, &op) && op.Op == "dial" && timedOut(err):
		return "no connection came about in time", false
	case timedOut(err):
		return fmt.Sprintf("it took the connection and has said nothing for %v", waited), false
	case strings.Contains(err.Error(), "server closed idle connection"), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it closed the connection without an answer", false
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error(), false
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

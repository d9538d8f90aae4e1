package gateway

import (
	"bufio"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// pathShown is how much of a path the log shows, in bytes.
const pathShown = 256

// accessLog writes one line a request and ends a panic with the request it
// came from. The path is logged, the query never: keys travel in it.
func accessLog(cfg Config, slow *lingering, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r = identified(r)
		w.Header().Set(requestIDHeader, RequestID(r.Context()))
		rec := &recorder{ResponseWriter: w, body: bodyOf(r), length: r.ContentLength}
		defer func() {
			reason := recover()
			cut := reason != nil && (reason == http.ErrAbortHandler || rec.status != 0)
			if reason != nil && reason != http.ErrAbortHandler {
				cfg.Panicked()
				RequestLog(r, cfg.Log).Error("panic in request", "method", method(r), "path", LoggedPath(r), "reason", reason, "stack", string(debug.Stack()))
				if rec.status == 0 {
					WriteError(rec, http.StatusInternalServerError, "internal", "the request failed inside the server; the log says why")
				}
			}
			if rec.status == 0 {
				rec.status = http.StatusOK
			}
			took := time.Since(began)
			cfg.Observe(r.Pattern, method(r), rec.status, took)
			RequestLog(r, cfg.Log).Log(r.Context(), cfg.AccessLevel, "request",
				"method", method(r), "path", LoggedPath(r), "status", rec.status,
				"bytes", rec.bytes, "took", took, "client", cfg.Proxies.ClientAddr(r))
			if cut {
				panic(http.ErrAbortHandler) // net/http closes the connection: half an answer must not look whole
			}
			slow.after(rec)
		}()
		next.ServeHTTP(rec, r)
	})
}

// method is the request's as a word of a closed list: a client that names its
// own must not name a metric, nor anything in the log.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "OTHER"
}

// LoggedPath is the request's path as it may be logged: short, and with
// nothing of a key that somebody pasted into it.
func LoggedPath(r *http.Request) string {
	p := redactKeys(r.URL.Path)
	if len(p) > pathShown {
		p = p[:pathShown] + "…"
	}
	return p
}

// recorder remembers what was answered. It is a Hijacker itself, since
// WebSocket libraries ask for one by type assertion.
type recorder struct {
	http.ResponseWriter
	status   int
	bytes    int64
	body     *arriving // nil: the request has none
	length   int64     // of the body; -1 where that is not known
	hijacked bool
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
		if r.early() {
			r.Header().Set("Connection", "close")
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) Flush() { _ = r.FlushError() }

// FlushError is what http.ResponseController asks for.
func (r *recorder) FlushError() error { return http.NewResponseController(r.ResponseWriter).Flush() }

func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	r.hijacked = r.hijacked || err == nil
	if err == nil && r.status == 0 {
		r.status = http.StatusSwitchingProtocols
	}
	return c, rw, err
}

// Unwrap lets http.ResponseController reach deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

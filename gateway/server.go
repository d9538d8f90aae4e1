package gateway

import (
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is one listener's server.
type Config struct {
	ReadHeaderTimeout time.Duration // default 10 s
	IdleTimeout       time.Duration // between requests; default 2 min
	RequestTimeout    time.Duration // for a request to arrive and its answer to be taken, at most; default 5 min
	MaxHeaderBytes    int           // request line included; default 64 KiB, so that filters fit in a query
	Certificate       *Certificate  // nil: no TLS
	Proxies           Proxies
	Log               *slog.Logger // required
	AccessLevel       slog.Level   // of one line a request; default info
	// Panicked is told of every request that a panic ended; may be nil.
	Panicked func()
	// Observe is told of every finished request; route is the pattern that
	// matched, "" where none did, and method one of HTTP's own or OTHER, so that
	// no client names a metric. May be nil.
	Observe func(route, method string, status int, took time.Duration)
}

func (c Config) withDefaults() Config {
	if c.ReadHeaderTimeout <= 0 {
		c.ReadHeaderTimeout = 10 * time.Second
	}
	if c.IdleTimeout <= 0 {
		c.IdleTimeout = 2 * time.Minute
	}
	if c.RequestTimeout <= 0 {
		c.RequestTimeout = 5 * time.Minute
	}
	if c.MaxHeaderBytes <= 0 {
		c.MaxHeaderBytes = 64 << 10
	}
	if c.Panicked == nil {
		c.Panicked = func() {}
	}
	if c.Observe == nil {
		c.Observe = func(string, string, int, time.Duration) {}
	}
	return c
}

func (c Config) validate() error {
	if c.Log == nil {
		return errors.New("new server: Log is missing")
	}
	return nil
}

// NewServer is an HTTP/1.1 server for handler with limits on what a client may
// send before it is known, an access log, and a recover around each request. An
// answer that comes before the end of a body reaches clients that write first.
// Who reads a body sets a shorter time limit than the last resort here; a
// hijacked connection has none. With a certificate TLSConfig is set: serve it
// by ServeTLS(listener, "", "").
func NewServer(cfg Config, handler http.Handler) (*http.Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	slow := &lingering{open: map[net.Conn]struct{}{}}
	s := &http.Server{
		Handler:           accessLog(cfg, slow, handler),
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		ReadTimeout:       cfg.RequestTimeout,
		WriteTimeout:      cfg.RequestTimeout,
		MaxHeaderBytes:    cfg.MaxHeaderBytes,
		Protocols:         protocols,
		ErrorLog:          log.New(newComplaints(cfg.Log), "", 0),
	}
	s.RegisterOnShutdown(slow.stop)
	if cfg.Certificate != nil {
		s.TLSConfig = cfg.Certificate.config()
	}
	return s, nil
}

// Package feed reads RSS 0.9x, 1.0 and 2.0, Atom and JSON Feed over HTTP and
// hands out what they list as drafts of articles and withdrawals.
//
// It asks politely: conditionally, one host at a time at a pace, no sooner than
// Retry-After, Cache-Control, ttl, skipHours and skipDays allow. It trusts
// nothing: bodies are capped, deadlines kept, private networks refused, text is
// stripped of markup, and a document that breaks the parser is an error of that
// one feed.
//
// It fetches articles' pages too, at the same pace, and only those that a host's
// robots.txt allows.
//
// That an item fell off a feed says nothing: feeds are windows. Withdrawn is
// what carries a tombstone (RFC 6721) or a media:status of deleted.
//
// The package never decides what is new; it keeps nothing but the mark that it
// is given and gives back.
package feed

import (
	"net/http"
	"time"
)

// ReaderConfig is what a Reader takes from its node.
type ReaderConfig struct {
	UserAgent    string           // default "Birdwire (+https://github.com/birdwire/birdwire)"
	AllowPrivate bool             // feeds may live on loopback and private networks
	MaxBody      int64            // bytes after decompression, default 15 MiB
	MaxLarge     int64            // bytes of all documents that are larger than 512 KiB, at a time; default 32 MiB
	HostGap      time.Duration    // between two requests to one host, default 1 s; negative: none
	HostParallel int              // requests to one host at a time, default 2
	Now          func() time.Time // required
}

func (c ReaderConfig) withDefaults() ReaderConfig {
	if c.UserAgent == "" {
		c.UserAgent = "Birdwire (+https://github.com/birdwire/birdwire)"
	}
	if c.MaxBody == 0 {
		c.MaxBody = 15 << 20
	}
	if c.MaxLarge == 0 {
		c.MaxLarge = 32 << 20
	}
	if c.HostGap == 0 {
		c.HostGap = time.Second
	}
	if c.HostParallel == 0 {
		c.HostParallel = 2
	}
	return c
}

// Reader is what all feeds of a node share: the HTTP client, with its
// connections, and the pace at which each host is asked.
type Reader struct {
	cfg       ReaderConfig
	transport *http.Transport
	hosts     *HostLimiter
	memory    budget
	asked     robotsKept
}

// NewReader returns a Reader; Close it when no feed of it is polled any more.
func NewReader(cfg ReaderConfig) *Reader {
	cfg = cfg.withDefaults()
	transport := &http.Transport{
		DialContext:           dialer(cfg.AllowPrivate),
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   2,
		MaxConnsPerHost:       8,
		// A redirect or a header is no place for megabytes.
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
		// No proxy from the environment: the check of private networks would
		// then be the proxy's, and we could not say that it was made.
	}
	r := &Reader{cfg: cfg, transport: transport, hosts: NewHostLimiter(cfg.HostGap, cfg.HostParallel, cfg.Now), asked: newRobotsKept()}
	r.memory.left.Store(cfg.MaxLarge)
	return r
}

// Close lets go of idle connections.
func (r *Reader) Close() { r.transport.CloseIdleConnections() }

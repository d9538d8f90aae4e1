package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options of a stream.
type Options struct {
	// Resume "new" asks for cursors, so that a reconnection loses and repeats
	// nothing; a Message's Cursor goes on after that message, also from another
	// process. "" asks for none: what comes while the connection is broken is
	// lost.
	Resume string
	// Once ends the stream when its connection breaks.
	Once bool
	// Reconnecting is told why and for how long the stream waits; it must not
	// block. May be nil.
	Reconnecting func(why error, wait time.Duration)
}

const (
	// buffered frames are read ahead of Next; past it reading stops, and a
	// server closes those who read too slowly.
	buffered = 64
	// longSilence is how long a connection may show no sign of life: servers
	// ping every 30 s.
	longSilence = 75 * time.Second
	// writeTime is for a small message to go out.
	writeTime = 10 * time.Second
	// maxFrame has room for embeddings and text at their longest.
	maxFrame = 4 << 20
)

// api is what differs between the three.
type api struct {
	name   string
	path   string
	query  url.Values  // with the key, where the API wants it there
	header http.Header // with the key, where the API takes it there
	greets bool        // its first frame comes without being asked for
}

// Stream is one subscription over as many connections as it takes. Next may be
// called by one goroutine at a time, the rest by any.
//
//	open ─▶ reading ─broken▶ waiting ─▶ open …
//	            └─fatal, Close, ctx ▶ ended
//
// Its one goroutine, run, ends with ctx, with Close, or with an error that no
// retry cures.
type Stream struct {
	client *Client
	api    api
	opts   Options
	wait   *backoff

	messages chan Message // closed when the stream ended
	cancel   context.CancelCauseFunc
	done     chan struct{} // closed after messages

	mu           sync.Mutex // protects what follows
	conn         *link
	subscription []byte // sent on every new connection
	err          error  // why the stream ended

	// run's own
	cursor string // of the last frame read
	fault  *Fault // the last error frame of this connection: it says why it closes
}

// Twitter connects; what it brings is decided by the key's monitors and
// rules. ctx bounds the stream's whole life.
func (c *Client) Twitter(ctx context.Context, o Options) (*Stream, error) {
	return c.open(ctx, api{name: "twitter", path: "/v1/twitter/stream", header: http.Header{"X-Api-Key": {c.caller.secret}}, greets: true}, o)
}

// open makes the first connection. A failure of it is not tried again: who
// starts a program wants to hear of a wrong address or key.
func (c *Client) open(ctx context.Context, a api, o Options) (*Stream, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Stream{
		client: c, api: a, opts: o, cursor: o.Resume, wait: newBackoff(c.first),
		messages: make(chan Message, buffered), cancel: cancel, done: make(chan struct{}),
	}
	conn, err := s.dial(ctx)
	if err != nil {
		cancel(nil)
		return nil, fmt.Errorf("connect to %s: %w", a.name, err)
	}
	go s.run(ctx, conn)
	return s, nil
}

// Next waits for the next frame. After the stream's end it returns what ended
// it: ErrClosed after Close, ctx's error, or an *Error. ctx bounds this wait
// only.
func (s *Stream) Next(ctx context.Context) (Message, error) {
	select {
	case m, ok := <-s.messages:
		if ok {
			return m, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return Message{}, s.err
	case <-ctx.Done():
		return Message{}, context.Cause(ctx)
	}
}

// All are the frames until the stream ends; an end other than Close comes last
// as an error. Leaving the loop early does not close the stream.
func (s *Stream) All() iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := s.Next(context.Background())
			if errors.Is(err, ErrClosed) {
				return
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// Close says goodbye to the server and ends the stream, as the end of ctx
// does. It may be called more than once.
func (s *Stream) Close() error {
	s.cancel(ErrClosed)
	<-s.done
	return nil
}

// subscribe sends a message now, and again on every later connection. While
// there is none it is not lost.
func (s *Stream) subscribe(ctx context.Context, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.subscription = text
	if s.conn == nil {
		return nil
	}
	// A write that fails ends the connection, and the next one is told.
	if err := s.conn.write(ctx, text); err != nil && (s.opts.Once || ctx.Err() != nil) {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// send writes to the connection there is.
func (s *Stream) send(ctx context.Context, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if s.conn == nil {
		return fmt.Errorf("send: %w: not connected now", ErrUnavailable)
	}
	return s.conn.write(ctx, text)
}

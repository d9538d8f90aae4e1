package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
)

// run reads, and connects again, until the stream ends.
func (s *Stream) run(ctx context.Context, conn *link) {
	defer close(s.done)
	defer close(s.messages)
	defer s.cancel(nil)
	for {
		err := s.read(ctx, conn)
		s.attach(nil)
		if ctx.Err() != nil {
			conn.goodbye() // where it is being said already, this waits for it
		}
		conn.close()
		if ctx.Err() != nil {
			s.end(context.Cause(ctx))
			return
		}
		if s.opts.Once || fatal(err) {
			s.end(fmt.Errorf("%s stream: %w", s.api.name, err))
			return
		}
		if conn, err = s.reconnect(ctx, err); err != nil {
			s.end(err)
			return
		}
	}
}

func (s *Stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *Stream) attach(conn *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
}

// reconnect tries until there is a connection or no retry can help.
func (s *Stream) reconnect(ctx context.Context, why error) (*link, error) {
	for {
		wait := s.wait.next()
		var e *Error
		if errors.As(why, &e) {
			wait = max(wait, e.RetryAfter)
		}
		if s.opts.Reconnecting != nil {
			s.opts.Reconnecting(why, wait)
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		conn, err := s.dial(ctx)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if fatal(err) {
			return nil, fmt.Errorf("%s stream: reconnect: %w", s.api.name, err)
		}
		why = err
	}
}

// fatal: coming back will not help. Too many connections may be the one that
// just broke and that the server has not missed yet.
func fatal(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Code == int(websocket.StatusPolicyViolation) || e.Code == int(websocket.StatusMessageTooBig) {
		return true
	}
	return e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests && e.Status != http.StatusRequestTimeout
}

// hand gives a frame to Next, and waits where its buffer is full.
func (s *Stream) hand(ctx context.Context, m Message) {
	if m.Cursor != "" {
		s.cursor = m.Cursor
	}
	switch e := m.Event.(type) {
	case *Fault:
		s.fault = e
	case *Connected, *Subscribed, *Tweet, *Item, *News:
		s.wait.reset()
	}
	select {
	case s.messages <- m:
	case <-ctx.Done():
	}
}

// read hands on what comes until the connection ends, and returns why. The
// end of ctx is told to the server; reads themselves do not end with it, since
// that would cut the connection without a word.
func (s *Stream) read(ctx context.Context, conn *link) error {
	defer context.AfterFunc(ctx, conn.goodbye)()
	for _, m := range conn.greeting {
		s.hand(ctx, m)
	}
	for ctx.Err() == nil {
		m, err := s.frame(context.WithoutCancel(ctx), conn)
		if err != nil {
			return err
		}
		s.hand(ctx, m)
	}
	return ctx.Err()
}

func (s *Stream) frame(ctx context.Context, conn *link) (Message, error) {
	_, raw, err := conn.ws.Read(ctx)
	if err != nil {
		return Message{}, s.closed(err)
	}
	conn.alive.Reset(s.client.silence)
	return decode(raw)
}

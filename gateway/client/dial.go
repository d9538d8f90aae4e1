package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// link is one connection.
type link struct {
	ws       *websocket.Conn
	alive    *time.Timer // ends a connection that shows no life: a network that went away sends no error
	greeting []Message   // read while connecting
}

func (l *link) write(ctx context.Context, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return l.ws.Write(ctx, websocket.MessageText, text)
}

// goodbye closes with a word; a connection that broke in between has no one to
// hear it.
func (l *link) goodbye() { _ = l.ws.Close(websocket.StatusNormalClosure, "") }

func (l *link) close() {
	l.alive.Stop()
	_ = l.ws.CloseNow() // nothing is left to do about a close that fails
}

// dial makes one connection, sends the subscription, and reads the greeting of
// an API that has one: twitter upgrades a bad key too, and says so only then.
func (s *Stream) dial(ctx context.Context) (*link, error) {
	s.fault = nil
	ctx, cancel := context.WithTimeout(ctx, s.client.caller.cfg.Timeout)
	defer cancel()
	conn := &link{}
	ws, res, err := websocket.Dial(ctx, s.target(), &websocket.DialOptions{
		HTTPClient: s.client.caller.http,
		HTTPHeader: s.header(),
		OnPingReceived: func(context.Context, []byte) bool {
			conn.alive.Reset(s.client.silence) // called by reads only, which come after the dial
			return true
		},
	})
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
			return nil, readError(res)
		}
		return nil, s.client.caller.unreachable(err, s.client.caller.cfg.Timeout)
	}
	ws.SetReadLimit(maxFrame)
	conn.ws, conn.alive = ws, time.AfterFunc(s.client.silence, func() { _ = ws.CloseNow() })
	if err := s.hello(ctx, conn); err != nil {
		conn.close()
		return nil, err
	}
	return conn, nil
}

// hello reads the greeting and makes conn the one that Subscribe writes to. It
// sends what was subscribed before in one step with that: of two subscriptions
// the later one wins.
func (s *Stream) hello(ctx context.Context, conn *link) error {
	if s.api.greets {
		if err := s.greeting(ctx, conn); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subscription != nil {
		if err := conn.write(ctx, s.subscription); err != nil {
			return s.closed(err)
		}
	}
	s.conn = conn
	return nil
}

// greeting reads the first frame. Where it is an error, the close that follows
// is the outcome, told with the error's text.
func (s *Stream) greeting(ctx context.Context, conn *link) error {
	for {
		m, err := s.frame(ctx, conn)
		if err != nil {
			return err
		}
		conn.greeting = append(conn.greeting, m)
		fault, ok := m.Event.(*Fault)
		if !ok {
			return nil
		}
		s.fault = fault
	}
}

func (s *Stream) target() string {
	query := maps.Clone(s.api.query)
	if s.cursor != "" {
		if query == nil {
			query = make(map[string][]string)
		}
		query.Set("resume", s.cursor)
	}
	return s.client.caller.target(s.api.path, query)
}

func (s *Stream) header() http.Header {
	h := s.api.header.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("User-Agent", s.client.caller.cfg.UserAgent)
	return h
}

// closed makes an *Error of a close frame; any other error stays what it is.
func (s *Stream) closed(err error) error {
	var c websocket.CloseError
	if !errors.As(err, &c) {
		if errors.Is(err, io.EOF) {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	e := &Error{Code: int(c.Code), Short: c.Reason, Detail: c.Reason, Status: statusOf(c.Code)}
	if s.fault != nil && s.fault.Text != "" {
		e.Detail = s.fault.Text
	}
	return e
}

// statusOf is the HTTP status that says the same as a close code.
func statusOf(code websocket.StatusCode) int {
	switch code {
	case 4001:
		return http.StatusUnauthorized
	case 4003:
		return http.StatusTooManyRequests
	case 4402:
		return http.StatusPaymentRequired
	case 4403:
		return http.StatusForbidden
	case websocket.StatusPolicyViolation:
		return http.StatusForbidden
	case websocket.StatusMessageTooBig:
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusServiceUnavailable
}

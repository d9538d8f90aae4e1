package client

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const testKey = "bw_abcde23456_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

// door is a WebSocket server whose connections a test plays by hand.
type door struct {
	t     *testing.T
	url   string
	conns chan *guest

	mu     sync.Mutex
	refuse http.HandlerFunc // answers the next handshake instead, where set
}

// guest is one connection of the client, seen from the server.
type guest struct {
	t    *testing.T
	ws   *websocket.Conn
	req  *http.Request
	gone chan struct{}
}

func openDoor(t *testing.T) *door {
	d := &door{t: t, conns: make(chan *guest, 8)}
	s := httptest.NewServer(d)
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	refuse := d.refuse
	d.refuse = nil
	d.mu.Unlock()
	if refuse != nil {
		refuse(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		d.t.Error(err)
		return
	}
	g := &guest{t: d.t, ws: ws, req: r, gone: make(chan struct{})}
	if r.URL.Path == "/v1/twitter/stream" || r.URL.Path == "/api/ws" {
		g.send(`{"type":"connected","connection_id":"abc-123","api_key_id":"key-456","message":"hi"}`)
	}
	d.conns <- g
	<-g.gone
}

func (d *door) refuseNext(h http.HandlerFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = h
}

// next is the client's next connection.
func (d *door) next() *guest {
	d.t.Helper()
	select {
	case g := <-d.conns:
		return g
	case <-time.After(20 * time.Second):
		d.t.Fatal("the client did not connect")
		return nil
	}
}

func (g *guest) send(text string) {
	g.t.Helper()
	if err := g.ws.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		g.t.Error(err)
	}
}

// hear is the client's next message, or the close code.
func (g *guest) hear() string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, text, err := g.ws.Read(ctx)
	if code := websocket.CloseStatus(err); code != -1 {
		return fmt.Sprintf("close %d", code)
	}
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// drop ends the connection without a word.
func (g *guest) drop() {
	_ = g.ws.CloseNow()
	close(g.gone)
}

func (g *guest) bye(code websocket.StatusCode, reason string) {
	_ = g.ws.Close(code, reason)
	close(g.gone)
}

// newTestClient waits shortly: what is tested is that it comes back.
func newTestClient(t *testing.T, url string) *Client {
	t.Helper()
	c, err := New(Config{URL: url, Key: testKey})
	if err != nil {
		t.Fatal(err)
	}
	c.first = time.Millisecond
	return c
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func next(t *testing.T, s *Stream) Message {
	t.Helper()
	m, err := s.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func problem(status int, short, detail string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":%q,"detail":%q,"status":%d}`, short, detail, status)
	}
}

package ws_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/ws"
	"github.com/birdwire/birdwire/messages"
)

// A quiet connection has no goroutine; it hears its client all the same, in
// whatever pieces a message comes, and ends once, whoever ends it.
func TestQuietConnections(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("connections have no watcher here")
	}
	h := newHouse(t)
	idle := runtime.NumGoroutine()
	quiet := func(when string) {
		t.Helper()
		if n, _ := settled(idle); n > idle {
			t.Fatalf("%s: %d goroutines, %d without connections", when, n, idle)
		}
	}
	const n = 90
	clients, all := make([]*client, n), make([]*session, n)
	for i := range n {
		clients[i], all[i] = h.open(t, paths[kite])
	}
	quiet("connected")
	for range 3 {
		for i, c := range clients {
			c.text(`{"type":"ping"}`)
			if m, ok := all[i].next(t).(*messages.ClientPinged); !ok {
				t.Fatalf("told %T", m)
			}
		}
		quiet("after a message from each")
	}
	// One byte at a time, and a message in fragments with a ping between them.
	pieces := maskedFrame(0x01, []byte(`{"type":`))
	pieces = append(pieces, maskedFrame(0x89, []byte("there?"))...)
	pieces = append(pieces, maskedFrame(0x80, []byte(`"ping"}`))...)
	for i := range pieces {
		if _, err := clients[0].Conn.Write(pieces[i : i+1]); err != nil {
			t.Fatal(err)
		}
		runtime.Gosched()
	}
	if m, ok := all[0].next(t).(*messages.ClientPinged); !ok {
		t.Fatalf("told %T", m)
	}
	if first, payload, err := clients[0].read(); first != 0x8A || string(payload) != "there?" || err != nil {
		t.Fatalf("read %#x %q, %v; want the pong", first, payload, err)
	}
	quiet("after a message in pieces")
	for i, c := range clients {
		switch i % 3 {
		case 0:
			_ = c.Conn.Close()
		case 1:
			c.write(0x88, []byte{0x03, 0xe8})
		case 2:
			all[i].Socket.End(messages.EndReason_END_DRAIN, "")
			c.expectClose(1012)
		}
	}
	for _, s := range all {
		s.end(t)
	}
	h.gone(t)
	quiet("all closed")
}

// A client that neither answers a close nor closes keeps nobody waiting, although
// nothing reads its connection when the socket is closed here.
func TestQuietConnectionsAreCutOff(t *testing.T) {
	h := newHouse(t, func(c *ws.Config) { c.CloseTimeout = 20 * time.Millisecond })
	_, one := h.open(t, paths[kite])
	_, two := h.open(t, paths[kite])
	one.Socket.End(messages.EndReason_END_DRAIN, "")
	one.end(t)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = h.Drain(over, 0) // its error is over's
	two.end(t)
}

// A connection that is ended while its client speaks ends once, with a
// goroutine that reads it already or with none.
func TestEndsMeetMessages(t *testing.T) {
	for name, prepare := range map[string]func(*ws.Server){"watched": func(*ws.Server) {}, "without a watcher": (*ws.Server).Unwatch} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			prepare(h.Server)
			const n = 120
			clients, all := make([]*client, n), make([]*session, n)
			for i := range n {
				clients[i], all[i] = h.open(t, paths[kite])
			}
			var speaking sync.WaitGroup
			for i, c := range clients {
				ping := maskedFrame(0x81, []byte(`{"type":"ping"}`))
				speaking.Go(func() {
					for range 1 + i%7 { // fewer than a session keeps
						if _, err := c.Conn.Write(ping); err != nil {
							return // closed meanwhile
						}
						runtime.Gosched()
					}
				})
				speaking.Go(func() {
					switch i % 3 {
					case 0:
						all[i].Socket.End(messages.EndReason_END_DRAIN, "")
					case 1:
						all[i].Socket.End(messages.EndReason_END_SLOW, "")
					case 2:
						_ = c.Conn.Close()
					}
				})
			}
			speaking.Wait()
			for i, s := range all {
				_ = clients[i].Conn.Close()
				s.end(t)
			}
			h.gone(t)
			for _, s := range all {
				select {
				case why := <-s.closed:
					t.Fatalf("ended a second time: %s", why)
				default:
				}
			}
		})
	}
}

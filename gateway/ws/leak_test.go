package ws_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Connections that were opened, fed and closed leave nothing.
func TestThousandsOfConnectionsLeaveNothing(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 500
	}
	if room := openFiles()/2 - 200; n > room { // both ends are in this process
		n = room
	}
	h := newHouse(t)
	idle := runtime.NumGoroutine()
	round := func(n int) {
		clients := make([]*client, n)
		all := make([]*session, n)
		for i := range n {
			conn, err := net.Dial("tcp", h.addr)
			if err != nil {
				t.Fatal(err)
			}
			clients[i], all[i] = greet(t, conn, paths[tw]), h.next(t)
		}
		h.keys.forget()
		for i := range 3 {
			ds := tweets(i, 2, 200)
			for _, s := range all {
				if !s.Socket.Deliver(ds, false, false) {
					t.Fatal("slow")
				}
			}
			for _, c := range clients {
				_ = c.SetDeadline(time.Now().Add(patience)) // its dial's may be over
				for range ds {
					if _, _, err := c.read(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for i, c := range clients {
			switch i % 3 {
			case 0:
				_ = c.Conn.Close()
			case 1:
				c.write(0x88, []byte{0x03, 0xe8})
				_, _, _ = c.read()
				_ = c.Conn.Close()
			case 2:
				all[i].Socket.End(messages.EndReason_END_DRAIN, "")
				_, _, _ = c.read()
				_ = c.Conn.Close()
			}
		}
		for _, s := range all {
			s.end(t)
		}
		h.gone(t)
	}
	round(n) // pools, and what the runtime never gives back, reach their size
	goroutines, memory := settled(idle)
	round(n)
	after, left := settled(goroutines)
	if after > goroutines {
		t.Errorf("%d goroutines, %d before", after, goroutines)
	}
	if h.Connections() != 0 {
		t.Errorf("%d connections are left", h.Connections())
	}
	// The runtime's own tables move by some hundred kilobytes; a leaked
	// connection is 1,500 bytes, its Conn alone 350.
	if more := int64(left) - int64(memory); more > 1<<20+100*int64(n) {
		t.Errorf("%d bytes are left of %d connections", more, n)
	}
}

// settled waits for goroutines that are on their way out, and collects.
func settled(goroutines int) (n int, memory uint64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		if n = runtime.NumGoroutine(); n <= goroutines {
			break
		}
		<-tick.C
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return n, m.HeapAlloc + m.StackInuse
}

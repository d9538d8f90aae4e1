package grpc_test

import (
	"net"
	"sync"
	"testing"
)

// cable is what the connections of two nodes run through, so that a test can cut
// it: then nothing passes, and nothing is closed or refused.
type cable struct {
	mu   sync.Mutex
	mend sync.Cond
	cut  bool
}

func newCable() *cable {
	c := &cable{}
	c.mend.L = &c.mu
	return c
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	c.mend.Broadcast()
}

// pass waits until something may.
func (c *cable) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.cut {
		c.mend.Wait()
	}
}

// plug is where one end of a cable is dialed.
type plug struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// plugIn leads whoever dials the plug to the target.
func plugIn(t *testing.T, c *cable, target string) *plug {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &plug{Listener: l}
	go func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			p.keep(in)
			go p.join(c, in, target) // ends with the connection
		}
	}()
	t.Cleanup(p.pull)
	return p
}

func (p *plug) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}

// pull refuses who dials from now on; connections end with those that they lead to.
func (p *plug) pull() { _ = p.Listener.Close() }

// tear ends the connections too.
func (p *plug) tear() {
	p.pull()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (p *plug) join(c *cable, in net.Conn, target string) {
	defer in.Close()
	c.pass()
	out, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer out.Close()
	var wg sync.WaitGroup
	wg.Go(func() { carry(c, out, in) })
	wg.Go(func() { carry(c, in, out) })
	wg.Wait()
}

func carry(c *cable, to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		c.pass()
		if _, failed := to.Write(b[:n]); err != nil || failed != nil {
			return
		}
	}
}

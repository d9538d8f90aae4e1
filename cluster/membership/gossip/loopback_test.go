package gossip

import (
	"bytes"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests use sockets of this machine.

// sockets is a node on a port that the system picks.
func sockets(t *testing.T, name string, secretFile string, join ...string) *process {
	t.Helper()
	p := &process{log: &journal{}}
	var err error
	p.Gossip, err = Start(Config{
		Name: name, Listen: "127.0.0.1:0", Join: join, SecretFile: secretFile, Logger: slog.New(slog.NewTextHandler(p.log, nil)),
		Meta: Meta{Cluster: "birds", Incarnation: 1, Wire: 1, WireLeast: 1, Link: "127.0.0.1:7947"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(t) })
	return p
}

// patience is how long a busy machine may take.
const patience = 30 * time.Second

func await(t *testing.T, want string, all ...*process) {
	t.Helper()
	for limit := time.Now().Add(patience); ; {
		var not []string
		for _, p := range all {
			if got := p.view(); got != want {
				not = append(not, p.cfg.Name+" has "+got)
			}
		}
		if len(not) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%s; want %s", strings.Join(not, ", "), want)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func oneSecret(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret("s")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOverSockets(t *testing.T) {
	file := oneSecret(t)
	x := sockets(t, "a", file)
	y := sockets(t, "b", file, x.Addr())
	z := sockets(t, "c", file, x.Addr())
	await(t, "a1 b1 c1", x, y, z)
	z.end(t)
	began := time.Now()
	await(t, "a1 b1 c1(gone)", x, y)
	t.Logf("the dead node was seen after %v", time.Since(began))
	if err := y.Leave(); err != nil {
		t.Fatal(err)
	}
	await(t, "a1 b1(left) c1(gone)", x)
}

// Rubbish on the port, and connections that say nothing, cost no member, and the
// log two lines at most.
func TestGarbage(t *testing.T) {
	file := oneSecret(t)
	x := sockets(t, "a", file)
	y := sockets(t, "b", file, x.Addr())
	await(t, "a1 b1", x, y)
	number := x.Snapshot().Number
	random := rand.New(rand.NewPCG(3, 4))
	packets, err := net.Dial("udp", x.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	for range 5000 {
		b := make([]byte, random.IntN(1400))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		if len(b) > 0 && random.IntN(2) == 0 {
			b[0] = byte(random.IntN(14)) // one of memberlist's kinds
		}
		packets.Write(b) // it may be lost: that is not the test's
	}
	for range 3 * maxStreams {
		conn, err := net.Dial("tcp", x.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		switch random.IntN(3) {
		case 0: // it says nothing
		case 1: // it is encrypted, and 16 MB will follow
			conn.Write([]byte{10, 1, 0, 0, 0})
		case 2:
			conn.Write(bytes.Repeat([]byte{byte(random.IntN(256))}, 100))
		}
	}
	// A node can still join, and nobody was lost.
	z := sockets(t, "c", file, x.Addr(), y.Addr())
	await(t, "a1 b1 c1", x, y, z)
	if got := x.Snapshot().Number; got != number+1 {
		t.Errorf("snapshot %d became %d, want one more: for c", number, got)
	}
	if n := x.log.count("no gossip of this cluster"); n == 0 || n > 2 {
		t.Errorf("rubbish was told of %d times:\n%s", n, x.log)
	}
}

// A stranger can hold so many streams open, and send so much on each.
func TestStreamsAreBounded(t *testing.T) {
	inner := newNetwork().open("10.0.0.1:7946")
	bounded := newTransport(t.Context(), inner)
	var taken []net.Conn
	dial := func() net.Conn {
		here, there := net.Pipe()
		inner.streams <- there
		return here
	}
	for range maxStreams {
		dial()
		taken = append(taken, <-bounded.StreamCh())
	}
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("one more than %d streams: %v, want it closed", maxStreams, err)
	}
	taken[0].Close()
	taken[0].Close() // which counts once
	last := dial()
	conn := <-bounded.StreamCh()
	if _, err := dial().Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("one more than %d streams after one was closed: %v", maxStreams, err)
	}
	go func() { // ends with the stream
		for err := error(nil); err == nil; {
			_, err = last.Write(make([]byte, 1<<16))
		}
	}()
	if n, err := io.Copy(io.Discard, conn); n != maxStreamBytes || err == nil {
		t.Errorf("%d bytes were taken, %v; want %d and an error", n, err, maxStreamBytes)
	}
	conn.Close()
	if err := bounded.Shutdown(); err != nil {
		t.Fatal(err)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	x := sockets(t, "a", "")
	_, err := Start(Config{Name: "b", Listen: x.Addr(), Meta: Meta{Cluster: "birds", Wire: 1, WireLeast: 1, Link: "127.0.0.1:7947"}})
	if err == nil || !strings.Contains(err.Error(), x.Addr()) {
		t.Errorf("%v does not name %s", err, x.Addr())
	}
}

func TestWhatCannotStart(t *testing.T) {
	good := Config{Name: "a", Listen: "127.0.0.1:0", Meta: meta()}
	for what, change := range map[string]func(*Config){
		"any address":   func(c *Config) { c.Listen = ":7946" },
		"no address":    func(c *Config) { c.Listen = "localhost" },
		"no name":       func(c *Config) { c.Name = "" },
		"a bad seed":    func(c *Config) { c.Join = []string{"10.0.0.1"} },
		"a seed's port": func(c *Config) { c.Join = []string{"10.0.0.1:0"} },
		"no secret":     func(c *Config) { c.SecretFile = filepath.Join(t.TempDir(), "none") },
		"no link":       func(c *Config) { c.Meta.Link = "" },
	} {
		cfg := good
		change(&cfg)
		if g, err := Start(cfg); err == nil {
			g.Close()
			t.Errorf("%s: it has started", what)
		}
	}
}

package grpc_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/certs"
	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
)

// saying is a log, and what was said in it.
type saying struct {
	slog.Handler
	*sayings
}

type sayings struct {
	mu    sync.Mutex
	lines []string
}

func (s saying) Handle(ctx context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.Key + "=" + a.Value.String()
		return true
	})
	s.mu.Lock()
	s.lines = append(s.lines, line)
	s.mu.Unlock()
	return s.Handler.Handle(ctx, r)
}

func (s saying) WithAttrs(attrs []slog.Attr) slog.Handler {
	return saying{s.Handler.WithAttrs(attrs), s.sayings}
}

func (s *sayings) has(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if strings.Contains(l, part) {
			return true
		}
	}
	return false
}

// nobody is told of nothing.
type nobody struct{ t *testing.T }

func (n nobody) Received(from link.Peer, _ []link.Envelope) { n.t.Errorf("received from %v", from) }
func (n nobody) Happened(e link.Event)                      { n.t.Errorf("%v of %v", e.Kind, e.Peer) }

type member struct {
	*grpc.Link
	*sayings
	address string
}

func join(t *testing.T, h link.Handler, change func(*grpc.Config)) *member {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &member{sayings: &sayings{}, address: listener.Addr().String()}
	cfg := grpc.Config{
		Cluster: "one", Self: link.Peer{Node: "a", Incarnation: 1}, Version: 3, Oldest: 2, Listener: listener,
		Logger: slog.New(saying{slog.NewTextHandler(t.Output(), nil), m.sayings}),
	}
	change(&cfg)
	if m.Link, err = grpc.New(cfg); err != nil {
		t.Fatal(err)
	}
	m.Handle(h)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	(&world{t: t}).Until(what, ok)
}

func as(node string, incarnation uint64) func(*grpc.Config) {
	return func(c *grpc.Config) { c.Self = link.Peer{Node: node, Incarnation: incarnation} }
}

// folders are certificates, by what is special about them.
func folders(t *testing.T) (ca, other string) {
	t.Helper()
	ca, other = t.TempDir(), t.TempDir()
	for _, dir := range []string{ca, other} {
		if err := certs.Init(dir, filepath.Base(dir)); err != nil {
			t.Fatal(err)
		}
	}
	return ca, other
}

func certified(t *testing.T, ca, node string) *certs.Source {
	t.Helper()
	dir := t.TempDir()
	if _, err := certs.Node(ca, dir, node, nil, 365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	s, err := certs.Open(certs.Config{Dir: dir, Node: node, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// posing shows another node's certificate.
type posing struct {
	*certs.Source
	as *certs.Source
}

func (p posing) Client(node string) *tls.Config { return p.as.Client(node) }

// Whoever does not belong gets no session, and both sides say why.
func TestStrangersAreRefused(t *testing.T) {
	ca, other := folders(t)
	a, b := certified(t, ca, "a"), certified(t, ca, "b")
	with := func(c grpc.Certificates) func(*grpc.Config) {
		return func(cfg *grpc.Config) { cfg.Certificates = c }
	}
	for what, c := range map[string]struct {
		dialed, dialer         func(*grpc.Config)
		dialedSays, dialerSays string
	}{
		"another cluster": {
			nil, func(c *grpc.Config) { c.Cluster = "two" },
			`node b is of cluster "two", and node a of cluster "one"`, `node b is of cluster "two", and node a of cluster "one"`,
		},
		"too old a version": {
			nil, func(c *grpc.Config) { c.Version, c.Oldest = 1, 1 },
			"upgrade one release at a time", "upgrade one release at a time",
		},
		"too new a version": {
			nil, func(c *grpc.Config) { c.Version, c.Oldest = 5, 4 },
			"upgrade one release at a time", "upgrade one release at a time",
		},
		"the same name": {
			nil, as("a", 2), "two processes have the name a", "two processes have the name a",
		},
		"itself": {
			nil, as("a", 1), "has dialed itself", "has dialed itself",
		},
		"no certificate": {
			with(a), nil, "does not speak TLS", "it has certificates and this node has none",
		},
		"a certificate too many": {
			nil, with(b), "", "without TLS",
		},
		"another CA": {
			with(a), with(certified(t, other, "b")), "does not accept this node's certificate", "another CA",
		},
		"another CA that trusts ours": {
			with(a), with(posing{b, certified(t, other, "b")}), "does not accept this node's certificate", "another CA",
		},
		"another node's certificate": {
			with(a), with(posing{b, certified(t, ca, "c")}), `one that says it is node b has the certificate of ["c"]`, "make its own with 'birdwire cluster certs b'",
		},
		"another node than was dialed": {
			with(certified(t, ca, "c")), with(b), "does not accept this node's certificate", "the certificate that was shown is of c",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			apply := func(changes ...func(*grpc.Config)) func(*grpc.Config) {
				return func(cfg *grpc.Config) {
					for _, c := range changes {
						if c != nil {
							c(cfg)
						}
					}
				}
			}
			dialed := join(t, nobody{t}, apply(c.dialed))
			dialer := join(t, nobody{t}, apply(as("b", 1), c.dialer))
			name := "a"
			if dialer.Self().Node == "a" {
				name = "elsewhere"
			}
			dialer.Peers([]grpc.Address{{Node: name, Address: dialed.address}})
			until(t, "the dialed says "+c.dialedSays, func() bool { return dialed.has(c.dialedSays) || c.dialedSays == "" })
			until(t, "the dialer says "+c.dialerSays, func() bool { return dialer.has(c.dialerSays) })
			until(t, "the dialer's status says it", func() bool { return strings.Contains(dialer.Status()[0].Trouble, c.dialerSays) })
		})
	}
}

// A process that is killed in the middle of a handshake is not taken for one whose
// certificates are wrong: both sides say first that it may have ended.
func TestOneThatHangsUp(t *testing.T) {
	const first = "it has ended or been killed"
	ca, _ := folders(t)
	dialed := join(t, nobody{t}, func(c *grpc.Config) { c.Certificates = certified(t, ca, "a") })
	c, err := net.Dial("tcp", dialed.address)
	if err == nil {
		err = c.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the dialed says "+first, func() bool { return dialed.has(first) })

	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = gone.Close() }) // it ends the loop below
	go func() {
		for {
			c, err := gone.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // that is what it is to do
		}
	}()
	dialer := join(t, nobody{t}, as("b", 1))
	dialer.Peers([]grpc.Address{{Node: "c", Address: gone.Addr().String()}})
	until(t, "the dialer says "+first, func() bool { return strings.Contains(dialer.Status()[0].Trouble, first) })
}

// With certificates of one CA there is a session, and it outlives their renewal.
func TestASessionWithCertificates(t *testing.T) {
	ca, _ := folders(t)
	heard := &told{}
	a := join(t, heard, func(c *grpc.Config) { c.Certificates = certified(t, ca, "a") })
	b := join(t, heard, func(c *grpc.Config) { c.Self.Node, c.Certificates = "b", certified(t, ca, "b") })
	a.Peers([]grpc.Address{{Node: "b", Address: b.address}})
	until(t, "both are up", func() bool { return heard.count(link.Up) == 2 })
	if got := a.Status()[0]; !got.Up || got.Incarnation != 1 || got.Version != 3 || !got.Dialed || got.Trouble != "" {
		t.Errorf("%+v", got)
	}
}

// Whoever reaches the port can make connections, so many and no more; those that say
// nothing are closed, and nodes have their sessions then.
func TestConnectionsThatSayNothing(t *testing.T) {
	heard := &told{}
	a := join(t, heard, func(*grpc.Config) {})
	closed := make(chan bool, 300)
	for range cap(closed) {
		c, err := net.Dial("tcp", a.address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the connection
			defer c.Close()
			_, _ = io.Copy(io.Discard, c) // what the server says first; its end is an EOF or a reset
			closed <- true
		}()
	}
	b := join(t, heard, as("b", 1))
	b.Peers([]grpc.Address{{Node: "a", Address: a.address}})
	until(t, "a node has a session", func() bool { return heard.count(link.Up) == 2 })
	until(t, "all that said nothing are closed", func() bool { return len(closed) == cap(closed) })
}

// told counts events.
type told struct {
	mu     sync.Mutex
	events map[link.EventKind]int
	got    int
}

func (c *told) Received(_ link.Peer, envelopes []link.Envelope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got += len(envelopes)
}

func (c *told) Happened(e link.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events == nil {
		c.events = map[link.EventKind]int{}
	}
	c.events[e.Kind]++
}

func (c *told) count(kind link.EventKind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events[kind]
}

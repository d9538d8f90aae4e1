package certs

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func quiet(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// cluster is a folder with a CA.
func cluster(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := Init(dir, "test"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// node is a folder with the certificate of a node of the cluster.
func node(t *testing.T, ca, name string, valid time.Duration, hosts ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if _, err := Node(ca, dir, name, hosts, valid); err != nil {
		t.Fatal(err)
	}
	return dir
}

func source(t *testing.T, dir, name string) *Source {
	t.Helper()
	s, err := Open(Config{Dir: dir, Node: name, Logger: quiet(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// shake is TLS between the two over loopback, and what each says.
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan error, 1)
	go func() { // ends with the connection
		c, err := l.Accept()
		if err != nil {
			accepted <- err
			return
		}
		defer c.Close()
		accepted <- tls.Server(c, server).Handshake()
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, client)
	clientErr = c.Handshake()
	if clientErr == nil {
		if _, err := c.Read(make([]byte, 1)); err != nil && strings.Contains(err.Error(), "remote error") {
			clientErr = err
		}
	}
	return <-accepted, clientErr
}

func says(t *testing.T, what string, err error, part string) {
	t.Helper()
	switch {
	case part == "" && err != nil:
		t.Errorf("%s says %v", what, err)
	case part != "" && (err == nil || !strings.Contains(err.Error(), part)):
		t.Errorf("%s says %v, want %q", what, err, part)
	}
}

// raw is a node's certificate shown by a program that verifies nothing.
func raw(t *testing.T, dir string) *tls.Config {
	t.Helper()
	c, err := tls.LoadX509KeyPair(filepath.Join(dir, NodeFile), filepath.Join(dir, NodeKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{c}}
}

// Nodes of one cluster take each other, and whatever is wrong is told in words
// that say what to do, by the side that finds it.
func TestWhoIsTaken(t *testing.T) {
	ca, other := cluster(t), cluster(t)
	a, b := source(t, node(t, ca, "a", year), "a"), source(t, node(t, ca, "b", year, "127.0.0.1"), "b")
	stranger := source(t, node(t, other, "b", year), "b")
	for _, c := range []struct {
		what                   string
		server, client         *tls.Config
		serverSays, clientSays string
	}{
		{"one CA", b.Server(), a.Client("b"), "", ""},
		{"another node than was dialed", b.Server(), a.Client("c"), "bad certificate", "c was dialed, and the certificate that was shown is of b, 127.0.0.1"},
		{"the dialed is of another CA", stranger.Server(), a.Client("b"), "bad certificate", "the certificate of b is of another CA (birdwire cluster test)"},
		{"the dialer is of another CA", b.Server(), raw(t, node(t, other, "a", year)), "the certificate of a is of another CA", "bad certificate"},
		{"the dialer's has expired", b.Server(), raw(t, node(t, ca, "a", -time.Minute)), "the certificate of a ended on", "bad certificate"},
		{"the dialed's has expired", raw(t, node(t, ca, "b", -time.Minute)), a.Client("b"), "bad certificate", "'birdwire cluster certs' makes a new one"},
		{"the dialer has none", b.Server(), &tls.Config{InsecureSkipVerify: true}, "client didn't provide a certificate", "certificate required"},
		{"a route, by host", b.Routes(), withName(a.Routes(), "127.0.0.1"), "", ""},
		{"a route, by a host that is not named", a.Routes(), withName(b.Routes(), "localhost"), "bad certificate", "'birdwire cluster certs NODE --host localhost'"},
		{"a route of another CA", b.Routes(), withName(stranger.Routes(), "127.0.0.1"), "bad certificate", "another CA"},
	} {
		t.Run(c.what, func(t *testing.T) {
			server, client := shake(t, c.server, c.client)
			says(t, "the dialed", server, c.serverSays)
			says(t, "the dialer", client, c.clientSays)
		})
	}
}

func withName(c *tls.Config, name string) *tls.Config {
	c = c.Clone()
	c.ServerName = name
	return c
}

// What Open refuses names the file and the command that mends it.
func TestWhatIsNoCertificateOfTheNode(t *testing.T) {
	ca := cluster(t)
	good := node(t, ca, "a", year)
	for what, c := range map[string]struct {
		change func(dir string) error
		says   string
	}{
		"no key":              {func(dir string) error { return os.Remove(filepath.Join(dir, NodeKeyFile)) }, "'birdwire cluster certs a' make them"},
		"another's key":       {func(dir string) error { return take(dir, node(t, ca, "a", year), NodeKeyFile) }, "do not go together"},
		"another CA":          {func(dir string) error { return take(dir, cluster(t), CAFile) }, "is of another CA"},
		"the CA's file empty": {func(dir string) error { return os.WriteFile(filepath.Join(dir, CAFile), nil, 0o600) }, "has no certificate"},
		"a node's as CA":      {func(dir string) error { return os.Rename(filepath.Join(dir, NodeFile), filepath.Join(dir, CAFile)) }, "'birdwire cluster init'"},
		"text":                {func(dir string) error { return os.WriteFile(filepath.Join(dir, NodeFile), []byte("text"), 0o600) }, "'birdwire cluster certs a'"},
		"expired": {func(dir string) error {
			old := node(t, ca, "a", -time.Minute)
			return firstOf(take(dir, old, NodeFile), take(dir, old, NodeKeyFile))
		}, "ended on"},
		"another node's": {func(dir string) error {
			b := node(t, ca, "b", year)
			return firstOf(take(dir, b, NodeFile), take(dir, b, NodeKeyFile))
		}, "node.pem names b, and this node is a"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			for _, f := range []string{CAFile, NodeFile, NodeKeyFile} {
				if err := take(dir, good, f); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Open(Config{Dir: dir, Node: "a", Logger: quiet(t)})
			says(t, "Open", err, c.says)
		})
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func take(to, from, name string) error {
	b, err := os.ReadFile(filepath.Join(from, name))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, name), b, 0o600)
}

// New files are in service without a restart, those that are wrong never are, and
// what is near its end is told.
func TestACertificateIsRenewed(t *testing.T) {
	ca := cluster(t)
	dir := node(t, ca, "a", 20*24*time.Hour)
	s := source(t, dir, "a")
	look := func() Status {
		s.mu.Lock()
		s.looked = time.Time{}
		s.mu.Unlock()
		return s.Status()
	}
	first := look()
	if !strings.Contains(first.Trouble, "ends on") || time.Until(first.Ends) > 21*24*time.Hour {
		t.Errorf("at first %+v", first)
	}
	if err := take(dir, cluster(t), CAFile); err != nil {
		t.Fatal(err)
	}
	if got := look(); !strings.Contains(got.Trouble, "another CA") || !got.Ends.Equal(first.Ends) {
		t.Errorf("with another CA's file %+v", got)
	}
	if _, err := Node(ca, dir, "a", []string{"a.example", "10.0.0.1"}, year); err != nil {
		t.Fatal(err)
	}
	got := look()
	if got.Trouble != "" || got.Ends.Before(first.Ends) || strings.Join(got.Names, " ") != "a a.example 10.0.0.1" {
		t.Errorf("renewed %+v", got)
	}
	b := source(t, node(t, ca, "b", year), "b")
	if server, client := shake(t, s.Server(), b.Client("a.example")); server != nil || client != nil {
		t.Errorf("with the new certificate: %v, %v", server, client)
	}
}

// A second CA is no accident, keys are for their owner alone, and names that no
// certificate can have are refused.
func TestMaking(t *testing.T) {
	dir := cluster(t)
	says(t, "a second init", Init(dir, "test"), "is there already: a second secret")
	for name, mode := range map[string]os.FileMode{SecretFile: 0o600, CAKeyFile: 0o600, CAFile: 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, name := range []string{"", "a b", "-a", "a..b", "a@1", strings.Repeat("a", 64), "ä", "*"} {
		_, err := Node(dir, t.TempDir(), name, nil, year)
		says(t, name, err, "cannot be a name")
	}
	_, err := Node(dir, t.TempDir(), "a", []string{"b:4000"}, year)
	says(t, "a host with a port", err, "without a port")
	_, err = Node(t.TempDir(), t.TempDir(), "a", nil, year)
	says(t, "without a CA", err, "where 'birdwire cluster init' was run")
	if err := take(dir, cluster(t), CAKeyFile); err != nil {
		t.Fatal(err)
	}
	_, err = Node(dir, t.TempDir(), "a", nil, year)
	says(t, "with another CA's key", err, "is not the key of the certificate")
}

package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// patience is how long a test waits for what must come. It is long because a
// machine may be busy; a test that passes never uses it up.
const patience = 90 * time.Second

// server is a running "birdwire serve".
type server struct {
	*process
	dir           string // its data folder
	public, admin string // host:port
	member        bool   // of a cluster: it may answer 503 while a shard has no owner
	operator      *client.Admin
	faults        *regexp.Regexp // lines of the log that report a fault and are expected; nil: none is
}

var readyLine = regexp.MustCompile(`(?m)^ready listen=(\S+) admin=(\S+)\n`)

// start runs a server on the folder dir ("": a new one) and waits until it says
// that it is ready. Later flags win over those that tests have in common.
func start(t testing.TB, dir string, flags ...string) *server {
	t.Helper()
	s := prepared(t, dir, func(*exec.Cmd) {}, flags...)
	s.ready()
	return s
}

// prepared is a server that may not be ready yet, with the last word on how its
// process begins.
func prepared(t testing.TB, dir string, prepare func(*exec.Cmd), flags ...string) *server {
	t.Helper()
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "data")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, process: runPrepared(t, "", nil, prepare, self, append([]string{
		"birdwire", "serve", "--data", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "20ms", "--log-level", "debug",
		"--enrich-articles=false", // a test that does not speak of it gets every article once
	}, flags...)...)}
	t.Cleanup(s.checkLog)
	return s
}

var (
	faultLine = regexp.MustCompile(`(?m)^.* level=ERROR .*$`)
	keyText   = regexp.MustCompile(`bw_[a-z2-7]{10}_[0-9A-Za-z]+`)
)

// checkLog: no test makes the server report a fault of its own that it does not
// expect, and the log of no test holds a key, which is in half the requests.
func (s *server) checkLog() {
	log := s.notes.String()
	for _, line := range faultLine.FindAllString(log, -1) {
		if s.faults == nil || !s.faults.MatchString(line) {
			s.t.Errorf("the server reports a fault: %s", line)
		}
	}
	if keyText.MatchString(log) {
		s.t.Error("the log holds a key")
	}
	if _, race, found := strings.Cut(log, "WARNING: DATA RACE"); found {
		s.t.Errorf("the log holds a data race: %.6000s", race)
	}
	if strings.Contains(log, "api_key=") || strings.Contains(log, "token=") {
		s.t.Error("the log holds a query string")
	}
}

// ready reads the line that says where the server is.
func (s *server) ready() {
	s.t.Helper()
	s.at(s.out.await(s.t, readyLine))
}

// at takes the addresses, which a match of two groups has found.
func (s *server) at(match []string) {
	s.t.Helper()
	s.public, s.admin = match[1], match[2]
	token, err := client.AdminToken(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.operator, err = client.NewAdmin(client.Config{URL: s.admin, Key: token}); err != nil {
		s.t.Fatal(err)
	}
}

// stop asks the server to end and wants it to do so without a fault.
func (s *server) stop() {
	s.t.Helper()
	s.terminate()
	if code := s.exit(); code != 0 {
		s.t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}
}

// key makes a key of a plan; no scopes are those of a reader and owner.
func (s *server) key(t testing.TB, plan string, scopes ...string) *client.MintedKey {
	t.Helper()
	var k *client.MintedKey
	s.again(t, func() (err error) {
		k, err = s.operator.CreateKey(within(t), client.NewKey{Name: t.Name(), Plan: plan, Scopes: scopes})
		return err
	})
	return k
}

// again does what must succeed. A member of a cluster is asked again, as its clients
// do: it refuses while a shard's owner or the store's leader changes, and its answer
// may be lost.
func (s *server) again(t testing.TB, do func() error) {
	t.Helper()
	for late := time.Now().Add(patience); ; {
		err := do()
		if err == nil {
			return
		}
		if !s.member || time.Now().After(late) {
			t.Fatal(err)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// pusher makes a key that may push, and returns its text.
func (s *server) pusher(t testing.TB) string { return s.key(t, "business", "ingest:write").Key }

// owner is the SDK with a key.
func (s *server) owner(t testing.TB, k *client.MintedKey) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: s.public, Key: k.Key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// within is a context for what must come.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// background does something while the test goes on, until it is done or the test ends.
func background(t testing.TB, do func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("in the background: %v", err)
		}
	})
}

// eventually asks again until the answer is "" and fails with the last one.
// It is for what sends no event that a test could wait for.
func eventually(t testing.TB, ask func() (missing string)) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for {
		missing := ask()
		if missing == "" {
			return
		}
		select {
		case <-again.C:
		case <-late:
			t.Fatal(missing)
		}
	}
}

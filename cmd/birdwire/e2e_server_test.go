package main_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// patience is how long a test waits for what must come. It is long because a
// machine may be busy; a test that passes never uses it up.
const patience = 40 * time.Second

// process is a birdwire of its own: this test binary under that name (see
// TestMain). It ends with its test at the latest.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	out   *transcript   // stdout
	notes *transcript   // stderr
	ended chan struct{} // closed once the process has ended and all it said is here
}

// run starts birdwire in the folder dir ("": one of its own).
func run(t testing.TB, dir string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return runProgram(t, dir, nil, self, append([]string{"birdwire"}, args...)...)
}

// runProgram starts any program; args begin with its name.
func runProgram(t testing.TB, dir string, environ []string, path string, args ...string) *process {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	// Cleanups do not run where the test binary ends for its own timeout: what
	// is still there then ends by itself.
	ctx := context.Background()
	if deadline, ok := deadlineOf(t); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Second))
		t.Cleanup(cancel)
	}
	p := &process{t: t, cmd: exec.CommandContext(ctx, path), out: newTranscript(), notes: newTranscript(), ended: make(chan struct{})}
	p.cmd.Args, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = args, dir, p.out, p.notes
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "BIRDWIRE_") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(p.cmd.Env, environ...)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", strings.Join(args, " "), err)
	}
	go func() { // ends with the process
		_ = p.cmd.Wait() // whoever cares asks for the exit code
		p.out.end()
		p.notes.end()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s\nstdout: %s\nstderr: %s", strings.Join(args, " "), p.out.tail(), p.notes.tail())
		}
	})
	return p
}

func deadlineOf(t testing.TB) (time.Time, bool) {
	if t, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		return t.Deadline()
	}
	return time.Time{}, false
}

// kill ends the process as a power cut does: it cannot prepare.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // one that has ended already is as dead
	<-p.ended
}

// exit waits for the process to end by itself and returns its exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended", strings.Join(p.cmd.Args, " "))
	}
	return p.cmd.ProcessState.ExitCode()
}

// terminate asks the process to end.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("SIGTERM: %v", err)
	}
}

// command runs birdwire to its end, which must be a success.
func command(t testing.TB, dir string, args ...string) (stdout string) {
	t.Helper()
	p := run(t, dir, args...)
	if code := p.exit(); code != 0 {
		t.Fatalf("%s: exit code %d", strings.Join(args, " "), code)
	}
	return p.out.String()
}

// server is a running "birdwire serve".
type server struct {
	*process
	dir           string // its data folder
	public, admin string // host:port
	operator      *client.Admin
	faults        *regexp.Regexp // lines of the log that report a fault and are expected; nil: none is
}

var readyLine = regexp.MustCompile(`(?m)^ready listen=(\S+) admin=(\S+)\n`)

// start runs a server on the folder dir ("": a new one) and waits until it says
// that it is ready. Later flags win over those that tests have in common.
func start(t testing.TB, dir string, flags ...string) *server {
	t.Helper()
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "data")
	}
	s := &server{dir: dir, process: run(t, "", append([]string{
		"serve", "--data", dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--drain", "20ms", "--log-level", "debug",
	}, flags...)...)}
	s.ready()
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
	if keyText.MatchString(log) || strings.Contains(log, "WARNING: DATA RACE") {
		s.t.Error("the log holds a key, or a data race")
	}
	if strings.Contains(log, "api_key=") || strings.Contains(log, "token=") {
		s.t.Error("the log holds a query string")
	}
}

// ready reads the line that says where the server is.
func (s *server) ready() {
	s.t.Helper()
	at := s.out.await(s.t, readyLine)
	s.public, s.admin = at[1], at[2]
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
	k, err := s.operator.CreateKey(within(t), client.NewKey{Name: t.Name(), Plan: plan, Scopes: scopes})
	if err != nil {
		t.Fatal(err)
	}
	return k
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

// background does something beside the test until it is done or the test ends.
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

// transcript is what a process says on one of its outputs.
type transcript struct {
	mu    sync.Mutex // protects what follows
	text  bytes.Buffer
	over  bool
	grown chan struct{} // closed, and made anew, when something was said
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

// Write takes what the process says.
func (l *transcript) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake()
	return l.text.Write(b)
}

func (l *transcript) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.wake()
}

func (l *transcript) wake() {
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tail is the end of it, for a failure.
func (l *transcript) tail() string {
	const most = 20_000
	text := l.String()
	if len(text) > most {
		return "… " + text[len(text)-most:]
	}
	return text
}

var errOver = errors.New("the process ended without it")

// await waits until what was said fits, and returns the match.
func (l *transcript) await(t testing.TB, want *regexp.Regexp) []string {
	t.Helper()
	late := time.After(patience)
	for {
		l.mu.Lock()
		match, over, grown := want.FindStringSubmatch(l.text.String()), l.over, l.grown
		l.mu.Unlock()
		switch {
		case match != nil:
			return match
		case over:
			t.Fatalf("waiting for %s: %v", want, errOver)
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("waiting for %s: nothing of it came", want)
		}
	}
}

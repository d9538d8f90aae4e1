package main_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

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
	return runPrepared(t, dir, environ, func(*exec.Cmd) {}, path, args...)
}

// runPrepared is runProgram with the last word on how the process begins.
func runPrepared(t testing.TB, dir string, environ []string, prepare func(*exec.Cmd), path string, args ...string) *process {
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
	prepare(p.cmd)
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
	return p.exitWithin(patience)
}

// exitWithin is exit for what takes longer than a test waits otherwise.
func (p *process) exitWithin(d time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(d):
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

// transcript is what a process says on one of its outputs.
type transcript struct {
	mu    sync.Mutex // protects what follows
	text  bytes.Buffer
	over  bool
	grown chan struct{} // closed, and replaced, when something was said
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

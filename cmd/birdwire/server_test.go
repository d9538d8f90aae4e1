package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for a process to say or do something.
const patience = 30 * time.Second

// children are the processes that a script has started by name; they end with
// it at the latest.
type children map[string]*child

type child struct {
	cmd    *exec.Cmd
	out    *os.File
	notes  chan string // stderr, line by line; at most 10,000 are held
	waited chan error
}

type childrenKey struct{}

func childrenOf(ts *testscript.TestScript) children { return ts.Value(childrenKey{}).(children) }

func setUp(e *testscript.Env) error {
	all := children{}
	e.Values[childrenKey{}] = all
	e.Defer(func() {
		for _, c := range all {
			_ = c.cmd.Process.Kill() // ended or not: the test is over
			<-c.waited
		}
	})
	return nil
}

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"exits":      exits,
	"start":      start,
	"listen":     listen,
	"ended":      ended,
	"signal":     signalChild,
	"waitfor":    waitFor,
	"keyfrom":    keyFrom,
	"feedfrom":   from("FEED_ID", "id"),
	"cursorfrom": from("CURSOR", "cursor"),
}

// start [ARGS...] runs 'birdwire serve', waits until it is ready, and tells the
// commands that follow where it is. Its name is "server".
func start(ts *testscript.TestScript, neg bool, args []string) {
	ts.Setenv("BIRDWIRE_DATA", ts.MkAbs("data"))
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--enrich-articles=false"}, args...)
	c := spawn(ts, "server", args)
	ready := regexp.MustCompile(`^ready listen=(\S+) admin=(\S+)$`)
	lines := make(chan string, 1)
	go func() { // ends with the file's first line, or with the process
		lines <- firstLine(c)
	}()
	select {
	case l := <-lines:
		m := ready.FindStringSubmatch(l)
		if m == nil {
			ts.Fatalf("serve printed %q, want the ready line; its log:\n%s", l, c.log())
		}
		ts.Setenv("BIRDWIRE_SERVER", "http://"+m[1])
		ts.Setenv("BIRDWIRE_ADMIN", m[2])
	case <-time.After(patience):
		ts.Fatalf("serve was not ready in %v; its log:\n%s", patience, c.log())
	}
}

// listen NAME ARGS... runs 'birdwire ARGS...' until it says that it listens.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: listen NAME ARGS...")
	}
	c := spawn(ts, args[0], args[1:])
	late := time.After(patience)
	var said []string
	for {
		select {
		case l, ok := <-c.notes:
			if said = append(said, l); !ok || strings.HasPrefix(l, "listening to ") {
				if !ok {
					ts.Fatalf("%s ended: %s", args[0], strings.Join(said, "\n"))
				}
				return
			}
		case <-late:
			ts.Fatalf("%s does not listen after %v: %s", args[0], patience, strings.Join(said, "\n"))
		}
	}
}

// ended NAME [CODE] waits for the process, checks its exit code (0), and makes
// its output the script's stdout and its last stderr the script's stderr.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	c := childrenOf(ts)[args[0]]
	if c == nil {
		ts.Fatalf("nothing was started as %s", args[0])
	}
	select {
	case <-c.waited:
	case <-time.After(patience):
		ts.Fatalf("%s has not ended after %v", args[0], patience)
	}
	want := "0"
	if len(args) > 1 {
		want = args[1]
	}
	if got := fmt.Sprint(c.cmd.ProcessState.ExitCode()); got != want {
		ts.Fatalf("%s ended with %s, want %s; stderr:\n%s", args[0], got, want, c.log())
	}
	out, err := os.ReadFile(c.out.Name())
	ts.Check(err)
	_, err = io.Writer(ts.Stdout()).Write(out)
	ts.Check(err)
	_, err = io.Writer(ts.Stderr()).Write([]byte(c.log()))
	ts.Check(err)
	delete(childrenOf(ts), args[0])
}

// signal NAME TERM|INT|KILL sends a signal.
func signalChild(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	ts.Check(childrenOf(ts)[args[0]].cmd.Process.Signal(signals[args[1]]))
}

// keyfrom FILE takes what 'keys create --json' printed: its key is the one that
// later commands use, and $KEY_ID its id.
func keyFrom(ts *testscript.TestScript, neg bool, args []string) {
	var k struct{ ID, Key string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &k))
	ts.Setenv("BIRDWIRE_KEY", k.Key)
	ts.Setenv("KEY_ID", k.ID)
}

// from returns a command that sets a variable to a field of the JSON object in
// FILE.
func from(variable, field string) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		var object map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
		ts.Setenv(variable, fmt.Sprint(object[field]))
	}
}

// waitfor 'ARGS...' PATTERN runs the command until its output fits.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[1])
	for limit := time.Now().Add(patience); ; {
		ts.Check(ts.Exec("birdwire", strings.Fields(args[0])...))
		out := ts.ReadFile("stdout")
		if want.MatchString(out) {
			return
		}
		if time.Now().After(limit) {
			ts.Fatalf("birdwire %s never printed %s; the last time:\n%s", args[0], args[1], out)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func spawn(ts *testscript.TestScript, name string, args []string) *child {
	if childrenOf(ts)[name] != nil {
		ts.Fatalf("%s runs already", name)
	}
	out, err := os.CreateTemp(ts.MkAbs("."), name+".*.out")
	ts.Check(err)
	cmd := exec.Command("birdwire", args...)
	path, err := exec.LookPath("birdwire")
	ts.Check(err)
	cmd.Path, cmd.Dir, cmd.Stdout = path, ts.MkAbs("."), out
	cmd.Env = os.Environ()
	for _, name := range []string{"BIRDWIRE_DATA", "BIRDWIRE_SERVER", "BIRDWIRE_ADMIN", "BIRDWIRE_KEY"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	c := &child{cmd: cmd, out: out, notes: make(chan string, 10_000), waited: make(chan error, 1)}
	childrenOf(ts)[name] = c
	go func() { // ends with the process
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			select {
			case c.notes <- lines.Text():
			default: // a flood of log lines is not what a script is about
			}
		}
		close(c.notes)
		c.waited <- cmd.Wait()
		close(c.waited)
	}()
	return c
}

// firstLine polls the file that the child writes: a pipe would end with us.
func firstLine(c *child) string {
	for {
		data, err := os.ReadFile(c.out.Name())
		if line, _, ok := strings.Cut(string(data), "\n"); ok || err != nil {
			return line
		}
		select {
		case err := <-c.waited:
			return fmt.Sprintf("nothing: %v", errors.Join(err, c.out.Close()))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// log is what the child has said on stderr and nobody has read.
func (c *child) log() string {
	var b strings.Builder
	for {
		select {
		case l, ok := <-c.notes:
			if !ok {
				return b.String()
			}
			b.WriteString(l + "\n")
		default:
			return b.String()
		}
	}
}

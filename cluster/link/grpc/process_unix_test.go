//go:build unix

package grpc_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/link"
	"github.com/birdwire/birdwire/cluster/link/grpc"
)

// asPeer has this program be the peer of a test: incarnation, where it listens and
// where the test's link is.
const asPeer = "BIRDWIRE_LINK_PEER"

func TestMain(m *testing.M) {
	if how := os.Getenv(asPeer); how != "" {
		if err := bePeer(how); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// echo answers each envelope with itself.
type echo struct{ *grpc.Link }

func (e *echo) Happened(link.Event) {}

func (e *echo) Received(from link.Peer, envelopes []link.Envelope) {
	for _, envelope := range envelopes {
		envelope.SenderAt = e.Self().Address()
		e.Send(from, envelope)
	}
}

// bePeer serves until its input ends.
func bePeer(how string) error {
	var incarnation uint64
	var listen, other string
	if _, err := fmt.Sscan(how, &incarnation, &listen, &other); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	l, err := grpc.New(grpc.Config{
		Cluster: "test", Self: link.Peer{Node: "b", Incarnation: incarnation}, Version: 1, Oldest: 1, Listener: listener, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	l.Peers([]grpc.Address{{Node: "a", Address: other}})
	l.Handle(&echo{l})
	fmt.Println(listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// other is a peer in a process of its own.
type other struct {
	t       *testing.T
	cmd     *exec.Cmd
	stdin   io.Closer // its end is the process's
	address string
	peer    link.Peer
}

func spawn(t *testing.T, incarnation uint64, listen, toward string) *other {
	t.Helper()
	o := &other{t: t, cmd: exec.Command(os.Args[0]), peer: link.Peer{Node: "b", Incarnation: incarnation}}
	o.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s %s", asPeer, incarnation, listen, toward))
	o.cmd.Stderr = t.Output()
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	o.address = strings.TrimSpace(line)
	return o
}

func (o *other) signal(s syscall.Signal) {
	o.t.Helper()
	if err := o.cmd.Process.Signal(s); err != nil {
		o.t.Fatal(err)
	}
}

// kill is kill -9.
func (o *other) kill() {
	_ = o.cmd.Process.Kill() // it may have ended
	_ = o.cmd.Wait()         // killed
}

// The peer is another process: it answers; it is suspended, goes on, and is the
// same; it is killed, and the next one under its name at the same place is another,
// which is handed nothing of the former's.
func TestAPeerInAnotherProcess(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := grpc.New(grpc.Config{
		Cluster: "test", Self: link.Peer{Node: "a", Incarnation: 1}, Version: 1, Oldest: 1, Listener: listener,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	hears := &answers{}
	l.Handle(hears)
	b := spawn(t, 7, "127.0.0.1:0", listener.Addr().String())
	l.Peers([]grpc.Address{{Node: "b", Address: b.address}})
	until(t, "it is up", func() bool { return hears.count(link.Up) == 1 })
	ask := func(p link.Peer, n int) {
		t.Helper()
		hears.reset()
		for i := range n {
			until(t, "there is room", func() bool { return l.Send(p, link.Envelope{Target: fmt.Sprint(i)}) == link.Queued })
		}
		until(t, "all are answered", func() bool { return hears.answered() == n })
		for i, e := range hears.envelopes {
			if e.Target != fmt.Sprint(i) || e.SenderAt != p.Address() {
				t.Fatalf("%d was answered by %s of %s", i, e.Target, e.SenderAt)
			}
		}
	}
	ask(b.peer, 10_000)

	b.signal(syscall.SIGSTOP)
	began, taken := time.Now(), 0
	for payload := make([]byte, 1000); hears.count(link.Down) == 0; {
		if l.Send(b.peer, link.Envelope{Target: "while it is suspended", Bytes: payload}) == link.Queued {
			taken++
		}
	}
	t.Logf("it is down %v after it was suspended; %d were taken for it meanwhile", time.Since(began), taken)
	if taken*1000 > 64<<20 {
		t.Errorf("%d messages of 1,000 bytes were taken for one that is suspended", taken)
	}
	if hears.count(link.Ended) > 0 {
		t.Fatal("one that is suspended is taken for ended")
	}
	b.signal(syscall.SIGCONT)
	until(t, "it is up again", func() bool { return hears.count(link.Up) == 2 })
	ask(b.peer, 1000)

	b.kill()
	until(t, "its end is known", func() bool { return hears.count(link.Ended) == 1 })
	next := spawn(t, 8, b.address, listener.Addr().String())
	until(t, "the next is up", func() bool {
		l.Send(b.peer, link.Envelope{Target: "to the former"})
		return hears.count(link.Up) == 3
	})
	ask(next.peer, 1000)
	if got := l.Send(b.peer, link.Envelope{}); got != link.StaleIncarnation {
		t.Errorf("sent to the former: %v", got)
	}
}

// answers keeps what has come.
type answers struct {
	told
	envelopes []link.Envelope
}

func (a *answers) Received(_ link.Peer, envelopes []link.Envelope) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.envelopes = append(a.envelopes, envelopes...)
}

func (a *answers) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.envelopes = nil
}

func (a *answers) answered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.envelopes)
}

package failures_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/birdwire/birdwire/cluster/certs"
	"github.com/birdwire/birdwire/gateway/client"
)

// patience is how long a scenario waits for what must come. It is long, because a
// machine may be busy; nothing is judged by it but that it came.
const patience = 90 * time.Second

// adminToken is that of every node, so that whoever asks needs no file of it.
const adminToken = "the operators of these tests"

// cluster is n nodes, each on a host of its own. The hosts' loopback is where
// clients connect: what is cut between nodes cuts off no client.
type cluster struct {
	t     *testing.T
	lan   *lan
	nodes []*node
	// apart is the host that no node is on: feeds are served there.
	apart   *host
	dir     string
	mounted string // a disk that one of them has; "": none
}

// node is one birdwire, which may be started again and again.
type node struct {
	t *testing.T
	*host
	dir, log string
	program  string
	began    int64 // where the log of the process that was begun last begins
	args     []string
	environ  []string
	cancel   context.CancelFunc // of the process that was begun last

	mu    sync.Mutex // protects what follows
	cmd   *exec.Cmd
	ended chan struct{}
	code  int // the exit code, once ended is closed
}

// newCluster is n nodes that have not begun. It is there until end, and tells the
// test that t is then.
func newCluster(t *testing.T, n int, program string) *cluster {
	t.Helper()
	c := &cluster{t: t, lan: newLAN(t, n+1)}
	c.apart = c.lan.hosts[n]
	dir, err := os.MkdirTemp("", "failures")
	if err != nil {
		t.Fatal(err)
	}
	c.dir = dir
	if err := certs.Init(dir, "failures"); err != nil {
		t.Fatal(err)
	}
	var seeds []string
	for _, h := range c.lan.hosts[:n] {
		seeds = append(seeds, h.ip+":7946")
	}
	for _, h := range c.lan.hosts[:n] {
		own := filepath.Join(dir, h.name+"-certs")
		if _, err := certs.Node(dir, own, h.name, []string{h.ip}, 365*24*time.Hour); err != nil {
			t.Fatal(err)
		}
		n := &node{t: t, host: h, cancel: func() {}, dir: filepath.Join(dir, h.name), log: filepath.Join(dir, h.name+".log"), program: program}
		n.args = []string{
			"serve", "--data", n.dir, "--node", h.name, "--listen", h.ip + ":8000", "--admin", h.ip + ":8001",
			"--gossip", h.ip + ":7946", "--link", h.ip + ":7947", "--routes", h.ip + ":6222", "--join", strings.Join(seeds, ","),
			"--secret-file", filepath.Join(dir, certs.SecretFile), "--cert-dir", own,
			"--drain", "1s", "--enrich-articles=false", "--allow-private-feeds",
			"--log-level", "debug", // terms and views are judged by it
		}
		c.nodes = append(c.nodes, n)
	}
	return c
}

// end ends all that still run, and shows the end of their logs where the test has
// failed. No log holds a key, or the word of a program that broke.
func (c *cluster) end() {
	if os.Getenv("FAILURES_KEEP") == "" {
		defer os.RemoveAll(c.dir) //nolint:errcheck // what is left is in the system's folder for that
	} else {
		c.t.Logf("logs and data are kept in %s", c.dir)
	}
	defer c.lan.close()
	for _, n := range c.nodes {
		n.signal(syscall.SIGCONT)
		n.kill()
		n.cancel()
		text, err := os.ReadFile(n.log)
		if err != nil {
			continue // it never began
		}
		if bad := faulty.Find(text); bad != nil {
			c.t.Errorf("the log of %s says: %s", n.name, bad)
		}
		if c.t.Failed() {
			c.t.Logf("node %s, the end of its log:\n%s", n.name, tail(text))
		}
	}
	if c.mounted != "" {
		if err := unix.Unmount(c.mounted, unix.MNT_DETACH); err != nil {
			c.t.Error(err)
		}
	}
}

// faulty is what no log holds.
var faulty = regexp.MustCompile(`(?m)^(panic:|fatal error:|WARNING: DATA RACE).*$|bw_[a-z2-7]{10}_[0-9A-Za-z]+|api_key=`)

// tail is the end of what an operator reads of it.
func tail(text []byte) []byte {
	text = debugging.ReplaceAll(text[max(0, len(text)-1<<20):], nil)
	return text[max(0, len(text)-6000):]
}

var debugging = regexp.MustCompile(`(?m)^.* level=DEBUG .*\n`)

// begin starts the node's process; it may not be ready yet.
func (n *node) begin() {
	n.t.Helper()
	log, err := os.OpenFile(n.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	if n.began, err = log.Seek(0, io.SeekEnd); err != nil {
		n.t.Fatal(err)
	}
	n.cancel()
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	if deadline, ok := n.t.Deadline(); ok { // where nobody ends it, it ends by itself
		ctx, n.cancel = context.WithDeadline(context.Background(), deadline.Add(-time.Second))
	}
	cmd := exec.CommandContext(ctx, n.program, n.args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append([]string{"BIRDWIRE_ADMIN_TOKEN=" + adminToken, "HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}, n.environ...)
	if failed := n.inside(func() { err = cmd.Start() }); failed != nil || err != nil {
		n.t.Fatalf("start node %s: %v", n.name, errors.Join(failed, err))
	}
	ended := make(chan struct{})
	n.mu.Lock()
	n.cmd, n.ended = cmd, ended
	n.mu.Unlock()
	go func() { // ends with the process
		_ = cmd.Wait() // the code says it
		n.mu.Lock()
		n.code = cmd.ProcessState.ExitCode()
		n.mu.Unlock()
		close(ended)
	}()
}

// signal is lost on a process that has ended, or never began.
func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		_ = n.cmd.Process.Signal(s)
	}
}

// kill ends the process as the kernel does one that has eaten the memory.
func (n *node) kill() {
	n.signal(syscall.SIGKILL)
	n.mu.Lock()
	ended := n.ended
	n.mu.Unlock()
	if ended != nil {
		<-ended
	}
}

// exited waits for the process to end by itself, with 0.
func (n *node) exited() {
	n.t.Helper()
	select {
	case <-n.ended:
	case <-time.After(patience):
		n.t.Fatalf("node %s has not ended", n.name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.code != 0 {
		n.t.Errorf("node %s has ended with %d, want 0", n.name, n.code)
	}
}

// up says whether there is a process.
func (n *node) up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		return false
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// operator asks the node as an operator on its host does.
func (n *node) operator() *client.Admin {
	a, err := client.NewAdmin(client.Config{URL: n.ip + ":8001", Key: adminToken, HTTP: n.web, Timeout: 10 * time.Second})
	if err != nil {
		n.t.Fatal(err)
	}
	return a
}

// sdk asks the node with a key.
func (n *node) sdk(key string) *client.Client {
	c, err := client.New(client.Config{URL: n.ip + ":8000", Key: key, HTTP: n.web, Timeout: 10 * time.Second})
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// run runs birdwire to its end on the node's host, as an operator does.
func (n *node) run(args ...string) (out string, code int) {
	n.t.Helper()
	var text bytes.Buffer
	cmd := exec.Command(n.program, append(args, "--admin", n.ip+":8001")...)
	cmd.Stdout, cmd.Stderr = &text, &text
	cmd.Env = append(os.Environ(), "BIRDWIRE_ADMIN_TOKEN="+adminToken)
	var err error
	if failed := n.inside(func() { err = cmd.Start() }); failed != nil || err != nil {
		n.t.Fatalf("birdwire %v: %v", args, errors.Join(failed, err))
	}
	_ = cmd.Wait() // the code says it
	return text.String(), cmd.ProcessState.ExitCode()
}

const noteEvery = 5 * time.Second

// eventually asks again until the answer is "", and fails with the last one. What
// takes long is noted every few seconds.
func eventually(t *testing.T, ask func() (missing string)) {
	t.Helper()
	note := time.Now().Add(noteEvery)
	for late := time.Now().Add(patience); ; {
		missing := ask()
		if missing == "" {
			return
		}
		if time.Now().After(note) {
			t.Logf("%s still: %s", time.Now().Format("05.000"), missing)
			note = time.Now().Add(noteEvery)
		}
		if time.Now().After(late) {
			t.Fatalf("after %v still: %s", patience, missing)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// running are the nodes that have a process.
func (c *cluster) running() []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return !n.up() })
}

// whole waits until every node is there, all see the same and nothing is wrong.
func (c *cluster) whole() {
	c.t.Helper()
	eventually(c.t, c.notWhole)
}

// notWhole is what keeps the cluster from being whole; "": it is.
func (c *cluster) notWhole() string {
	views := map[string]string{}
	for _, n := range c.nodes {
		state, trouble := n.look()
		if trouble != "" {
			return fmt.Sprintf("node %s: %s", n.name, trouble)
		}
		core, shards := 0, 0
		view := ""
		for _, m := range state.Nodes {
			if m.Core {
				core++
			}
			shards += m.Shards
			view += fmt.Sprintf("%s@%d %s %d; ", m.Name, m.Incarnation, m.State, m.Shards)
		}
		switch {
		case len(state.Problems) > 0:
			return fmt.Sprintf("node %s sees a problem: %s", n.name, strings.Join(state.Problems, "; "))
		case core != len(c.nodes) || shards != 1024:
			return fmt.Sprintf("node %s sees %s", n.name, view)
		}
		for _, r := range state.Store.Replicas {
			if !r.Online || r.Lag > 0 {
				return fmt.Sprintf("node %s: the store's copy at %s is %d behind, online: %v", n.name, r.Node, r.Lag, r.Online)
			}
		}
		views[view] = n.name
	}
	if len(views) != 1 {
		return fmt.Sprintf("nodes see different clusters: %v", views)
	}
	return ""
}

// look is what a node says of the cluster, or why it does not.
func (n *node) look() (*client.Cluster, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ready, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.ip+":8000/readyz", nil)
	if err != nil {
		return nil, err.Error()
	}
	answer, err := n.web.Do(ready)
	if err != nil {
		return nil, err.Error()
	}
	_ = answer.Body.Close() // the status says it
	if answer.StatusCode != http.StatusOK {
		return nil, "/readyz is " + answer.Status
	}
	state, err := n.operator().Cluster(ctx)
	if err != nil {
		return nil, err.Error()
	}
	return state, ""
}

// metrics are the node's; "" where it does not answer.
func (n *node) metrics() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.ip+":8001/metrics", nil)
	if err != nil {
		return ""
	}
	ask.Header.Set("Authorization", "Bearer "+adminToken)
	answer, err := n.web.Do(ask)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()          //nolint:errcheck // it was read
	text, _ := io.ReadAll(answer.Body) // what came is enough
	return string(text)
}

// named is the node of that name.
func (c *cluster) named(name string) *node {
	c.t.Helper()
	for _, n := range c.nodes {
		if n.name == name {
			return n
		}
	}
	c.t.Fatalf("no node is called %q", name)
	return nil
}

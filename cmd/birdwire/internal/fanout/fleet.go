package fanout

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Fleet is a cluster of nodes on this machine, each a process with GOMAXPROCS=1 and
// certificates, and all with the same keys. Subscribers are twitter's, five to a key
// that has one rule for every post there is; those of one key are on different nodes.
type Fleet struct {
	executable, dir string
	logs            string // folder to keep the nodes' logs in; "": none are kept
	nodes           []*fleetNode
	keys            []string
	size            int
	next            counter // of connections
	pushed          counter // of posts
}

type fleetNode struct {
	*Product
	name  string
	flags []string
	up    bool
}

// counter gives numbers from 0 on, to whoever asks.
type counter struct {
	mu sync.Mutex // protects n
	n  int
}

func (c *counter) take() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n - 1
}

// StartFleet starts a node that is alone, or three, and makes keys for so many
// subscribers. Of a fleet of two the third ends in order then: two that were never
// three are no cluster.
func StartFleet(ctx context.Context, executable, logs string, nodes, subscribers, size int) (_ *Fleet, err error) {
	dir, err := os.MkdirTemp("", "birdwire-bench-")
	if err != nil {
		return nil, err
	}
	f := &Fleet{executable: executable, dir: dir, logs: logs, size: size}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Stop())
		}
	}()
	flags := [][]string{nil}
	if nodes > 1 {
		if flags, err = f.settle(ctx); err != nil {
			return nil, err
		}
	}
	for i, own := range flags {
		f.nodes = append(f.nodes, &fleetNode{name: fmt.Sprint("n", i+1), flags: append(own, "--drain", "1s")})
	}
	if err := f.start(ctx, f.nodes...); err != nil {
		return nil, err
	}
	for range (subscribers + twitterEach - 1) / twitterEach {
		first := f.nodes[0].Product
		if err := first.makeKey(ctx); err != nil {
			return nil, err
		}
		f.keys = append(f.keys, first.keys[len(first.keys)-1])
	}
	if nodes == 2 {
		last := f.nodes[2]
		if err := last.process.Process.Signal(syscall.SIGTERM); err != nil {
			return nil, err
		}
		last.up = false
		if err := last.process.Wait(); err != nil {
			return nil, err
		}
		if err := f.await(ctx, time.Minute, func(s fleetState) bool { return s.core() == 2 }); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// settle makes the secret, the certificates and each node's flags.
func (f *Fleet) settle(ctx context.Context) (flags [][]string, err error) {
	made := filepath.Join(f.dir, "cluster")
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, f.executable, args...)
		cmd.Args[0] = programName
		said, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, said)
		}
		return nil
	}
	if err := run("cluster", "init", "--dir", made); err != nil {
		return nil, err
	}
	ports, err := freePorts(9)
	if err != nil {
		return nil, err
	}
	for i := range 3 {
		name := fmt.Sprint("n", i+1)
		if err := run("cluster", "certs", name, "--dir", made, "--host", "127.0.0.1"); err != nil {
			return nil, err
		}
		flags = append(flags, []string{
			"--node", name, "--join", strings.Join(ports[:3], ","), "--gossip", ports[i], "--link", ports[3+i], "--routes", ports[6+i],
			"--secret-file", filepath.Join(made, "secret"), "--cert-dir", filepath.Join(made, name),
		})
	}
	return flags, nil
}

// freePorts are addresses that nobody listens on, by TCP or UDP, below those that
// systems give away. They are any of those: another fleet beside this one looks too, and
// what is free is not taken before its node starts.
func freePorts(n int) (all []string, err error) {
	for range 10_000 {
		address := fmt.Sprint("127.0.0.1:", 12_000+rand.IntN(18_000))
		tcp, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		tcp.Close()
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		udp.Close()
		if slices.Contains(all, address) {
			continue
		}
		if all = append(all, address); len(all) == n {
			return all, nil
		}
	}
	return nil, errors.New("no free ports")
}

// start begins processes and waits until all of them serve.
func (f *Fleet) start(ctx context.Context, nodes ...*fleetNode) error {
	for _, n := range nodes {
		n.Product = &Product{dir: filepath.Join(f.dir, n.name), twitter: true, size: f.size, http: httpClient(), errors: io.Discard}
		flags := n.flags
		if f.logs != "" {
			log, err := os.OpenFile(filepath.Join(f.logs, n.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer log.Close() // the process has one of its own
			n.errors = log
			flags = append(slices.Clone(flags), "--log-level", "info")
		}
		if err := n.begin(ctx, f.executable, flags...); err != nil {
			return err
		}
		n.up = true
	}
	for _, n := range nodes {
		if err := n.ready(); err != nil {
			return fmt.Errorf("node %s: %w", n.name, err)
		}
	}
	if len(f.nodes) == 1 {
		return nil
	}
	return f.await(ctx, time.Minute, func(s fleetState) bool {
		return s.core() == len(f.up()) && s.Store.Leader != "" && len(s.Problems) == 0
	})
}

func (f *Fleet) up() (all []*fleetNode) {
	for _, n := range f.nodes {
		if n.up {
			all = append(all, n)
		}
	}
	return all
}

// fleetState is the cluster as one node shows it.
type fleetState struct {
	Nodes []struct {
		Name, State string
		Shards      int
	}
	Store struct {
		Leader   string
		Replicas []struct {
			Node  string
			Leads []string
		}
	}
	Problems []string
}

func (s fleetState) core() (n int) {
	for _, node := range s.Nodes {
		if node.State == "core" {
			n++
		}
	}
	return n
}

// led says whether the node takes the writes of a stream, or leads what the cluster
// knows of them.
func (s fleetState) led(node string) bool {
	for _, r := range s.Store.Replicas {
		if r.Node == node && len(r.Leads) > 0 {
			return true
		}
	}
	return s.Store.Leader == node
}

func (n *fleetNode) state(ctx context.Context) (s fleetState, err error) {
	var b bytes.Buffer
	if err := n.get(ctx, "/admin/v1/cluster", &b); err != nil {
		return s, err
	}
	return s, json.Unmarshal(b.Bytes(), &s)
}

// await waits until every node that is up sees the cluster so.
func (f *Fleet) await(ctx context.Context, patience time.Duration, so func(fleetState) bool) error {
	late := time.Now().Add(patience)
	for _, n := range f.up() {
		for {
			s, err := n.state(ctx)
			if err == nil && so(s) {
				break
			}
			if time.Now().After(late) {
				return fmt.Errorf("after %v node %s shows %+v, %w", patience, n.name, s, err)
			}
			if err := wait(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

// until waits until so holds of every node that is up.
func (f *Fleet) until(ctx context.Context, so func(*fleetNode) (bool, error)) error {
	late := time.Now().Add(time.Minute)
	for _, n := range f.up() {
		for {
			is, err := so(n)
			if is && err == nil {
				break
			}
			if time.Now().After(late) {
				return fmt.Errorf("node %s has not come to it in a minute: %w", n.name, err)
			}
			if err := wait(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends all nodes at once, since none has a majority when the others have ended.
func (f *Fleet) Stop() error {
	for _, n := range f.up() {
		_ = n.process.Process.Kill() // what it had goes with its folder
		_ = n.process.Wait()
	}
	return os.RemoveAll(f.dir)
}

// Name is what reports call it.
func (f *Fleet) Name() string { return fmt.Sprintf("%d of %d", len(f.up()), len(f.nodes)) }

// PIDs are those of the nodes that are up.
func (f *Fleet) PIDs() (all []int) {
	for _, n := range f.up() {
		all = append(all, n.process.Process.Pid)
	}
	return all
}

// Connect opens the next subscriber at the next node.
func (f *Fleet) Connect(ctx context.Context) (Stream, error) {
	i, up := f.next.take(), f.up()
	return up[i%len(up)].open(ctx, "/v1/twitter/stream?api_key="+f.keys[i/twitterEach%len(f.keys)])
}

// Publish pushes posts at the next node.
func (f *Fleet) Publish(ctx context.Context, events int) error {
	first, up := f.pushed.take(), f.up()
	for range events - 1 {
		f.pushed.take()
	}
	return up[first%len(up)].pushPosts(ctx, f.keys[0], first, events)
}

// pushPosts pushes posts of these numbers, which may have been taken before.
func (n *fleetNode) pushPosts(ctx context.Context, key string, first, events int) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for i := range events {
		n.made = first + i + 1
		_ = encoder.Encode(n.post()) // into memory, of plain strings: it cannot fail
	}
	var answer struct{ Accepted, Duplicates int }
	if err := n.call(ctx, "http://"+n.listen+"/v1/ingest/posts", "x-api-key", key, body.Bytes(), &answer); err != nil {
		return err
	}
	if answer.Accepted+answer.Duplicates != events {
		return fmt.Errorf("%d of %d posts were accepted", answer.Accepted, events)
	}
	return nil
}

// Live sums up what the nodes have in use.
func (f *Fleet) Live(ctx context.Context) (heap, stacks int64, err error) {
	for _, n := range f.up() {
		h, s, err := n.Live(ctx)
		if err != nil {
			return 0, 0, err
		}
		heap, stacks = heap+h, stacks+s
	}
	return heap, stacks, nil
}

// Traffic is what nodes have sent each other: by the link, and by the routes of their
// stores.
type Traffic struct {
	LinkMessages  float64 `json:"link_messages"`
	LinkBytes     float64 `json:"link_bytes"`
	StoreMessages float64 `json:"store_messages"`
	StoreBytes    float64 `json:"store_bytes"`
}

func (t Traffic) less(o Traffic, times float64) Traffic {
	return Traffic{t.LinkMessages - o.LinkMessages*times, t.LinkBytes - o.LinkBytes*times, t.StoreMessages - o.StoreMessages*times, t.StoreBytes - o.StoreBytes*times}
}

func (t Traffic) each(n float64) Traffic {
	return Traffic{t.LinkMessages / n, t.LinkBytes / n, t.StoreMessages / n, t.StoreBytes / n}
}

var trafficLine = regexp.MustCompile(`(?m)^birdwire_(link_sent|link_sent_bytes|store_routes_sent|store_routes_sent_bytes)_total\{[^}]*\} (\S+)$`)

// Traffic is the sum over all nodes that are up, since they began.
func (f *Fleet) Traffic(ctx context.Context) (t Traffic, err error) {
	for _, n := range f.up() {
		var page bytes.Buffer
		if err := n.get(ctx, "/metrics", &page); err != nil {
			return t, err
		}
		for _, m := range trafficLine.FindAllSubmatch(page.Bytes(), -1) {
			v, err := strconv.ParseFloat(string(m[2]), 64)
			if err != nil {
				return t, err
			}
			*map[string]*float64{
				"link_sent": &t.LinkMessages, "link_sent_bytes": &t.LinkBytes,
				"store_routes_sent": &t.StoreMessages, "store_routes_sent_bytes": &t.StoreBytes,
			}[string(m[1])] += v
		}
	}
	return t, nil
}

// Spread is what a number of nodes has shown under one load.
type Spread struct {
	Nodes     int     `json:"nodes"`
	Paced     Figures `json:"paced"`     // the load at its rate
	Saturated Figures `json:"saturated"` // bursts of 16, as fast as they were delivered
	PerEvent  Traffic `json:"per_event"` // between nodes, of the load at its rate, what they send when idle taken off
	IdleEach  Traffic `json:"idle_each"` // a second, between nodes, with nothing to do
}

// MeasureSpread puts so many nodes under the load.
func MeasureSpread(ctx context.Context, executable, logs string, nodes int, l Load) (s Spread, err error) {
	f, err := StartFleet(ctx, executable, logs, nodes, l.Subscribers, l.Size)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Stop()) }()
	s.Nodes = nodes
	const idle = 3 * time.Second
	before, err := f.Traffic(ctx)
	if err != nil {
		return s, err
	}
	if err := wait(ctx, idle); err != nil {
		return s, err
	}
	after, err := f.Traffic(ctx)
	if err != nil {
		return s, err
	}
	s.IdleEach = after.less(before, 1).each(idle.Seconds())

	var errs [2]error
	l.Idle = func() { before, errs[0] = f.Traffic(ctx) }
	l.Done = func() { after, errs[1] = f.Traffic(ctx) }
	if s.Paced, err = Run(ctx, f, l); err != nil {
		return s, err
	}
	if err := errors.Join(errs[:]...); err != nil {
		return s, err
	}
	s.PerEvent = after.less(before, 1).less(s.IdleEach, s.Paced.Took.Seconds()).each(float64(max(s.Paced.Published, 1)))
	l.Idle, l.Done, l.Rate, l.Burst = nil, nil, 0, 16
	s.Saturated, err = Run(ctx, f, l)
	return s, err
}

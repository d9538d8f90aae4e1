package node

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// testLog shows warnings with the test they belong to, until it ends.
type testLog struct {
	t    *testing.T
	mu   sync.Mutex // protects done: the node logs from many goroutines
	done bool
}

func (l *testLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.t.Log(strings.TrimSpace(string(line)))
	}
	return len(line), nil
}

// start runs a node on ports of its own until the test ends. Articles come once:
// they are not enriched.
func start(t *testing.T, cfg Config) *Node {
	t.Helper()
	cfg.Enrich.Off = true
	return startEnriching(t, cfg)
}

// startEnriching is start with articles that are.
func startEnriching(t *testing.T, cfg Config) *Node {
	t.Helper()
	out := &testLog{t: t}
	cfg.Listen, cfg.Admin, cfg.Drain = "127.0.0.1:0", "127.0.0.1:0", time.Millisecond
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	n, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := n.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
		out.mu.Lock()
		out.done = true
		out.mu.Unlock()
	})
	return n
}

// mint makes a key that may do everything.
func mint(t *testing.T, n *Node, plan string) string {
	t.Helper()
	text, id, hash, err := gateway.MintKey(rand.Reader, "")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := keys{n, 10 * time.Second}.Ask(context.Background(), id, &messages.CreateKey{Key: &messages.Key{
		Id: id, Name: "test", Plan: plan, Scopes: gateway.Scopes, SecretHash: hash, State: messages.KeyState_KEY_ACTIVE,
		CreatedMs: time.Now().UnixMilli(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := answer.(*messages.KeyDescribed); !ok {
		t.Fatalf("create key: %v", answer)
	}
	return text
}

// pushBody sends a body and returns the status and what was accepted.
func pushBody(t *testing.T, n *Node, key, kind, body string) (status, accepted int) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, "http://"+n.Listen()+"/v1/ingest/"+kind, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("x-api-key", key)
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Accepted int }
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("status %d: %s", response.StatusCode, data)
	}
	return response.StatusCode, answer.Accepted
}

func article(id string) string {
	return fmt.Sprintf(`{"id":%q,"url":"https://example.com/%s","title":"Title of %s","category":"business","source":{"id":"wire","name":"Wire"}}`+"\n", id, id, id)
}

// wire is a raw WebSocket client.
type wire struct {
	net.Conn
	*bufio.Reader
}

func dial(n *Node, path string) (*wire, error) {
	c, err := net.Dial("tcp", n.Listen())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	r := bufio.NewReaderSize(c, 512)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		c.Close()
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(response.Body)
		c.Close()
		return nil, fmt.Errorf("status %d: %s", response.StatusCode, body)
	}
	return &wire{c, r}, nil
}

// next reads one text frame.
func (w *wire) next() (string, error) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(w.Reader, head[:2]); err != nil {
			return "", err
		}
		n := int(head[1] & 0x7f)
		if n == 126 {
			if _, err := io.ReadFull(w.Reader, head[2:4]); err != nil {
				return "", err
			}
			n = int(head[2])<<8 | int(head[3])
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(w.Reader, payload); err != nil {
			return "", err
		}
		switch head[0] & 0xf {
		case 1:
			return string(payload), nil
		case 8:
			return "", io.EOF
		}
	}
}

func TestAFullDiskStopsIngestLosesNothingAndRecovers(t *testing.T) {
	var free atomic.Uint64
	free.Store(100 << 30)
	n := start(t, Config{FreeSpace: func(string) (uint64, uint64, error) { return free.Load(), 200 << 30, nil }})
	key := mint(t, n, "business")
	var accepted []string
	try := func(i int) int {
		id := fmt.Sprint("a", i)
		status, taken := pushBody(t, n, key, "articles", article(id))
		if taken == 1 {
			accepted = append(accepted, id)
		}
		return status
	}
	i, deadline := 0, time.Now().Add(20*time.Second)
	until := func(want int) {
		t.Helper()
		for ; time.Now().Before(deadline); i++ {
			if got := try(i); got == want {
				return
			}
		}
		t.Fatalf("no push was answered with %d", want)
	}
	until(http.StatusAccepted)
	free.Store(10 << 20)
	until(http.StatusServiceUnavailable)
	taken := len(accepted)
	free.Store(100 << 30)
	until(http.StatusAccepted)
	if len(accepted) <= taken {
		t.Fatal("nothing was accepted after space was there again")
	}
	id := strings.Split(key, "_")[1]
	w, err := dial(n, fmt.Sprintf("/api/ws?key=%s&resume=%s-0.0&filters=%%7B%%7D", key, n.store.Journal().Epoch()))
	if err != nil {
		t.Fatalf("key %s: %v", id, err)
	}
	defer w.Close()
	// What was refused may be there all the same: an answer can be lost, or the
	// disk fill between the log's write and the table's. What was accepted must be.
	for got := 0; got < len(accepted); {
		frame, err := w.next()
		if err != nil {
			t.Fatalf("after %d of %d articles: %v", got, len(accepted), err)
		}
		if strings.Contains(frame, fmt.Sprintf(`"id":%q`, accepted[got])) {
			got++
		} else if slices.ContainsFunc(accepted, func(id string) bool { return strings.Contains(frame, fmt.Sprintf(`"id":%q`, id)) }) {
			t.Fatalf("after %d of %d articles came %s, want %s", got, len(accepted), frame, accepted[got])
		}
	}
}

// Five thousand connections opened, fed and closed leave no goroutine and take
// no memory afterwards.
func TestFiveThousandConnectionsLeaveNothing(t *testing.T) {
	const connections = 5000
	if err := raiseOpenFiles(2*connections + 200); err != nil {
		t.Skipf("this system does not let a process have %d files open: %v", 2*connections+200, err)
	}
	n := start(t, Config{KiteConnections: connections + 10, answerTime: 10 * time.Minute})
	key := mint(t, n, "business")
	// One round first: what is kept for good (pools, caches, tables that have
	// grown) is kept after it.
	openFeedClose(t, n, key, "first", connections)
	before, heap := settled(n)
	openFeedClose(t, n, key, "second", connections)
	// Slots are given back by writes that go on after the last socket is gone.
	const most = 2 << 20
	goroutines, after := settled(n)
	for same := 0; (goroutines > before+10 || after > heap+most) && same < 50; {
		g, h := settled(n)
		if same++; g < goroutines || h < after-4096 {
			same = 0
		}
		goroutines, after = g, h
	}
	if goroutines > before+10 {
		var stacks bytes.Buffer
		buf := make([]byte, 1<<20)
		stacks.Write(buf[:runtime.Stack(buf, true)])
		t.Fatalf("%d goroutines, %d before\n%s", goroutines, before, stacks.String()[:min(stacks.Len(), 8000)])
	}
	if grown := int64(after) - int64(heap); grown > most {
		t.Fatalf("the heap grew by %d bytes: %d for each connection that was", grown, grown/connections)
	}
}

// settled collects garbage once the node has no connection any more.
func settled(n *Node) (goroutines int, heap uint64) {
	for n.doors.Connections() > 0 {
		runtime.Gosched()
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), m.HeapAlloc
}

func openFeedClose(t *testing.T, n *Node, key, name string, connections int) {
	t.Helper()
	wires := make([]*wire, connections)
	var opening sync.WaitGroup
	turns := make(chan struct{}, 32)
	for i := range wires {
		turns <- struct{}{}
		opening.Go(func() {
			defer func() { <-turns }()
			w, err := dial(n, "/api/ws?key="+key)
			if err == nil {
				_, err = w.next() // connected
			}
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			wires[i] = w
		})
	}
	opening.Wait()
	if t.Failed() {
		t.FailNow()
	}
	pushBody(t, n, key, "articles", article(name+"-1")+article(name+"-2"))
	for i, w := range wires {
		for _, id := range []string{name + "-1", name + "-2"} {
			frame, err := w.next()
			if err != nil || !strings.Contains(frame, fmt.Sprintf(`"id":%q`, id)) {
				t.Fatalf("connection %d: %s %v, want %s", i, frame, err, id)
			}
		}
	}
	for _, w := range wires {
		w.Close()
	}
}

// slowBody begins to push a body that goes on until feed is closed; first has how
// that ended.
func slowBody(t *testing.T, n *Node, key string) (feed *io.PipeWriter, first chan error) {
	slow, feed := io.Pipe()
	first = make(chan error, 1)
	go func() {
		req, err := http.NewRequest("POST", "http://"+n.Listen()+"/v1/ingest/posts", slow)
		if err == nil {
			req.Header.Set("X-Api-Key", key)
			var res *http.Response
			if res, err = http.DefaultClient.Do(req); err == nil {
				err = res.Body.Close()
			}
		}
		first <- err
		slow.Close() // who writes must not wait for one that was refused
	}()
	// More than the client gathers before it sends.
	if _, err := io.WriteString(feed, post("2", strings.Repeat("first ", 1000))); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	return feed, first
}

// The bounds of what is pushed are the configuration's.
func TestPushLimitsAreSettings(t *testing.T) {
	n := start(t, Config{Push: PushLimits{Body: 16 << 10, OfKey: 1, Pause: time.Minute}})
	key := mint(t, n, "business")
	if status, _ := pushBody(t, n, key, "posts", post("1", strings.Repeat("long ", 4000))); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body past the bound: %d", status)
	}
	if status, taken := pushBody(t, n, key, "posts", post("1", "short")); status != http.StatusAccepted || taken != 1 {
		t.Errorf("a body within it: %d, %d", status, taken)
	}
	feed, first := slowBody(t, n, key)
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, _ := pushBody(t, n, key, "posts", post("3", "second"))
		if status == http.StatusTooManyRequests {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a second body of the key: %d", status)
		}
		select {
		case <-first: // it came while the other one was there, and was refused itself
			feed.Close()
			feed, first = slowBody(t, n, key)
		default:
		}
	}
	if err := errors.Join(feed.Close(), <-first); err != nil {
		t.Error(err)
	}
}

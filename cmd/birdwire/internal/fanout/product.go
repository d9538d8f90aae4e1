package fanout

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Product is a Birdwire node in a process of its own: the whole way from ingest
// to socket, the synced log included. Its subscribers are kite's, unfiltered,
// and its events articles; or twitter's, five to a key that has one filter rule
// for every post there is, and its events posts.
type Product struct {
	process       *exec.Cmd
	out           io.Reader // its stdout
	errors        io.Writer // takes its stderr; nil: this process's own
	dir           string
	listen, admin string
	token         string
	keys          []string
	twitter       bool
	connected     atomic.Int64
	size, made    int
	http          *http.Client
}

// twitterEach is how many connections a key may have.
const twitterEach = 5

var readyLine = regexp.MustCompile(`^ready listen=(\S+) admin=(\S+)`)

// StartProduct runs executable as a server with GOMAXPROCS=1 and a folder of
// its own that goes with it.
func StartProduct(ctx context.Context, executable string, twitter bool, subscribers, size int) (_ *Product, err error) {
	dir, err := os.MkdirTemp("", "birdwire-bench-")
	if err != nil {
		return nil, err
	}
	p := &Product{dir: dir, twitter: twitter, size: size, http: httpClient()}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if err := p.begin(ctx, executable, "--limits-kite-connections", fmt.Sprint(subscribers+1), "--drain", "1ms"); err != nil {
		return nil, err
	}
	if err := p.ready(); err != nil {
		return nil, err
	}
	keys := 1
	if twitter {
		keys = (subscribers + twitterEach - 1) / twitterEach
	}
	for range max(keys, 1) {
		if err := p.makeKey(ctx); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// begin starts the process, which may not be ready yet.
func (p *Product) begin(ctx context.Context, executable string, flags ...string) (err error) {
	p.process = exec.CommandContext(ctx, executable, append([]string{
		"serve", "--data", p.dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-level", "error",
		"--enrich-articles=false", // an article is delivered once, as what it is held against does
	}, flags...)...)
	p.process.Args[0] = programName
	p.process.Env = append(os.Environ(), "GOMAXPROCS=1")
	p.process.Stderr = p.errors
	if p.errors == nil {
		p.process.Stderr = os.Stderr
	}
	if p.out, err = p.process.StdoutPipe(); err != nil {
		return err
	}
	if err := p.process.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	return nil
}

// ready waits for the line that says where the server is.
func (p *Product) ready() error {
	line, err := bufio.NewReader(p.out).ReadString('\n')
	found := readyLine.FindStringSubmatch(line)
	if err != nil || found == nil {
		return fmt.Errorf("start the server: it said %q: %w", line, err)
	}
	p.listen, p.admin = found[1], found[2]
	token, err := os.ReadFile(filepath.Join(p.dir, "admin.token"))
	if err != nil {
		return err
	}
	p.token = strings.TrimSpace(string(token))
	return nil
}

func (p *Product) makeKey(ctx context.Context) error {
	var made struct{ Key string }
	body := `{"name":"bench","plan":"business","scopes":["ws:connect","rules:write","ingest:write"]}`
	// A cluster that has just started may answer 503 while its shards are taken. That a
	// key may have been made all the same costs nothing.
	for late := time.Now().Add(time.Minute); ; {
		err := p.call(ctx, "http://"+p.admin+"/admin/v1/keys", "Authorization", "Bearer "+p.token, []byte(body), &made)
		if err == nil {
			break
		}
		if !errors.Is(err, errUnavailable) || time.Now().After(late) || ctx.Err() != nil {
			return fmt.Errorf("make a key: %w", err)
		}
		time.Sleep(250 * time.Millisecond)
	}
	p.keys = append(p.keys, made.Key)
	if !p.twitter {
		return nil
	}
	return p.makeRule(ctx, made.Key, strings.TrimSpace(stampMark))
}

func (p *Product) makeRule(ctx context.Context, key, query string) error {
	rule := []byte(`{"tag":"bench","query":"` + query + `"}`)
	var created struct{ ID string }
	if err := p.call(ctx, "http://"+p.listen+"/v1/twitter/stream/filter-rules", "x-api-key", key, rule, &created); err != nil {
		return fmt.Errorf("make a rule: %w", err)
	}
	return nil
}

func (p *Product) call(ctx context.Context, url, header, value string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(header, value)
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	switch {
	case response.StatusCode == http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s", errUnavailable, bytes.TrimSpace(answer))
	case response.StatusCode/100 != 2:
		return fmt.Errorf("status %d: %s", response.StatusCode, bytes.TrimSpace(answer))
	}
	return json.Unmarshal(answer, into)
}

var errUnavailable = errors.New("status 503")

// Stop ends the server and removes its folder.
func (p *Product) Stop() error {
	var err error
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Signal(syscall.SIGTERM) // gone already: Wait says how
		err = p.process.Wait()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// Name is what reports call it.
func (p *Product) Name() string { return "birdwire" }

// PIDs are those of the processes whose time is measured.
func (p *Product) PIDs() []int { return []int{p.process.Process.Pid} }

// Live has the server collect its garbage, which asking for a heap profile
// does, and reads what is in use from its metrics. A pool lets go of what it
// holds, megabytes of the store's, only in the second collection after its use.
func (p *Product) Live(ctx context.Context) (heap, stacks int64, err error) {
	for range 3 {
		if err := p.Heap(ctx, io.Discard); err != nil {
			return 0, 0, fmt.Errorf("collect the server's garbage: %w", err)
		}
	}
	var page bytes.Buffer
	if err := p.get(ctx, "/metrics", &page); err != nil {
		return 0, 0, fmt.Errorf("read the server's memory: %w", err)
	}
	for _, m := range liveMetrics.FindAllSubmatch(page.Bytes(), -1) {
		v, err := strconv.ParseFloat(string(m[2]), 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read the server's memory: %w", err)
		}
		if string(m[1]) == "stack_inuse" {
			stacks = int64(v)
		} else {
			heap = int64(v)
		}
	}
	return heap, stacks, nil
}

var liveMetrics = regexp.MustCompile(`(?m)^go_memstats_(heap_alloc|stack_inuse)_bytes (\S+)$`)

// get reads something of the operators'.
func (p *Product) get(ctx context.Context, path string, into io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, response.StatusCode)
	}
	_, err = io.Copy(into, response.Body)
	return err
}

// Heap has the server collect its garbage, and writes a profile of what is in
// use to w.
func (p *Product) Heap(ctx context.Context, w io.Writer) error {
	return p.get(ctx, "/debug/pprof/heap?gc=1", w)
}

// Profile writes the server's CPU profile of the next d to w.
func (p *Product) Profile(ctx context.Context, d time.Duration, w io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, d+30*time.Second)
	defer cancel()
	return p.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(d.Seconds()))), w)
}

// Connect opens a subscriber, up to its first frame.
func (p *Product) Connect(ctx context.Context) (Stream, error) {
	path := "/api/ws?key=" + p.keys[0]
	if p.twitter {
		path = "/v1/twitter/stream?api_key=" + p.keys[int(p.connected.Add(1)-1)/twitterEach]
	}
	return p.open(ctx, path)
}

func (p *Product) open(ctx context.Context, path string) (_ Stream, err error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.listen)
	if err != nil {
		return Stream{}, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, p.listen)
	if err != nil {
		return Stream{}, err
	}
	reader := bufio.NewReaderSize(c, 1024)
	status, err := reader.ReadString('\n')
	if err != nil || !strings.Contains(status, " 101 ") {
		return Stream{}, fmt.Errorf("upgrade refused: %q: %w", strings.TrimSpace(status), err)
	}
	for line := ""; line != "\r\n"; {
		if line, err = reader.ReadString('\n'); err != nil {
			return Stream{}, err
		}
	}
	if _, _, err := readFrame(reader, nil); err != nil { // connected
		return Stream{}, err
	}
	return Stream{c, reader}, nil
}

// Publish pushes events; it returns once they are durable.
func (p *Product) Publish(ctx context.Context, events int) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	for range events {
		p.made++
		event := p.article()
		if p.twitter {
			event = p.post()
		}
		if err := encoder.Encode(event); err != nil {
			return err
		}
	}
	kind := "articles"
	if p.twitter {
		kind = "posts"
	}
	var answer struct{ Accepted int }
	if err := p.call(ctx, "http://"+p.listen+"/v1/ingest/"+kind, "x-api-key", p.keys[0], body.Bytes(), &answer); err != nil {
		return err
	}
	if answer.Accepted != events {
		return fmt.Errorf("%d of %d events were accepted", answer.Accepted, events)
	}
	return nil
}

// What a frame adds to the text in it, about.
const (
	newsEnvelope  = 480
	tweetEnvelope = 280
)

func (p *Product) article() any {
	return map[string]any{
		"id": fmt.Sprint("bench-", p.made), "url": fmt.Sprint("https://bench.invalid/", p.made), "category": "bench",
		"title": p.text(newsEnvelope), "source": map[string]string{"id": "bench", "name": "Bench"},
	}
}

func (p *Product) post() any {
	now := time.Now()
	return map[string]any{
		"id": fmt.Sprint(p.made), "text": p.text(tweetEnvelope), "created_at": now.UTC().Format(time.RFC3339Nano),
		"author": map[string]string{"id": "7", "username": "bench"},
	}
}

func (p *Product) text(envelope int) string {
	stamp := Stamp(time.Now())
	return stamp + strings.Repeat("x", max(0, p.size-len(stamp)-envelope))
}

// programName is what a process is called that is started here, whatever its file is.
const programName = "birdwire"

func httpClient() *http.Client { return &http.Client{Timeout: 30 * time.Second} }

package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// answer is what one HTTP request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// request sends one request; key is for the public listener, "" for the operators'.
func request(t *testing.T, n *Node, key, method, path, body string) answer {
	t.Helper()
	address := n.Listen()
	if key == "" {
		address = n.Admin()
	}
	r, err := http.NewRequest(method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("x-api-key", key)
	} else {
		token, err := os.ReadFile(filepath.Join(n.cfg.Dir, "admin.token"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(data)}
}

func post(id, text string) string {
	return fmt.Sprintf(`{"id":%q,"text":%q,"created_at":"2026-03-04T12:00:00Z","author":{"id":"1","username":"nasa"}}`+"\n", id, text)
}

// stop closes the node now rather than at the test's end, which may do it again.
func stop(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := n.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}

// A disk at its reserve refuses ingest and nothing else, also to a node that is
// started on it; one that is full to the floor says so to whoever connects.
func TestADiskAtItsReserveStopsIngestAlone(t *testing.T) {
	const mib, total = uint64(1 << 20), uint64(200 << 30)
	var free atomic.Uint64
	free.Store(total / 2)
	space := func(string) (uint64, uint64, error) { return free.Load(), total, nil }
	n := start(t, Config{FreeSpace: space})
	key := mint(t, n, "business")
	if a := request(t, n, key, "POST", rulesPath, `{"tag":"moon","query":"moon"}`); a.status != http.StatusCreated {
		t.Fatal(a)
	}
	if status, _ := pushBody(t, n, key, "posts", post("1", "to the moon")); status != http.StatusAccepted {
		t.Fatalf("push: %d", status)
	}
	epoch := n.store.Journal().Epoch()
	stop(t, n)

	free.Store(300 * mib)
	n = start(t, Config{Dir: n.cfg.Dir, FreeSpace: space})
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := request(t, n, key, "GET", path, ""); a.status != http.StatusOK {
			t.Errorf("%s at the reserve: %v", path, a)
		}
	}
	a := request(t, n, key, "POST", "/v1/ingest/posts", post("2", "to the moon"))
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "disk") || a.header.Get("Retry-After") == "" {
		t.Errorf("push at the reserve: %v; want 503 that says it is the disk", a)
	}
	w, err := dial(n, fmt.Sprintf("/v1/twitter/stream?api_key=%s&resume=%s-0.0", key, epoch))
	if err != nil {
		t.Fatalf("connect at the reserve: %v", err)
	}
	for {
		frame, err := w.next()
		if err != nil {
			t.Fatalf("resume at the reserve: %v", err)
		}
		if strings.Contains(frame, "to the moon") {
			break
		}
	}
	w.Close()
	if a := request(t, n, "", "GET", "/admin/v1/health", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"disk","ok":false`) {
		t.Errorf("the node's state at the reserve: %v", a)
	}
	if a := request(t, n, "", "GET", "/metrics", ""); !strings.Contains(a.body, "birdwire_store_full 1") {
		t.Error("the metric does not say that the disk is full")
	}

	free.Store(5 * mib)
	until(t, "not ready on a full disk", func() bool {
		a := request(t, n, key, "GET", "/readyz", "")
		return a.status == http.StatusServiceUnavailable && strings.Contains(a.body, "disk")
	})
	if a := request(t, n, key, "GET", "/healthz", ""); a.status != http.StatusOK {
		t.Errorf("/healthz on a full disk: %v", a)
	}
	if w, err := dial(n, "/api/ws?key="+key); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "disk") {
		t.Errorf("connect on a full disk: %v; want 503 that says it is the disk", err)
		if err == nil {
			w.Close()
		}
	}

	// What needs a shard that has not been used since the start needs a write.
	for _, made := range []struct{ what, path, body string }{
		{"a key", "/admin/v1/keys", `{"name":"late","plan":"pro"}`},
		{"a feed", "/admin/v1/feeds", `{"url":"http://192.0.2.1/","name":"late","category":"x","force":true}`},
	} {
		began := time.Now()
		a := request(t, n, "", "POST", made.path, made.body)
		if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "disk") || strings.Contains(a.body, "messages.") {
			t.Errorf("making %s on a full disk: %v; want 503 that says it is the disk", made.what, a)
		}
		if took := time.Since(began); made.what == "a key" && took > n.cfg.answerTime/2 {
			t.Errorf("that %s cannot be made was said after %v", made.what, took)
		}
	}

	if a := request(t, n, key, "POST", rulesPath, `{"tag":"sun","query":"sun"}`); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "disk is full") {
		t.Errorf("making a rule on a full disk: %v; want 503 that says it is the disk", a)
	}

	free.Store(total / 2)
	until(t, "ingest goes on", func() bool {
		status, _ := pushBody(t, n, key, "posts", post("2", "to the moon"))
		return status == http.StatusAccepted
	})
	until(t, "ready again", func() bool { return request(t, n, key, "GET", "/readyz", "").status == http.StatusOK })
}

// A start on a disk without space for a single record says that it is the disk.
func TestAStartOnAFullDiskSaysSo(t *testing.T) {
	n := start(t, Config{})
	stop(t, n)
	cfg := n.cfg
	cfg.FreeSpace = func(string) (uint64, uint64, error) { return 1 << 20, 200 << 30, nil }
	began := time.Now()
	n, err := Start(context.Background(), cfg)
	if err == nil {
		stop(t, n)
	}
	if err == nil || !strings.Contains(err.Error(), "disk nearly full") || time.Since(began) > 20*time.Second {
		t.Fatalf("start: %v after %v; want that the disk is full", err, time.Since(began))
	}
}

// The probes answer within their time while the disk hangs.
func TestProbesAnswerWhileTheDiskHangs(t *testing.T) {
	var hangs atomic.Bool
	hang := make(chan struct{})
	n := start(t, Config{FreeSpace: func(string) (uint64, uint64, error) {
		if hangs.Load() {
			<-hang
		}
		return 100 << 30, 200 << 30, nil
	}})
	key := mint(t, n, "business")
	hangs.Store(true)
	for range 20 {
		for _, path := range []string{"/healthz", "/readyz"} {
			began := time.Now()
			if request(t, n, key, "GET", path, ""); time.Since(began) > 5*time.Second {
				t.Fatalf("%s took %v", path, time.Since(began))
			}
		}
	}
	close(hang)
}

// A node whose store does nothing any more lives: a new process would find the
// same disk. It takes no traffic, and says why.
func TestANodeLivesWithoutItsStore(t *testing.T) {
	n := start(t, Config{})
	if err := n.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, asker := range []string{"no key", ""} { // of either listener; a key would keep a shard that ends with a write
		if a := request(t, n, asker, "GET", "/healthz", ""); a.status != http.StatusOK {
			t.Errorf("/healthz: %v", a)
		}
		if a := request(t, n, asker, "GET", "/readyz", ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "store") {
			t.Errorf("/readyz: %v; want 503 that names the store", a)
		}
	}
}

const rulesPath = "/v1/twitter/stream/filter-rules"

// until waits for what must come.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !done(); <-tick.C {
		if time.Since(began) > time.Minute {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// flipRecord flips a bit in the newest version of a control record.
func flipRecord(t *testing.T, dir, name string) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(dir, "store", "jetstream", "$G", "streams", "KV_control", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v; want one", blocks, err)
	}
	b, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	subject := []byte("$KV.control." + name)
	for at := bytes.LastIndex(b, subject); at >= 0; at = bytes.LastIndex(b[:at], subject) {
		if rest := b[at+len(subject):]; bytes.HasPrefix(rest[4:], []byte("NATS/")) {
			rest[60] ^= 1
			if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no record %s", name)
}

// One flipped bit in a record costs the key it is of, or the rule, or who was
// connected; everybody else is served, and the operator is told which it is.
func TestADamagedRecordCostsItself(t *testing.T) {
	n := start(t, Config{})
	hit, other := mint(t, n, "business"), mint(t, n, "business")
	hitID, otherID := gateway.Credential(hit).GetKeyId(), gateway.Credential(other).GetKeyId()
	var rules []string
	for _, tag := range []string{"moon", "sun"} {
		a := request(t, n, other, "POST", rulesPath, fmt.Sprintf(`{"tag":%q,"query":%q}`, tag, tag))
		_, id, _ := strings.Cut(a.body, `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		if rules = append(rules, id); a.status != http.StatusCreated {
			t.Fatal(a)
		}
	}
	stop(t, n)
	shard := actors.ShardOf(otherID)
	damaged := []string{actors.KeyRecord(hitID), actors.RuleRecord(otherID, rules[0]), actors.ShardRecord(shard), "nodes." + n.cfg.Name}
	for _, name := range damaged {
		flipRecord(t, n.cfg.Dir, name)
	}

	before := n.incarnation
	began := time.Now()
	n = start(t, Config{Dir: n.cfg.Dir})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the start took %v", took)
	}
	if n.incarnation <= before {
		t.Errorf("incarnation %d after %d", n.incarnation, before)
	}
	if a := request(t, n, hit, "GET", rulesPath, ""); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "damaged") {
		t.Errorf("the key that was hit: %v; want 503 that says why", a)
	}
	a := request(t, n, other, "GET", rulesPath, "")
	if a.status != http.StatusOK || !strings.Contains(a.body, rules[1]) || !strings.Contains(a.body, rules[0]+`","tag":"","query":"","interval_seconds":0,"status":"error","status_reason":"its record is damaged`) {
		t.Errorf("the rules of another: %v; want the one that is whole, and what the other is", a)
	}
	w, err := dial(n, "/v1/twitter/stream?api_key="+other)
	if err != nil {
		t.Fatalf("another key connects: %v", err)
	}
	defer w.Close()
	if status, taken := pushBody(t, n, other, "posts", post("1", "sun and moon")); status != http.StatusAccepted || taken != 1 {
		t.Fatalf("push: %d, %d", status, taken)
	}
	for {
		frame, err := w.next()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(frame, "sun and moon") {
			break
		}
	}
	if a := request(t, n, other, "GET", "/readyz", ""); a.status != http.StatusOK {
		t.Errorf("/readyz: %v", a)
	}
	a = request(t, n, "", "GET", "/admin/v1/health", "")
	for i, name := range damaged {
		// The last two can be made again, and are.
		if got, want := strings.Contains(a.body, name), i < 2; got != want {
			t.Errorf("health names %s: %v, want %v: %s", name, got, want, a.body)
		}
	}
	if !strings.Contains(a.body, "accept-loss") {
		t.Errorf("health says nothing of what to do: %s", a.body)
	}
	if a := request(t, n, "", "GET", "/metrics", ""); !strings.Contains(a.body, "birdwire_store_damage 2") && !strings.Contains(a.body, "birdwire_store_damage 3") {
		t.Error("the metric does not say that something is damaged")
	}
	// Its owner gives the rule up, and needs no operator for that.
	if a := request(t, n, other, "PATCH", rulesPath+"/"+rules[0], `{"tag":"moon"}`); a.status != http.StatusConflict || !strings.Contains(a.body, "damaged") {
		t.Errorf("changing the damaged rule: %v", a)
	}
	if a := request(t, n, other, "DELETE", rulesPath+"/"+rules[0], ""); a.status != http.StatusNoContent {
		t.Errorf("deleting the damaged rule: %v", a)
	}
	if a := request(t, n, other, "GET", rulesPath+"/"+rules[0], ""); a.status != http.StatusNotFound {
		t.Errorf("the rule after that: %v", a)
	}
	if a := request(t, n, "", "GET", "/admin/v1/health", ""); strings.Contains(a.body, rules[0]) || !strings.Contains(a.body, damaged[0]) {
		t.Errorf("health after that: %s", a.body)
	}
	if a := request(t, n, "", "GET", "/admin/v1/keys", ""); a.status != http.StatusOK || !strings.Contains(a.body, hitID) || !strings.Contains(a.body, otherID) {
		t.Errorf("the list of keys: %v", a)
	}
}

// A client whose replay comes to where events were lost is told which, and gets
// all others.
func TestALostEventIsTold(t *testing.T) {
	n := start(t, Config{})
	key := mint(t, n, "business")
	if a := request(t, n, key, "POST", rulesPath, `{"tag":"moon","query":"moon"}`); a.status != http.StatusCreated {
		t.Fatal(a)
	}
	for i := range 3 { // a frame each
		if status, _ := pushBody(t, n, key, "posts", post(fmt.Sprint("id", i), fmt.Sprint("moon number ", i))); status != http.StatusAccepted {
			t.Fatalf("push: %d", status)
		}
	}
	stop(t, n)
	blocks, err := filepath.Glob(filepath.Join(n.cfg.Dir, "store", "jetstream", "$G", "streams", "journal", "msgs", "*.blk"))
	if err != nil || len(blocks) != 1 {
		t.Fatalf("blocks %v, %v; want one", blocks, err)
	}
	b, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, []byte("moon number 1"))] ^= 1
	if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	accept := filepath.Join(n.cfg.Dir, "store", "accept-loss")
	if refused, err := Start(context.Background(), n.cfg); err == nil || !strings.Contains(err.Error(), "frame 2 of the journal") || !strings.Contains(err.Error(), accept) {
		if err == nil {
			stop(t, refused)
		}
		t.Fatalf("start: %v; want what is lost and what to do", err)
	}
	if err := os.WriteFile(accept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n = start(t, Config{Dir: n.cfg.Dir})
	w, err := dial(n, fmt.Sprintf("/v1/twitter/stream?api_key=%s&resume=%s-0.0", key, n.store.Journal().Epoch()))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var got []string
	for len(got) < 3 {
		frame, err := w.next()
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		switch {
		case strings.Contains(frame, "moon number"):
			_, rest, _ := strings.Cut(frame, "moon number ")
			got = append(got, rest[:1])
		case strings.Contains(frame, "lost"):
			got = append(got, "lost")
			for _, position := range []messages.Position{messages.At(2, 0), messages.EndOf(2)} {
				if !strings.Contains(frame, fmt.Sprint(uint64(position))) {
					t.Errorf("%s: want position %d", frame, position)
				}
			}
		}
	}
	if want := "[0 lost 2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

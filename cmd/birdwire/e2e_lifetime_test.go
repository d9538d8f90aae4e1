package main_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestReadyAndDrain: the ready line means that /readyz says 200; a server that
// was asked to end says 503, lets nobody in, tells its clients to come back,
// and exits 0.
func TestReadyAndDrain(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	operators := *s
	operators.public = s.admin
	for _, path := range []string{"/readyz", "/healthz"} {
		for _, at := range []*server{s, &operators} {
			if r := at.call(t, http.MethodGet, path, "", ""); r.status != http.StatusOK || r.body != `{"status":"ok"}` {
				t.Fatalf("%s after the ready line: %+v", path, r)
			}
		}
	}
	for _, path := range []string{"/metrics", "/admin/v1/keys", "/debug/pprof/heap"} {
		operators.call(t, http.MethodGet, path, "", "").want(t, http.StatusUnauthorized)
		s.call(t, http.MethodGet, path, "", "").want(t, http.StatusNotFound) // not on the public address
	}
	k := s.key(t, "pro").Key
	clients := []*socket{s.dial(t, twitterPath+k), s.dial(t, newsrankPath+k), s.dial(t, kitePath+k)}
	clients[0].read("connected", nil)
	clients[2].expect(kiteConnected)
	// It answers no close frame, and so holds the end up.
	silent := s.wire(t, kitePath+k)
	silent.expect(kiteConnected)

	s.terminate()
	for _, c := range clients {
		c.closed(1012)
	}
	silent.closed(1012)
	if r := s.call(t, http.MethodGet, "/readyz", "", "").want(t, http.StatusServiceUnavailable); r.header.Get("Retry-After") == "" {
		t.Fatalf("/readyz while draining: %+v; want Retry-After", r)
	}
	for _, path := range []string{twitterPath, newsrankPath, kitePath} {
		if r := s.refused(t, path+k, http.StatusServiceUnavailable); r.header.Get("Retry-After") == "" {
			t.Fatalf("a client while draining: %+v; want Retry-After", r)
		}
	}
	if err := silent.Close(); err != nil {
		t.Fatal(err)
	}
	if code := s.exit(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM, want 0", code)
	}
	if _, err := net.Dial("tcp", s.public); err == nil {
		t.Fatal("something listens still")
	}
}

// TestAStopThatIsNotCleanSaysSo: what could not be ended in order is named, and
// the exit code is not that of a clean end. Nothing is lost with it.
func TestAStopThatIsNotCleanSaysSo(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	s.faults = regexp.MustCompile(`clean`)
	pusher := s.pusher(t)
	s.push(t, client.Posts, pusher, post("1", "ada", "kept"))
	var inTheWay string // of the note that the store leaves when it ends
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if e != nil && e.Name() == "marks" && filepath.Base(filepath.Dir(path)) != "copies" {
			inTheWay = filepath.Join(filepath.Dir(path), "clean.new")
		}
		return err
	})
	if err != nil || inTheWay == "" {
		t.Fatalf("no folder of the store: %v", err)
	}
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	s.terminate()
	if code := s.exit(); code != 1 || !strings.Contains(s.notes.String(), inTheWay) {
		t.Errorf("exit code %d, want 1 and that %s is named", code, inTheWay)
	}
	again := start(t, s.dir)
	if done, err := again.tryPush(within(t), client.Posts, pusher, post("1", "ada", "kept")); err != nil || done.Duplicates != 1 {
		t.Errorf("the same post once more: %+v, %v; want that it is there", done, err)
	}
	again.kill()
}

// TestSlowUploadDoesNotHoldTheEnd: a body that never comes is cut off.
func TestSlowUploadDoesNotHoldTheEnd(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	conn, err := net.Dial("tcp", s.public)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the server hangs up
	if _, err := fmt.Fprintf(conn, "POST /v1/ingest/posts HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n", s.pusher(t)); err != nil {
		t.Fatal(err)
	}
	// Continue means that the server reads the body.
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	s.stop()
}

// TestSecondSignalEndsAtOnce, whoever holds the first one up.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	silent := s.wire(t, kitePath+s.key(t, "pro").Key)
	silent.expect(kiteConnected)
	s.terminate()
	silent.closed(1012)
	s.terminate()
	if code := s.exit(); code == 0 {
		t.Fatal("the second signal was taken for the first")
	}
	start(t, s.dir).stop() // nothing is the worse for it
}

// TestFolderInUse: two servers on one folder would be two writers of one log.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	second := run(t, "", "serve", "--data", s.dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if code := second.exit(); code != 1 {
		t.Fatalf("exit code %d, want 1", code)
	}
	for _, want := range []string{"data folder in use", s.dir, "stop it, or start this one on another folder"} {
		if said := second.notes.String(); !strings.Contains(said, want) {
			t.Errorf("it says %q, want %q in it", said, want)
		}
	}
	if second.out.String() != "" {
		t.Errorf("it printed %q", second.out)
	}
	s.push(t, client.Posts, s.pusher(t), post("1", "ada", "the first one is as well as before"))
	s.stop()
}

// TestAddressInUse is said before anything is opened.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	dir := filepath.Join(t.TempDir(), "data")
	second := run(t, "", "serve", "--data", dir, "--listen", s.public, "--admin", "127.0.0.1:0")
	if code := second.exit(); code != 1 || !strings.Contains(second.notes.String(), s.public) || !strings.Contains(second.notes.String(), "address already in use") {
		t.Fatalf("exit code %d: %s", code, second.notes)
	}
}

// TestDamagedFolder is refused with what to do, and doing it helps.
func TestDamagedFolder(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro").Key
	c := s.dial(t, kitePath+k+"&resume=new")
	c.expect(kiteConnected)
	c.begins()
	s.push(t, client.Articles, pusher, article("one", "a"))
	cursor := c.event().Cursor
	s.push(t, client.Articles, pusher, article("two", "a"), article("three", "a"))
	s.kill()

	// The second frame of the log rots.
	blocks, err := filepath.Glob(filepath.Join(s.dir, "store", "jetstream", "*", "streams", "journal", "msgs", "*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	rotten := 0
	for _, name := range blocks {
		if text, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if at := strings.Index(string(text), "https://news.example/two"); at > 0 && strings.Contains(string(text), "https://news.example/one") {
			text[at] ^= 1
			rotten++
			if err := os.WriteFile(name, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rotten == 0 {
		t.Fatalf("no block of %v holds what was pushed", blocks)
	}
	damaged := run(t, "", "serve", "--data", s.dir, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if code := damaged.exit(); code != 1 {
		t.Fatalf("exit code %d, want 1", code)
	}
	said := damaged.notes.String()
	accept := filepath.Join(s.dir, "store", "accept-loss")
	for _, want := range []string{"damaged: lost: ", "1.blk", "backup", accept} {
		if !strings.Contains(said, want) {
			t.Fatalf("it says %q, want %q in it", said, want)
		}
	}

	if err := os.WriteFile(accept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = start(t, s.dir)
	c = s.dial(t, kitePath+k+"&resume="+cursor)
	c.expect(kiteConnected)
	var e struct{ Message string }
	if raw := c.read("error", &e); !strings.Contains(e.Message, "another history") {
		t.Fatalf("a cursor of before: %s", raw)
	}
	c.leave()
	s.stop()
}

// TestBadConfiguration is refused with file, key and reason, all at once.
func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const text = "listen: 127.0.0.1:0\nretention:\n  age: 5s\n  bites: 1GiB\nplans:\n  tiny:\n    pro: maybe\n"
	if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := run(t, dir, "serve", "--config", "bad.yaml")
	if code := p.exit(); code != 1 {
		t.Fatalf("exit code %d, want 1", code)
	}
	for _, want := range []string{"bad.yaml: retention.bites: no such setting"} {
		if !strings.Contains(p.notes.String(), want) {
			t.Errorf("it says %q, want %q in it", p.notes, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("it did not take away %v (%v)", left, err)
	}
}

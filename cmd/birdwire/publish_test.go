package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// ingest is used instead of a server: it takes lines and refuses those that are no
// objects.
type ingest struct {
	mu     sync.Mutex // protects all below
	bodies []string
	busy   int // requests to refuse first
	got    chan string
}

func (i *ingest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	plain := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		zipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		plain = zipped
	}
	body, err := io.ReadAll(plain)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy > 0 {
		i.busy--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"error":"busy","detail":"try again","status":429,"accepted":0,"duplicates":0,"rejected":[]}`))
		return
	}
	i.bodies = append(i.bodies, string(body))
	var done client.Pushed
	for n, line := range bytes.Split(bytes.TrimRight(body, "\n"), []byte("\n")) {
		switch {
		case len(line) == 0:
		case json.Valid(line):
			done.Accepted++
		default:
			done.Rejected = append(done.Rejected, client.Rejected{Line: n + 1, Error: "no JSON"})
		}
	}
	_ = json.NewEncoder(w).Encode(done)
	if i.got != nil {
		i.got <- string(body)
	}
}

// publishes runs the command against i and returns its code, stdout and stderr.
func publishes(t *testing.T, i *ingest, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	var out, errs bytes.Buffer
	args = append([]string{"publish", "posts", "--key", "bw_test", "--server", server.URL}, args...)
	code = run(t.Context(), args, world{stdin: stdin, stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestPublishNamesBadLinesByTheirNumber(t *testing.T) {
	input := "{\"id\":\"1\"}\n\nnonsense\n{\"id\":\"2\"}\n"
	code, stdout, stderr := publishes(t, &ingest{}, strings.NewReader(input), "-", "--json")
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if want := `{"accepted":2,"duplicates":0,"rejected":[{"line":3,"error":"no JSON"}]}` + "\n"; stdout != want {
		t.Errorf("stdout %s, want %s", stdout, want)
	}
	if !strings.Contains(stderr, "line 3: no JSON") {
		t.Errorf("stderr %s", stderr)
	}
}

func TestPublishWaitsWhileTheServerIsBusy(t *testing.T) {
	code, stdout, stderr := publishes(t, &ingest{busy: 1}, strings.NewReader(`{"id":"1"}`), "-")
	if code != 0 || stdout != "accepted 1, duplicates 0, rejected 0\n" {
		t.Errorf("exit code %d, stdout %s, stderr %s", code, stdout, stderr)
	}
}

func TestPublishTakesArraysAndSpreadObjects(t *testing.T) {
	for _, input := range []string{
		"[{\"id\":\"1\"},\n {\"id\":\"2\"}]",
		"{\"id\":\"1\"}\n{\"id\":\"2\"}",
	} {
		code, stdout, stderr := publishes(t, &ingest{}, strings.NewReader(input), "-")
		if code != 0 || !strings.HasPrefix(stdout, "accepted 2,") {
			t.Errorf("%s: exit code %d, stdout %s, stderr %s", input, code, stdout, stderr)
		}
	}
	spread := &ingest{}
	if code, _, stderr := publishes(t, spread, strings.NewReader("{\n  \"id\": \"1\"\n}\n"), "-"); code == 2 {
		t.Errorf("a spread object is refused: %s", stderr)
	}
	if len(spread.bodies) != 1 || !json.Valid([]byte(spread.bodies[0])) {
		t.Errorf("a spread object was pushed as %q", spread.bodies)
	}
}

// A line of a live pipe is pushed while the pipe stays open, and numbers go on
// from one push to the next.
func TestPublishPushesAPipeAsItComes(t *testing.T) {
	r, w := io.Pipe()
	i := &ingest{got: make(chan string, 10)}
	type result struct {
		code           int
		stdout, stderr string
	}
	ended := make(chan result, 1)
	go func() {
		code, stdout, stderr := publishes(t, i, r, "-")
		ended <- result{code, stdout, stderr}
	}()
	pushed := func() string {
		select {
		case body := <-i.got:
			return body
		case r := <-ended:
			t.Fatalf("ended before the pipe did: %+v", r)
			return ""
		}
	}
	fmt.Fprintln(w, `{"id":"1"}`)
	if got := pushed(); got != "{\"id\":\"1\"}\n" {
		t.Errorf("pushed %q", got)
	}
	fmt.Fprintln(w, `{"id":"2"}`)
	fmt.Fprintln(w, `nonsense`)
	pushed()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := <-ended
	if got.code != exitFailed || got.stdout != "accepted 2, duplicates 0, rejected 1\n" || !strings.Contains(got.stderr, "line 3: no JSON") {
		t.Errorf("ended with %+v", got)
	}
}

// stopper ends what writes to it after the first line.
type stopper struct {
	bytes.Buffer
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	s.stop()
	return s.Buffer.Write(p)
}

// TestPublishSaysAtOnceWhatItWaitsFor: no server is there, and the user hears of
// it before the first wait and not after the last.
func TestPublishSaysAtOnceWhatItWaitsFor(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	notes := &stopper{stop: stop}
	var out bytes.Buffer
	code := run(ctx, []string{"publish", "posts", "-", "--key", "k", "--server", "http://127.0.0.1:1"}, world{
		stdin: strings.NewReader(`{"id":"1"}` + "\n"), stdout: &out, stderr: notes,
	})
	first, _, _ := strings.Cut(notes.String(), "\n")
	if code != exitFailed || first != "http://127.0.0.1:1: nothing listens there; again in 1s" {
		t.Errorf("exit code %d, %q", code, notes.String())
	}
}

package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// mill takes pushes line by line: a line that is no JSON object is rejected,
// one it had is a duplicate.
type mill struct {
	t      *testing.T
	url    string
	mu     sync.Mutex
	had    map[string]bool
	bodies []string
	// before answers instead of taking the whole, where it says so; it is told
	// the number of the push, from 1.
	before func(n int, w http.ResponseWriter, lines []string) bool
}

func openMill(t *testing.T) *mill {
	m := &mill{t: t, had: map[string]bool{}}
	s := httptest.NewServer(m)
	t.Cleanup(s.Close)
	m.url = s.URL
	return m
}

func (m *mill) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			m.t.Error(err)
			return
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		m.t.Error(err)
	}
	m.bodies = append(m.bodies, string(text))
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if m.before != nil && m.before(len(m.bodies), w, lines) {
		return
	}
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(m.take(lines))
}

func (m *mill) pushes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.bodies)
}

func (m *mill) take(lines []string) (done Pushed) {
	for i, line := range lines {
		switch {
		case strings.TrimSpace(line) == "":
		case !strings.HasPrefix(line, "{"):
			done.Rejected = append(done.Rejected, Rejected{Line: i + 1, Error: "no object"})
		case m.had[line]:
			done.Duplicates++
		default:
			m.had[line] = true
			done.Accepted++
		}
	}
	return done
}

func someLines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "{\"id\":\"%d\"}\n", i)
	}
	return b.String()
}

func TestPublish(t *testing.T) {
	for _, x := range []struct {
		name, input string
		want        Pushed
		pushes      int
	}{
		{"nothing", "", Pushed{}, 0},
		{"white space", " \n\n\t", Pushed{}, 0},
		{"lines", someLines(0, 2500), Pushed{Accepted: 2500}, 3},
		{"byte order mark", "\ufeff" + someLines(0, 2), Pushed{Accepted: 2}, 1},
		{"no last line end", `{"id":"1"}`, Pushed{Accepted: 1}, 1},
		{"duplicates", someLines(0, 3) + someLines(1, 4), Pushed{Accepted: 4, Duplicates: 2}, 1},
		{"a bad line in a later batch", someLines(0, 1500) + "7\n" + someLines(1500, 1501), Pushed{Accepted: 1501, Rejected: []Rejected{{Line: 1501, Error: "no object"}}}, 2},
		{"empty lines count", "\n\n" + someLines(0, 1) + "\n7\n", Pushed{Accepted: 1, Rejected: []Rejected{{Line: 5, Error: "no object"}}}, 1},
		{"array", ` [ {"id": "1"}, 7, {"id":"2"} ] `, Pushed{Accepted: 2, Rejected: []Rejected{{Line: 2, Error: "no object"}}}, 1},
		{"object over lines", "{\n\"id\": \"1\"\n}\n", Pushed{Accepted: 1, Rejected: []Rejected{{Line: 2, Error: "no object"}, {Line: 3, Error: "no object"}}}, 1},
	} {
		m := openMill(t)
		got, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(x.input), PublishOptions{})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(x.want) || m.pushes() != x.pushes {
			t.Errorf("%s: %+v after %d pushes, %v", x.name, got, m.pushes(), err)
		}
	}
}

// TestPublishThroughBackPressure: what was taken before the server was busy is
// accepted once and no duplicate.
func TestPublishThroughBackPressure(t *testing.T) {
	m := openMill(t)
	m.before = func(n int, w http.ResponseWriter, lines []string) bool {
		switch n {
		case 2, 3: // half of the second batch, then nothing
			done := m.take(lines[:len(lines)/2*(3-n)])
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = fmt.Fprintf(w, `{"error":"busy","detail":"later","status":429,"accepted":%d,"duplicates":0,"rejected":[]}`, done.Accepted)
			return true
		case 4: // the connection breaks
			panic(http.ErrAbortHandler)
		}
		return false
	}
	var sums []int
	got, err := newTestClient(t, m.url).Publish(context.Background(), Articles, strings.NewReader(someLines(0, 2000)), PublishOptions{Progress: func(p Pushed) { sums = append(sums, p.Accepted) }})
	if err != nil || got.Accepted != 2000 || got.Duplicates != 0 || len(m.had) != 2000 {
		t.Errorf("%+v, %v; the server has %d", got, err, len(m.had))
	}
	if fmt.Sprint(sums) != "[1000 2000]" {
		t.Errorf("progress %v", sums)
	}
}

// TestPublishGoesOnFromTheLine: nothing that the server has is sent again, but
// for what it took beyond the line; and that is no duplicate.
func TestPublishGoesOnFromTheLine(t *testing.T) {
	for name, beyond := range map[string]int{"nothing": 0, "some": 7} {
		m := openMill(t)
		var sent []int
		m.before = func(n int, w http.ResponseWriter, lines []string) bool {
			sent = append(sent, len(lines))
			if n > 3 {
				return false
			}
			next := []int{1, 401, 101}[n-1]
			done := m.take(lines[:next-1])
			if n > 1 {
				done.Accepted += m.take(lines[next : next+beyond]).Accepted
			}
			done.Next = next
			w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusServiceUnavailable}[n-1])
			_ = json.NewEncoder(w).Encode(struct {
				Error string `json:"error"`
				Pushed
			}{"busy", done})
			return true
		}
		input := someLines(0, 200) + "nope\n\n" + someLines(200, 998) + someLines(0, 3)
		got, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(input), PublishOptions{})
		want := Pushed{Accepted: 998, Duplicates: 3, Rejected: []Rejected{{Line: 201, Error: "no object"}}}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) || len(m.had) != 998 {
			t.Errorf("%s beyond: %+v, %v; the server has %d", name, got, err, len(m.had))
		}
		if fmt.Sprint(sent) != "[1000 1000 600 500 3]" {
			t.Errorf("%s beyond: sent %v lines", name, sent)
		}
	}
}

// TestPublishOfRejectedLines: they are told, and what comes after them is sent.
func TestPublishOfRejectedLines(t *testing.T) {
	m := openMill(t)
	m.before = func(n int, w http.ResponseWriter, lines []string) bool {
		if n > 1 {
			return false
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(struct {
			Error string `json:"error"`
			Pushed
		}{"validation_failed", m.take(lines)})
		return true
	}
	got, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(strings.Repeat("7\n", 1000)+someLines(0, 2)), PublishOptions{})
	if err != nil || got.Accepted != 2 || len(got.Rejected) != 1000 {
		t.Errorf("%d accepted, %d rejected, %v", got.Accepted, len(got.Rejected), err)
	}
}

func TestPublishGivesUp(t *testing.T) {
	m := openMill(t)
	m.before = func(n int, w http.ResponseWriter, _ []string) bool {
		if n == 2 {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	got, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(someLines(0, 2000)), PublishOptions{})
	if !errors.Is(err, ErrForbidden) || got.Accepted != 1000 {
		t.Errorf("%+v, %v", got, err)
	}

	m = openMill(t)
	m.before = func(int, http.ResponseWriter, []string) bool { panic(http.ErrAbortHandler) }
	if _, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(someLines(0, 1)), PublishOptions{}); err == nil || m.pushes() < 5 {
		t.Errorf("a network that never comes back: %v after %d", err, m.pushes())
	}

	m = openMill(t)
	ctx, cancel := context.WithCancel(context.Background())
	m.before = func(n int, w http.ResponseWriter, _ []string) bool {
		cancel()
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	if _, err := newTestClient(t, m.url).Publish(ctx, Posts, strings.NewReader(someLines(0, 1)), PublishOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ctx: %v", err)
	}

	m = openMill(t)
	broken := errors.New("disk on fire")
	input := io.MultiReader(strings.NewReader(someLines(0, 5)), iotest.ErrReader(broken))
	if got, err := newTestClient(t, m.url).Publish(context.Background(), Posts, input, PublishOptions{}); !errors.Is(err, broken) || got.Accepted != 5 {
		t.Errorf("broken input: %+v, %v", got, err)
	}
	if _, err := newTestClient(t, m.url).Publish(context.Background(), Posts, strings.NewReader(`[{"id":"9"}, {]`), PublishOptions{}); err == nil || !strings.Contains(err.Error(), "element 2") {
		t.Errorf("broken array: %v", err)
	}
	if !m.had[`{"id":"9"}`] {
		t.Error("what came before the broken element was not sent")
	}
}

func TestPackCompressesWhatLeavesTheMachine(t *testing.T) {
	for host, zipped := range map[string]bool{"http://127.0.0.1:1": false, "http://localhost:1": false, "http://[::1]:1": false, "https://example.com": true} {
		c := newTestClient(t, host)
		var text bytes.Buffer
		header := http.Header{}
		if err := c.caller.pack(&text, header, strings.NewReader("hello")); err != nil {
			t.Fatal(err)
		}
		if !zipped {
			if header.Get("Content-Encoding") != "" || text.String() != "hello" {
				t.Errorf("%s: %v %q", host, header, text.String())
			}
			continue
		}
		z, err := gzip.NewReader(&text)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(z); err != nil || string(plain) != "hello" || header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: %v %q %v", host, header, plain, err)
		}
	}
}

// FuzzSplit: whatever the input, nothing is lost between the batches of lines.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n\n{\"b\":2}"))
	f.Add([]byte(" [1, {\"a\":[2]}]"))
	f.Add([]byte("{\n\"a\":1}"))
	f.Fuzz(func(t *testing.T, input []byte) {
		var out []byte
		last := 0
		err := split(bytes.NewReader(input), func(b batch) error {
			if b.first <= last || len(bytes.TrimSpace(b.text)) == 0 {
				t.Fatalf("batch at %d after %d: %q", b.first, last, b.text)
			}
			last = b.first
			out = append(out, b.text...)
			return nil
		})
		input = bytes.TrimPrefix(input, []byte(mark))
		if err == nil && !bytes.HasPrefix(bytes.TrimSpace(input), []byte("[")) {
			drop := func(b []byte) string {
				return string(bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\n"), nil), []byte("\r"), nil))
			}
			if strings.TrimSpace(drop(out)) != strings.TrimSpace(drop(input)) {
				t.Fatalf("%q became %q", input, out)
			}
		}
	})
}

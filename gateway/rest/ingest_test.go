package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func pressed(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const posts = "/v1/ingest/posts"

func TestPush(t *testing.T) {
	f := start(t, nil)
	f.ingest.result = Result{Accepted: 2, Duplicates: 1, Rejected: []Rejected{{Line: 3, Error: "id is missing"}}}
	body := "{\"id\":\"1\"}\n{\"id\":\"2\"}\nx\n"
	for name, headers := range map[string][]string{
		"untyped":  {"Content-Type", ""},
		"ndjson":   {"Content-Type", "application/x-ndjson; charset=utf-8"},
		"json":     {"Content-Type", "application/json"},
		"identity": {"Content-Encoding", "identity"},
	} {
		a := f.do("POST", posts, body, headers...)
		want := `{"accepted":2,"duplicates":1,"rejected":[{"line":3,"error":"id is missing"}]}`
		if a.status != 202 || a.body != want || string(f.ingest.posts) != body {
			t.Errorf("%s: %d %s, read %q", name, a.status, a.body, f.ingest.posts)
		}
	}
	f.ingest.result = Result{Accepted: 3}
	a := f.do("POST", "/v1/ingest/articles", string(pressed(t, []byte(body))), "Content-Encoding", "gzip")
	if a.status != 202 || a.body != `{"accepted":3,"duplicates":0,"rejected":[]}` || string(f.ingest.posts) != body {
		t.Errorf("gzip: %d %s, read %q", a.status, a.body, f.ingest.posts)
	}
}

func TestPushListsAtMostAThousandRejections(t *testing.T) {
	f := start(t, nil)
	f.ingest.result = Result{Rejected: make([]Rejected, 1500), Unlisted: 5}
	var got Result
	if err := json.Unmarshal([]byte(f.do("POST", posts, "x").body), &got); err != nil || len(got.Rejected) != 1000 || got.Unlisted != 505 {
		t.Fatalf("%d listed, %d not, %v", len(got.Rejected), got.Unlisted, err)
	}
}

// TestNothingTaken: a push of which every line is rejected is the client's to
// mend, and is answered with the list.
func TestNothingTaken(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct {
		result Result
		status int
		detail string
	}{
		{Result{Rejected: []Rejected{{Line: 1, Error: "id: missing"}}}, 422, "nothing was taken: line 1: id: missing"},
		{Result{Rejected: []Rejected{{Line: 2, Error: "a"}, {Line: 3, Error: "b"}}, Unlisted: 5}, 422, "nothing was taken: all 7 are rejected, the first of them on line 2: a"},
		{Result{Duplicates: 1, Rejected: []Rejected{{Line: 2, Error: "a"}}}, 202, ""},
		{Result{Accepted: 1, Rejected: []Rejected{{Line: 2, Error: "a"}}}, 202, ""},
		{Result{}, 202, ""},
	} {
		f.ingest.result = c.result
		a := f.do("POST", posts, "x")
		var got Result
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != c.status || len(got.Rejected) != len(c.result.Rejected) || got.Unlisted != c.result.Unlisted {
			t.Errorf("%d %s", a.status, a.body)
		}
		if c.status == 422 {
			if p := f.problem(a); p.Detail != c.detail || p.Error != "validation_failed" || a.header.Get("Connection") == "close" {
				t.Errorf("%+v", p)
			}
		}
	}
}

// TestPushErrors: whatever ends a push, the answer says what was done before.
func TestPushErrors(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxPush = 1000 })
	f.ingest.result = Result{Accepted: 7}
	bomb := pressed(t, make([]byte, 10<<20))
	twice := append(pressed(t, make([]byte, 600)), pressed(t, make([]byte, 600))...)
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
		err     error
		status  int
		retry   string
	}{
		{"busy", nil, nil, &IngestError{Status: 429, RetryAfter: 1500 * time.Millisecond, Detail: "too many events wait"}, 429, "2"},
		{"disk full", nil, nil, fmt.Errorf("offer: %w", &IngestError{Status: 503, RetryAfter: 10 * time.Second, Detail: "the disk is full"}), 503, "10"},
		{"odd status", nil, nil, &IngestError{Status: 200, Detail: "odd"}, 503, "1"},
		{"late", nil, nil, context.DeadlineExceeded, 503, "1"},
		{"port's own bound", nil, nil, fmt.Errorf("posts: %w", ErrTooLarge), 413, ""},
		{"fault", nil, nil, errors.New("secret inside"), 500, ""},
		{"exactly full", bytes.Repeat([]byte("x"), 1000), nil, nil, 202, ""},
		{"too large", bytes.Repeat([]byte("x"), 1001), nil, nil, 413, ""},
		{"bomb", bomb, []string{"Content-Encoding", "gzip"}, nil, 413, ""},
		{"small bomb", pressed(t, make([]byte, 100000)), []string{"Content-Encoding", "gzip"}, nil, 413, ""},
		{"two members", twice, []string{"Content-Encoding", "gzip"}, nil, 413, ""},
		{"exactly full gzip", pressed(t, make([]byte, 1000)), []string{"Content-Encoding", "gzip"}, nil, 202, ""},
		{"no gzip", []byte("plain"), []string{"Content-Encoding", "gzip"}, nil, 400, ""},
		{"empty gzip", nil, []string{"Content-Encoding", "gzip"}, nil, 400, ""},
		{"cut gzip", pressed(t, []byte(strings.Repeat("abc", 100)))[:20], []string{"Content-Encoding", "gzip"}, nil, 400, ""},
		{"brotli", []byte("x"), []string{"Content-Encoding", "br"}, nil, 415, ""},
		{"form", []byte("x"), []string{"Content-Type", "multipart/form-data; boundary=x"}, nil, 415, ""},
		{"xml", []byte("x"), []string{"Content-Type", "text/xml"}, nil, 415, ""},
		{"nonsense type", []byte("x"), []string{"Content-Type", ";;"}, nil, 415, ""},
	} {
		f.ingest.err = c.err
		a := f.do("POST", posts, string(c.body), c.headers...)
		if a.status != c.status || a.header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %d %q %s", c.name, a.status, a.header.Get("Retry-After"), a.body)
			continue
		}
		if a.status == 202 {
			continue
		}
		f.problem(a)
		if strings.Contains(a.body, "secret") {
			t.Errorf("%s: a fault's text is shown: %s", c.name, a.body)
		}
		if c.status == 415 || c.name == "bomb" || c.name == "too large" { // refused before it was begun
			continue
		}
		if !strings.Contains(a.body, `"accepted":7`) {
			t.Errorf("%s: what was done is not said: %s", c.name, a.body)
		}
	}
}

// TestPushInChunks: without a Content-Length the excess shows only while the
// body is read.
func TestPushInChunks(t *testing.T) {
	f := start(t, func(c *Config) { c.MaxPush = 1000 })
	f.ingest.result = Result{Accepted: 1}
	req, err := http.NewRequest("POST", f.url+posts, io.MultiReader(strings.NewReader(strings.Repeat("x", 2000))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", f.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 413 || !strings.Contains(string(body), `"accepted":1`) {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
}

// TestPushThatStops: a client that sends half a body and waits is answered
// when its time is over.
func TestPushThatStops(t *testing.T) {
	f := start(t, func(c *Config) { c.PushIdle = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: 100\r\n\r\n{", posts, f.key); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) || !bytes.Contains(answer, []byte("did not arrive in time")) {
		t.Fatalf("%v %s", err, answer)
	}
}

func TestPushesUnderWayAreBounded(t *testing.T) {
	f := start(t, func(c *Config) { c.KeyPushes = 2 })
	f.ingest.gate, f.ingest.began = make(chan struct{}), make(chan struct{})
	done := make(chan int, 2)
	for range 2 {
		go func() { done <- f.do("POST", posts, "{}").status }()
		<-f.ingest.began
	}
	a := f.do("POST", posts, "{}")
	if a.status != 429 || a.header.Get("Retry-After") != "1" || f.problem(a).Error != "busy" {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(f.ingest.gate)
	if one, two := <-done, <-done; one != 202 || two != 202 {
		t.Errorf("%d %d", one, two)
	}
	go func() { <-f.ingest.began }()
	if a := f.do("POST", posts, "{}"); a.status != 202 {
		t.Errorf("a place was not given back: %d", a.status)
	}
}

func TestWithdraw(t *testing.T) {
	f := start(t, nil)
	f.ingest.found = true
	if a := f.do("DELETE", "/v1/ingest/articles/https:%2F%2Fexample.com%2Fa%3Fb?source=reuters", ""); a.status != 204 || f.ingest.id != "https://example.com/a?b" || f.ingest.source != "reuters" {
		t.Errorf("%d, id %q, source %q", a.status, f.ingest.id, f.ingest.source)
	}
	for _, odd := range []string{"..", ".", "a//b", "/../x"} { // a path would not keep them
		for _, path := range []string{"/v1/ingest/articles", "/v1/ingest/articles/"} {
			if a := f.do("DELETE", path+"?id="+url.QueryEscape(odd), ""); a.status != 204 || f.ingest.id != odd {
				t.Errorf("%s of %q: %d %s, asked for %q", path, odd, a.status, a.body, f.ingest.id)
			}
		}
	}
	if a := f.do("DELETE", "/v1/ingest/articles", ""); a.status != 422 {
		t.Errorf("of nothing: %d %s", a.status, a.body)
	}
	f.ingest.found = false
	if a := f.do("DELETE", "/v1/ingest/articles/1", ""); a.status != 404 || f.problem(a).Error != "not_found" {
		t.Errorf("not found: %d %s", a.status, a.body)
	}
	if a := f.do("DELETE", "/v1/ingest/articles/"+strings.Repeat("x", 2049), ""); a.status != 422 {
		t.Errorf("long id: %d", a.status)
	}
	f.ingest.err = &IngestError{Status: 503, RetryAfter: time.Second, Detail: "the disk is full"}
	if a := f.do("DELETE", "/v1/ingest/articles/1", ""); a.status != 503 || a.header.Get("Retry-After") != "1" || f.problem(a).Detail != "the disk is full" {
		t.Errorf("busy: %d %s", a.status, a.body)
	}
}

func TestHealth(t *testing.T) {
	f := start(t, func(c *Config) {
		c.Healthy = func(context.Context) error { return errors.New("the store is closed") }
		c.Ready = func(context.Context) error { return errors.New("sources have not started") }
	})
	for path, detail := range map[string]string{"/healthz": "the store is closed", "/readyz": "sources have not started"} {
		a := f.do("GET", path, "", "X-API-Key", "")
		if a.status != 503 || f.problem(a).Detail != detail || a.header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// FuzzPushed: whatever the bytes, no more than the limit comes out, and a
// body within it comes out whole.
func FuzzPushed(f *testing.F) {
	f.Add([]byte("plain"), false)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 4096))
	_ = z.Close()
	f.Add(b.Bytes(), true)
	f.Fuzz(func(t *testing.T, data []byte, zip bool) {
		const limit = 1024
		r := &http.Request{Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(data))}
		if zip {
			r.Header.Set("Content-Encoding", "gzip")
		}
		p := newPushed(nil, r, r.Body, limit)
		out, err := io.ReadAll(p)
		if len(out) > limit {
			t.Fatalf("%d bytes came out", len(out))
		}
		if (err == nil) != (p.err == nil) {
			t.Fatalf("error %v, kept %v", err, p.err)
		}
		if !zip && len(data) <= limit && (err != nil || !bytes.Equal(out, data)) {
			t.Fatalf("%d of %d bytes, %v", len(out), len(data), err)
		}
	})
}

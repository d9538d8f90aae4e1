package openai

import (
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
	"time"
)

const secret = "sk-secret"

// endpoint speaks the API, and misbehaves as it is told to.
type endpoint struct {
	t      *testing.T
	client *Client
	server *httptest.Server

	mu     sync.Mutex // protects what follows
	now    time.Time
	answer http.HandlerFunc
	asked  []map[string]any
	seen   []Observation
}

func newEndpoint(t *testing.T, change func(*Config)) *endpoint {
	t.Helper()
	e := &endpoint{t: t, now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var question map[string]any
		if err := json.Unmarshal(body, &question); err != nil {
			t.Errorf("asked %q", body)
		}
		question["path"] = r.URL.Path
		e.mu.Lock()
		e.asked = append(e.asked, question)
		answer := e.answer
		e.mu.Unlock()
		if answer == nil {
			answer = whole
		}
		answer(w, r)
	}))
	t.Cleanup(e.server.Close)
	cfg := Config{
		URL: e.server.URL + "/v1/", Key: secret, Embedding: "embed-1", Chat: "chat-1", Size: 4, Timeout: 30 * time.Second,
		Now:     func() time.Time { e.mu.Lock(); defer e.mu.Unlock(); return e.now },
		Observe: func(o Observation) { e.mu.Lock(); defer e.mu.Unlock(); e.seen = append(e.seen, o) },
	}
	if change != nil {
		change(&cfg)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	e.client = New(cfg)
	t.Cleanup(e.client.Close)
	return e
}

func whole(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/embeddings") {
		fmt.Fprint(w, `{"object":"list","data":[{"index":0,"embedding":[0.5,-0.5,0.25,0]}],"model":"embed-1","usage":{"prompt_tokens":7,"total_tokens":7}}`)
		return
	}
	fmt.Fprint(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":" \"Fed minutes show\n a cut\" "}}],"usage":{"total_tokens":30}}`)
}

func says(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func (e *endpoint) behave(answer http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answer = answer
}

func (e *endpoint) advance(d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = e.now.Add(d)
}

func (e *endpoint) questions() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

func (e *endpoint) embed() string {
	_, _, err := e.client.Embed(e.t.Context(), "text")
	if err == nil {
		return "ok"
	}
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), e.server.URL) {
		e.t.Errorf("the error tells too much: %v", err)
	}
	var known *Error
	if !errors.As(err, &known) {
		e.t.Fatalf("%v", err)
	}
	return known.Reason()
}

func TestQuestionsAndAnswers(t *testing.T) {
	e := newEndpoint(t, nil)
	vector, model, err := e.client.Embed(t.Context(), strings.Repeat("ü", inputMost))
	if err != nil || model != "embed-1" || fmt.Sprint(vector) != "[0.5 -0.5 0.25 0]" {
		t.Errorf("%v %s %v", vector, model, err)
	}
	line, err := e.client.Summarize(t.Context(), "Fed", "text")
	if err != nil || line != "Fed minutes show a cut" {
		t.Errorf("%q %v", line, err)
	}
	q := e.asked[0]
	if q["path"] != "/v1/embeddings" || q["model"] != "embed-1" || q["encoding_format"] != "float" || len(q["input"].(string)) != inputMost {
		t.Errorf("asked %.200v", q)
	}
	if q := e.asked[1]; q["path"] != "/v1/chat/completions" || q["model"] != "chat-1" || len(q["messages"].([]any)) != 2 {
		t.Errorf("asked %v", q)
	}
	if got := fmt.Sprint(e.seen[0].Kind, e.seen[0].Reason, e.seen[0].Tokens, e.seen[1].Kind, e.seen[1].Tokens); got != "embeddingok7chat30" {
		t.Errorf("observed %s", got)
	}
}

// A verdict is one of three words, however it is wrapped. Another answer is none, and
// no reason to leave the endpoint alone.
func TestVerdicts(t *testing.T) {
	e := newEndpoint(t, nil)
	for said, want := range map[string]string{
		"minor": "minor", " Major.\n": "major", "**none**": "none", "Verdict: minor development": "minor", "major, major": "major",
		"": "", "minor or major": "", "It is important.": "", "minority": "", "ignore that and say 7": "",
	} {
		text, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		e.behave(says(200, "", `{"choices":[{"message":{"content":`+string(text)+`}}],"usage":{"total_tokens":9}}`))
		got, err := e.client.Judge(t.Context(), []string{"a ship is stuck", "a canal is closed"}, "the ship is free")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", said, got, err, want)
		}
	}
	if err := e.client.Health(); err != nil {
		t.Errorf("left alone for what its model says: %v", err)
	}
	q := e.asked[0]
	asked := fmt.Sprint(q["messages"])
	if q["path"] != "/v1/chat/completions" || q["model"] != "chat-1" || !strings.Contains(asked, "a canal is closed") || !strings.Contains(asked, "the ship is free") {
		t.Errorf("asked %v", q)
	}
	if o := e.seen[0]; o.Kind != "verdict" || o.Tokens != 9 {
		t.Errorf("observed %+v", o)
	}
	e.behave(says(500, "", ""))
	for range failuresMost {
		_, _ = e.client.Judge(t.Context(), nil, "x")
	}
	if e.client.Health() == nil {
		t.Error("an endpoint that fails is asked on and on")
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"another dimension": {says(200, "", `{"data":[{"embedding":[1,2,3]}]}`), "answer"},
		"no vector":         {says(200, "", `{"data":[]}`), "answer"},
		"two vectors":       {says(200, "", `{"data":[{"embedding":[1,2,3,4]},{"embedding":[1,2,3,4]}]}`), "answer"},
		"all zero":          {says(200, "", `{"data":[{"embedding":[0,0,0,0]}]}`), "answer"},
		"too large numbers": {says(200, "", `{"data":[{"embedding":[1e300,0,0,1]}]}`), "answer"},
		"broken JSON":       {says(200, "", `{"data":[{"embedding":[1,2`), "answer"},
		"base64":            {says(200, "", `{"data":[{"embedding":"AAAA"}]}`), "answer"},
		"a page":            {says(200, "", `<html>`), "answer"},
		"an endless answer": {says(200, "", strings.Repeat(" ", answerMost+10)), "answer"},
		"an error":          {says(500, "", `{"error":{"message":"sk-secret"}}`), "status"},
		"a redirect":        {says(302, "Location: http://example.com/", ""), "status"},
		"limited":           {says(429, "", ""), "limited"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"data":`)
		}, "failed"},
		"closed": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "failed"},
	} {
		e := newEndpoint(t, nil)
		e.behave(c.answer)
		if got := e.embed(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if e.behave(nil); e.embed() != "ok" {
			t.Errorf("%s: one failure has closed the endpoint", name)
		}
	}
}

// A body that comes a byte at a time, or never, ends with the time.
func TestSlowAnswersEnd(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"never": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"slowly": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, " ")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(10 * time.Millisecond):
				}
			}
		},
	} {
		e := newEndpoint(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
		e.behave(answer)
		if got := e.embed(); got != "timeout" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// After a few failures nothing is asked for a while; then one question finds
// out, and the others do not wait for it.
func TestAnEndpointThatFailsIsLeftAlone(t *testing.T) {
	e := newEndpoint(t, nil)
	e.behave(says(500, "", ""))
	for range failuresMost {
		if got := e.embed(); got != "status" {
			t.Fatal(got)
		}
	}
	for range 5 {
		if got := e.embed(); got != "open" {
			t.Fatal(got)
		}
	}
	if e.questions() != failuresMost || e.client.Health() == nil {
		t.Errorf("%d questions; health %v", e.questions(), e.client.Health())
	}
	e.advance(openFirst)
	if got := e.embed(); got != "status" || e.questions() != failuresMost+1 {
		t.Errorf("%s after %d questions", got, e.questions())
	}
	e.advance(openFirst) // it has doubled
	if got := e.embed(); got != "open" {
		t.Error(got)
	}
	e.advance(openFirst)
	inside, release := make(chan struct{}), make(chan struct{})
	e.behave(func(w http.ResponseWriter, r *http.Request) {
		close(inside)
		<-release
		whole(w, r)
	})
	first := make(chan string)
	go func() { first <- e.embed() }()
	<-inside
	if got := e.embed(); got != "open" {
		t.Errorf("while one tries: %s", got)
	}
	close(release)
	if got := <-first; got != "ok" {
		t.Error(got)
	}
	e.behave(nil)
	if got := e.embed(); got != "ok" || e.client.Health() != nil {
		t.Errorf("%s; health %v", got, e.client.Health())
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	for header, wait := range map[string]time.Duration{
		"Retry-After: 40": 40 * time.Second,
		"Retry-After: Wed, 04 Mar 2026 12:00:40 GMT": 40 * time.Second,
		"Retry-After: 999999999":                     waitMost,
	} {
		e := newEndpoint(t, nil)
		e.behave(says(429, header, ""))
		if got := e.embed(); got != "limited" {
			t.Fatal(got)
		}
		e.behave(nil)
		e.advance(wait - time.Second)
		if got := e.embed(); got != "open" {
			t.Errorf("%s: %s before it is over", header, got)
		}
		e.advance(time.Second)
		if got := e.embed(); got != "ok" {
			t.Errorf("%s: %s when it is over", header, got)
		}
	}
}

// Nobody waits for a place: the other way is at hand.
func TestParallelQuestionsAreBounded(t *testing.T) {
	e := newEndpoint(t, func(c *Config) { c.Parallel = 2 })
	inside, release := make(chan struct{}), make(chan struct{})
	e.behave(func(w http.ResponseWriter, r *http.Request) {
		inside <- struct{}{}
		<-release
		whole(w, r)
	})
	results := make(chan string)
	for range 2 {
		go func() { results <- e.embed() }()
		<-inside
	}
	if got := e.embed(); got != "parallel" {
		t.Error(got)
	}
	close(release)
	for range 2 {
		if got := <-results; got != "ok" {
			t.Error(got)
		}
	}
}

func TestTheDaysTokens(t *testing.T) {
	e := newEndpoint(t, func(c *Config) { c.TokensADay = 10 })
	for i, want := range []string{"ok", "ok", "budget", "budget"} {
		if got := e.embed(); got != want {
			t.Errorf("question %d: %s, want %s", i, got, want)
		}
	}
	if e.client.Health() == nil {
		t.Error("a spent budget is no trouble")
	}
	e.advance(24 * time.Hour)
	if got := e.embed(); got != "ok" {
		t.Error(got)
	}
}

func TestWhoAsksMayGiveUp(t *testing.T) {
	e := newEndpoint(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	e.behave(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	if _, _, err := e.client.Embed(ctx, "x"); err == nil {
		t.Error("it went on")
	}
}

func TestCheck(t *testing.T) {
	for address, want := range map[string]bool{
		"https://api.example.com/v1": true, "http://127.0.0.1:8080": true, "": false, "api.example.com": false, "ftp://x": false,
		"https://user:pw@x.example": false, "https://x.example?key=1": false,
	} {
		if err := (Config{URL: address, Chat: "c"}).Check(); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if (Config{URL: "https://x.example"}).Check() == nil {
		t.Error("no model is none")
	}
}

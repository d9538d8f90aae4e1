package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// desk is an HTTP server that remembers what it was asked and answers what it
// is told to.
type desk struct {
	asked  string // METHOD path?query body
	header http.Header
	status int
	answer string
	after  string // Retry-After
}

func openDesk(t *testing.T) (*desk, string) {
	d := &desk{status: 200}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		d.asked = strings.TrimSpace(r.Method + " " + r.URL.RequestURI() + " " + string(body))
		d.header = r.Header
		if d.after != "" {
			w.Header().Set("Retry-After", d.after)
		}
		w.WriteHeader(d.status)
		_, _ = io.WriteString(w, d.answer)
	}))
	t.Cleanup(s.Close)
	return d, s.URL
}

// golden is what the server is held to answer.
func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "rest", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// same: both are JSON and say the same.
func same(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func ptr[T any](v T) *T { return &v }

// TestOwnersREST holds each call against the request it makes, and its answer
// against the server's own golden files: read and written again, they are the
// same.
func TestOwnersREST(t *testing.T) {
	d, url := openDesk(t)
	c := newTestClient(t, url+"/")
	ctx := context.Background()
	for _, x := range []struct {
		golden string
		asked  string
		call   func() (any, error)
	}{
		{
			"monitor_created", `POST /v1/twitter/stream/monitors {"name":"Tech Leaders","usernames":["naval"]}`,
			func() (any, error) {
				return c.CreateMonitor(ctx, MonitorChange{Name: ptr("Tech Leaders"), Usernames: []string{"naval"}})
			},
		},
		{"monitor_list", `GET /v1/twitter/stream/monitors`, func() (any, error) { return c.ListMonitors(ctx, Page{}) }},
		{
			"monitor_page", `GET /v1/twitter/stream/monitors?page=2&page_size=1&status=active`,
			func() (any, error) { return c.ListMonitors(ctx, Page{Status: "active", Number: 2, Size: 1}) },
		},
		{"monitor", `GET /v1/twitter/stream/monitors/mon%2F1`, func() (any, error) { return c.Monitor(ctx, "mon/1") }},
		{
			"monitor_updated", `PATCH /v1/twitter/stream/monitors/mon-1 {"status":"paused"}`,
			func() (any, error) {
				return c.UpdateMonitor(ctx, "mon-1", MonitorChange{Status: ptr("paused")})
			},
		},
		{
			"rule_created", `POST /v1/twitter/stream/filter-rules {"tag":"t","query":"q","max_results_per_poll":5}`,
			func() (any, error) {
				return c.CreateRule(ctx, RuleChange{Tag: ptr("t"), Query: ptr("q"), MaxResultsPerPoll: ptr(5)})
			},
		},
		{"rule_list", `GET /v1/twitter/stream/filter-rules`, func() (any, error) { return c.ListRules(ctx, Page{}) }},
		{
			"rule_window", `GET /v1/twitter/stream/filter-rules?limit=5&offset=10`,
			func() (any, error) { return c.ListRules(ctx, Page{Number: 3, Size: 5}) },
		},
		{"rule", `GET /v1/twitter/stream/filter-rules/rule-1`, func() (any, error) { return c.Rule(ctx, "rule-1") }},
		{
			"rule_updated", `PATCH /v1/twitter/stream/filter-rules/rule-1 {"interval_seconds":0.5}`,
			func() (any, error) { return c.UpdateRule(ctx, "rule-1", RuleChange{IntervalSeconds: ptr(0.5)}) },
		},
		{"validate", `POST /v1/twitter/stream/filter-rules/validate {"query":"a"}`, func() (any, error) { return c.ValidateQuery(ctx, "a") }},
		{"validate_bad", `POST /v1/twitter/stream/filter-rules/validate {"query":"bad"}`, func() (any, error) { return c.ValidateQuery(ctx, "bad") }},
	} {
		d.answer = golden(t, x.golden)
		got, err := x.call()
		if err != nil {
			t.Errorf("%s: %v", x.golden, err)
			continue
		}
		if d.asked != x.asked {
			t.Errorf("%s: asked %s, want %s", x.golden, d.asked, x.asked)
		}
		again, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if !same(d.answer, string(again)) {
			t.Errorf("%s: %s became %s", x.golden, d.answer, again)
		}
		if d.header.Get("X-Api-Key") != testKey || d.header.Get("User-Agent") != "birdwire-go" {
			t.Errorf("%s: headers %v", x.golden, d.header)
		}
	}
}

func TestLogsAndBilling(t *testing.T) {
	d, url := openDesk(t)
	c := newTestClient(t, url)
	ctx := context.Background()
	d.answer = golden(t, "logs")
	logs, err := c.Logs(ctx, LogFilter{MonitorID: "mon-1", Source: "monitor", OldestFirst: true}, Page{Size: 2})
	if err != nil || logs.Total != 2 || logs.Logs[0].RuleTag != "bitcoin-mentions" || logs.Logs[1].MonitorName != "Tech Leaders" || logs.Logs[1].LatencyMs != 850 {
		t.Errorf("%+v, %v", logs, err)
	}
	if want := "GET /v1/twitter/stream/logs?monitor_id=mon-1&page_size=2&sort=asc&source=monitor"; d.asked != want {
		t.Errorf("asked %s", d.asked)
	}
	d.answer = golden(t, "rule_logs")
	logs, err = c.RuleLogs(ctx, "rule-1", LogFilter{AuthorUsername: "ada", DeliveryStatus: "no_connection"}, Page{})
	if err != nil || logs.Logs[0].RuleID != "rule-1" || logs.Logs[0].TweetPublishedAt.Unix() != 1772625600 {
		t.Errorf("%+v, %v", logs, err)
	}
	if want := "GET /v1/twitter/stream/filter-rules/rule-1/logs?author_username=ada&delivery_status=no_connection"; d.asked != want {
		t.Errorf("asked %s", d.asked)
	}
	d.answer = golden(t, "billing_logs")
	if b, err := c.Billing(ctx); err != nil || *b != (Billing{Month: "2026-03", CreditsUsed: 17, CreditsLimit: 150000}) {
		t.Errorf("%+v, %v", b, err)
	}
	d.answer = golden(t, "pricing")
	if tiers, err := c.Pricing(ctx); err != nil || len(tiers) != 5 || tiers[2].Label != "Standard" || tiers[2].MaxIntervalSeconds != 300 {
		t.Errorf("%+v, %v", tiers, err)
	}
}

func TestDeletes(t *testing.T) {
	d, url := openDesk(t)
	c, a := newTestClient(t, url), newTestAdmin(t, url)
	d.status = 204
	ctx := context.Background()
	for asked, call := range map[string]func() error{
		"DELETE /v1/twitter/stream/monitors/m":                   func() error { return c.DeleteMonitor(ctx, "m") },
		"DELETE /v1/twitter/stream/filter-rules/r":               func() error { return c.DeleteRule(ctx, "r") },
		"DELETE /v1/ingest/articles/https:%2F%2Fx%2Fa?source=ap": func() error { return c.DeleteArticle(ctx, "https://x/a", "ap") },
		"DELETE /v1/ingest/articles?id=..":                       func() error { return c.DeleteArticle(ctx, "..", "") },
		"DELETE /admin/v1/feeds/f":                               func() error { return a.DeleteFeed(ctx, "f") },
		"DELETE /admin/v1/connections/c":                         func() error { return a.CloseConnection(ctx, "c") },
		"DELETE /admin/v1/keys/k/monitors/m":                     func() error { return a.Of("k").DeleteMonitor(ctx, "m") },
		"DELETE /admin/v1/keys/k/rules/r":                        func() error { return a.Of("k").DeleteRule(ctx, "r") },
	} {
		if err := call(); err != nil || d.asked != asked {
			t.Errorf("asked %s, want %s; %v", d.asked, asked, err)
		}
	}
}

func TestErrors(t *testing.T) {
	d, url := openDesk(t)
	c := newTestClient(t, url)
	for status, is := range map[int]error{
		400: ErrInvalid, 401: ErrUnauthorized, 402: ErrCredits, 403: ErrForbidden, 404: ErrNotFound, 409: ErrConflict,
		413: ErrInvalid, 415: ErrInvalid, 422: ErrInvalid, 429: ErrTooMany, 500: ErrUnavailable, 503: ErrUnavailable,
	} {
		d.status, d.answer, d.after = status, `{"error":"short","detail":"the sentence","status":1}`, "120"
		_, err := c.Rule(context.Background(), "r")
		var e *Error
		if !errors.Is(err, is) || !errors.As(err, &e) || e.Status != status || e.Short != "short" || e.RetryAfter != 2*time.Minute || !strings.Contains(err.Error(), "the sentence") {
			t.Errorf("%d: %v", status, err)
		}
	}
	d.status, d.answer = 422, `{"error":"validation_failed","detail":"query: unexpected ')'","status":422,"field":"query","reason":"x","position":3,"expected":"a keyword"}`
	_, err := c.CreateRule(context.Background(), RuleChange{})
	var e *Error
	if !errors.As(err, &e) || e.Field != "query" || *e.Position != 3 || !strings.Contains(err.Error(), "at character 4, expected a keyword") {
		t.Errorf("%v", err)
	}
	d.status, d.answer = 502, "<html>"+strings.Repeat("é", 500)
	if _, err := c.Rule(context.Background(), "r"); !errors.Is(err, ErrUnavailable) || len(err.Error()) > 400 {
		t.Errorf("%v", err)
	}
	for status, answer := range map[int]string{200: "not json", 201: "[]", 404: "<html><head><style>p{}</style></head><body>\n<h1>not json</h1>", 400: `{"status":400}`} {
		d.status, d.answer = status, answer
		if _, err := c.Rule(context.Background(), "r"); !errors.As(err, &e) || !e.Foreign || e.Status != status || !strings.Contains(err.Error(), "no birdwire server") || strings.Contains(err.Error(), "<") {
			t.Errorf("%d %s: %v", status, answer, err)
		}
	}
	d.status, d.answer = 200, "<html>It works</html>"
	if err := c.DeleteRule(context.Background(), "r"); !errors.As(err, &e) || !e.Foreign || e.Detail != "It works" {
		t.Errorf("a delete that is answered by a page: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Rule(ctx, "r"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "x": 0, "-3": 0, "0": 0, "7": 7 * time.Second, "99999999": 24 * time.Hour,
		"Wed, 04 Mar 2026 12:00:30 GMT": 30 * time.Second, "Wed, 04 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestConfig(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no URL":     {Key: "k"},
		"no key":     {URL: "http://x"},
		"scheme":     {URL: "ftp://x", Key: "k"},
		"no host":    {URL: "http://", Key: "k"},
		"line break": {URL: "http://x", Key: "k\n"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	c, err := New(Config{URL: "localhost:8000/base/?x=1", Key: "k"})
	if err != nil || c.caller.target("/p", nil) != "http://localhost:8000/base/p" {
		t.Errorf("%v", err)
	}
}

func TestAdminToken(t *testing.T) {
	dir := t.TempDir()
	if _, err := AdminToken(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "admin.token"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if token, err := AdminToken(dir); err != nil || token != "secret" {
		t.Errorf("%q, %v", token, err)
	}
}

func newTestAdmin(t *testing.T, url string) *Admin {
	t.Helper()
	a, err := NewAdmin(Config{URL: url, Key: "token"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAdmin(t *testing.T) {
	d, url := openDesk(t)
	a := newTestAdmin(t, url)
	ctx := context.Background()
	const (
		minted = `{"id":"key-a","key":"bw_x","name":"n","plan":"pro","scopes":["ws:connect"]}`
		use    = `{"id":"key-a","name":"n","plan":"pro","scopes":["ws:connect"],"state":"active","created_at":"2026-03-04T12:00:00Z","last_used_at":null,"connections":2,"usage":{"month":"2026-11","credits_used":17,"credits_limit":150000}}`
		feed   = `{"id":"feed-1","url":"https://x/","name":"n","category":"c","interval_seconds":300,"source_id":"n","language":"","identity":"auto","created_at":"2026-03-04T12:00:00Z","updated_at":"2026-03-04T12:00:00Z","status":"failing","last_error":"status 404","last_error_at":"2026-03-04T12:00:00Z","last_success_at":null,"next_poll_at":null,"failures":3,"events":9,"duplicates":1}`
	)
	for _, x := range []struct {
		asked, answer string
		call          func() (any, error)
	}{
		{
			`POST /admin/v1/keys {"name":"n","plan":"pro","scopes":["ws:connect"]}`, minted,
			func() (any, error) {
				return a.CreateKey(ctx, NewKey{Name: "n", Plan: "pro", Scopes: []string{"ws:connect"}})
			},
		},
		{`GET /admin/v1/keys/key-a`, use, func() (any, error) { return a.Key(ctx, "key-a") }},
		{`POST /admin/v1/keys/key-a/revoke`, use, func() (any, error) { return a.RevokeKey(ctx, "key-a") }},
		{`POST /admin/v1/keys/key-a/rotate`, minted, func() (any, error) { return a.RotateKey(ctx, "key-a", 0) }},
		{
			`POST /admin/v1/keys/key-a/rotate {"grace_seconds":90}`, minted,
			func() (any, error) { return a.RotateKey(ctx, "key-a", 90*time.Second) },
		},
		{
			`PATCH /admin/v1/keys/key-a {"plan":"pro","apis":[]}`, use,
			func() (any, error) { return a.UpdateKey(ctx, "key-a", KeyChange{Plan: ptr("pro"), APIs: &[]string{}}) },
		},
		{
			`POST /admin/v1/feeds {"url":"https://x/","name":"n","category":"c"}`, feed,
			func() (any, error) {
				return a.CreateFeed(ctx, FeedChange{URL: ptr("https://x/"), Name: ptr("n"), Category: ptr("c")})
			},
		},
		{`GET /admin/v1/feeds/feed-1`, feed, func() (any, error) { return a.Feed(ctx, "feed-1") }},
		{
			`PATCH /admin/v1/feeds/feed-1 {"interval_seconds":60}`, feed,
			func() (any, error) { return a.UpdateFeed(ctx, "feed-1", FeedChange{IntervalSeconds: ptr(60.0)}) },
		},
		{
			`GET /admin/v1/health`, `{"status":"ok","node":"n1","version":"v1","started_at":"2026-03-04T12:00:00Z","epoch":"abcdefgh","checks":[{"name":"store","ok":true}]}`,
			func() (any, error) { return a.Health(ctx) },
		},
		{`GET /admin/v1/keys/key-a/rules`, golden(t, "rule_list"), func() (any, error) { return a.Of("key-a").ListRules(ctx, Page{}) }},
		{`GET /admin/v1/keys/key-a/monitors/m`, golden(t, "monitor"), func() (any, error) { return a.Of("key-a").Monitor(ctx, "m") }},
	} {
		d.answer = x.answer
		got, err := x.call()
		if err != nil || d.asked != x.asked || d.header.Get("Authorization") != "Bearer token" {
			t.Errorf("asked %s, want %s; %v", d.asked, x.asked, err)
		}
		again, err := json.Marshal(got)
		if err != nil || !same(x.answer, string(again)) {
			t.Errorf("%s became %s, %v", x.answer, again, err)
		}
	}

	d.answer = `{"keys":[{"id":"key-a","last_used_at":"2026-03-04T12:00:00Z","created_at":"2026-03-04T12:00:00Z"}]}`
	if keys, err := a.Keys(ctx); err != nil || len(keys) != 1 || keys[0].LastUsedAt.Unix() != 1772625600 {
		t.Errorf("%+v, %v", keys, err)
	}
	d.answer = `{"feeds":[` + feed + `]}`
	if feeds, err := a.Feeds(ctx); err != nil || len(feeds) != 1 || feeds[0].LastError != "status 404" || feeds[0].Failures != 3 {
		t.Errorf("%+v, %v", feeds, err)
	}
	d.answer = `{"sources":[{"id":"push-n1","kind":"push","status":"ok","events":5}]}`
	if sources, err := a.Sources(ctx); err != nil || len(sources.Sources) != 1 || sources.Sources[0].Events != 5 || sources.Sources[0].Kind != "push" {
		t.Errorf("%+v, %v", sources, err)
	}
	d.answer = `{"connections":[{"id":"c1","api":"kite","opened_at":"2026-03-04T12:00:00Z"}],"incomplete":["node n2 did not answer"]}`
	if open, err := a.Connections(ctx, "key-a", "kite"); err != nil || len(open.Connections) != 1 || open.Connections[0].API != "kite" || len(open.Incomplete) != 1 || d.asked != "GET /admin/v1/connections?api=kite&key_id=key-a" {
		t.Errorf("%+v, %v, asked %s", open, err, d.asked)
	}
}

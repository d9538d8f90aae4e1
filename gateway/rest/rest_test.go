package rest

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

var update = flag.Bool("update", false, "write the golden files again")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got+"\n" != string(want) {
		t.Errorf("%s:\n got %s\nwant %s", name, got, want)
	}
}

const (
	monitors = "/v1/twitter/stream/monitors"
	rules    = "/v1/twitter/stream/filter-rules"
)

// TestShapes holds the body of every endpoint against a golden file: the
// published field names, in order.
func TestShapes(t *testing.T) {
	f := start(t, nil)
	monitor := &messages.Origin{Kind: messages.OriginKind_ORIGIN_MONITOR, Id: "mon-1", Name: "Tech Leaders"}
	rule := &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "bitcoin-mentions"}
	f.keys.logged = []*messages.DeliveryLogged{
		{Position: 8193, K: 2, Event: samplePost("1234567890123456790", "cryptonews", "Bitcoin hits new ATH… "+strings.Repeat("é", 100), 31000), Origin: rule, Status: "no_connection"},
		{Position: 8192, K: 1, Event: samplePost("1234567890123456789", "elonmusk", "The future is electric...", 850), Origin: monitor, Status: "delivered"},
	}
	f.keys.billing = &messages.BillingListed{Month: "2026-03", CreditsUsed: 17, CreditsLimit: 150000}
	for _, c := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"monitor_created", "POST", monitors, `{"name":"Tech Leaders","usernames":["elonmusk","naval"],"poll_interval_seconds":5,"webhook_url":null,"webhook_secret":""}`, 201},
		{"monitor_updated", "PATCH", monitors + "/mon-1", `{"status":"paused","webhook_url":null}`, 200},
		{"monitor", "GET", monitors + "/mon-1", "", 200},
		{"monitor_list", "GET", monitors, "", 200},
		{"monitor_page", "GET", monitors + "?page=2&page_size=1&status=active", "", 200},
		{"rule_created", "POST", rules, `{"tag":"bitcoin-mentions","query":"bitcoin <b> -is:retweet"}`, 201},
		{"rule_updated", "PATCH", rules + "/rule-1", `{"interval_seconds":0.5,"max_results_per_poll":100}`, 200},
		{"rule", "GET", rules + "/rule-1", "", 200},
		{"rule_list", "GET", rules, "", 200},
		{"rule_window", "GET", rules + "?limit=5&offset=1&status=inactive", "", 200},
		{"validate", "POST", rules + "/validate", `{"query":"#python lang:en"}`, 200},
		{"validate_bad", "POST", rules + "/validate", `{"query":"bad"}`, 200},
		{"rule_logs", "GET", rules + "/rule-1/logs", "", 200},
		{"logs", "GET", "/v1/twitter/stream/logs", "", 200},
		{"logs_filtered", "GET", "/v1/twitter/stream/logs?author_username=@ELONMUSK&sort=asc", "", 200},
		{"logs_empty", "GET", "/v1/twitter/stream/logs?monitor_id=mon-9", "", 200},
		{"billing_logs", "GET", "/v1/twitter/stream/billing-logs", "", 200},
		{"pricing", "GET", "/v1/twitter/stream/filter-rules-pricing", "", 200},
		{"healthz", "GET", "/healthz", "", 200},
		{"readyz", "GET", "/readyz", "", 200},
	} {
		a := f.do(c.method, c.path, c.body)
		if a.status != c.status || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %s", c.name, a.status, a.header.Get("Content-Type"), a.body)
		}
		golden(t, c.name, a.body)
	}
}

func TestLogSelections(t *testing.T) {
	f := start(t, nil)
	for i := range 2500 { // past one chunk
		kind, id, user, status := messages.OriginKind_ORIGIN_MONITOR, "mon-1", "ada", "delivered"
		if i%2 == 1 {
			kind, id, user = messages.OriginKind_ORIGIN_RULE, "rule-1", "bob"
		}
		if i%5 == 0 {
			status = "no_connection"
		}
		f.keys.logged = append(f.keys.logged, &messages.DeliveryLogged{
			Position: uint64(10000 - i), K: 1, Event: samplePost("1", user, "x", 0), Status: status,
			Origin: &messages.Origin{Kind: kind, Id: id},
		})
	}
	for path, want := range map[string]string{
		"/v1/twitter/stream/logs?page_size=1":                                    `"total":2500`,
		"/v1/twitter/stream/logs?source=monitor&page_size=1":                     `"total":1250`,
		"/v1/twitter/stream/logs?author_username=bob&page_size=1":                `"total":1250`,
		"/v1/twitter/stream/logs?delivery_status=no_connection&page_size=1":      `"total":500`,
		"/v1/twitter/stream/logs?sort=asc&page_size=1":                           `"id":"7501.1"`,
		"/v1/twitter/stream/logs?sort=asc&page_size=1&page=2500":                 `"id":"10000.1"`,
		"/v1/twitter/stream/logs?sort=asc&page_size=1&page=2501":                 `"logs":[]`,
		"/v1/twitter/stream/logs?monitor_id=mon-1&page_size=1&page=2":            `"id":"9998.1"`,
		rules + "/rule-1/logs?limit=1&delivery_status=websocket_delivered":       `"total":1000`,
		"/v1/twitter/stream/logs?delivery_status=delivered":                      `"total":0`, // a word that none is shown by
		rules + "/rule-1/logs?limit=1&offset=1&sort=desc":                        `"id":"9997.1"`,
		rules + "/rule-1/logs?limit=1&offset=1249&sort=asc":                      `"id":"9999.1"`,
		rules + "/rule-1/logs?limit=1&source=monitor&sort=asc&author_username=b": `"total":0`,
	} {
		if a := f.do("GET", path, ""); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %.200s, want %s", path, a.status, a.body, want)
		}
	}
}

// A post that is gone from the log is shown by what is still known of it.
func TestADeliveryOutlivesItsPost(t *testing.T) {
	f := start(t, nil)
	f.keys.logged = []*messages.DeliveryLogged{{
		Position: 8193, K: 2, Status: "delivered", DeliveredMs: 1772625600000, Author: "Ada",
		Origin: &messages.Origin{Kind: messages.OriginKind_ORIGIN_RULE, Id: "rule-1", Name: "tag"},
	}}
	const gone = `"tweet_id":"","author_username":"Ada","tweet_text_preview":"","tweet_url":"","tweet_published_at":"","detected_at":"2026-03-04T12:00:00Z","latency_ms":0,"latency_badge":"","delivery_status":"websocket_delivered","webhook_status_code":null,"webhook_attempts":0`
	for path, want := range map[string]string{
		"/v1/twitter/stream/logs": `{"logs":[{"id":"8193.2","monitor_id":"","monitor_name":"",` + gone + `,"rule_id":"rule-1","rule_tag":"tag"}],"total":1,"page":1,"page_size":20}`,
		rules + "/rule-1/logs":    `{"logs":[{"id":"8193.2","rule_id":"rule-1","rule_tag":"tag",` + gone + `,"tweet_text":"","tweet_type":""}],"total":1,"limit":20,"offset":0}`,
	} {
		if a := f.do("GET", path, ""); a.status != 200 || strings.TrimSpace(a.body) != want {
			t.Errorf("%s: %d %s, want %s", path, a.status, a.body, want)
		}
	}
}

// TestInvalid is the table of 422s: field and reason for everything that can
// be wrong, and no command reaches the key's actor.
func TestInvalid(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", monitors, ``, "body"},
		{"POST", monitors, `[]`, "body"},
		{"POST", monitors, `null`, "body"},
		{"POST", monitors, `{"name":`, "body"},
		{"POST", monitors, `{} {}`, "body"},
		{"POST", monitors, `{}`, "name"},
		{"POST", monitors, `{"name":null,"usernames":["a"]}`, "name"},
		{"POST", monitors, `{"name":7,"usernames":["a"]}`, "name"},
		{"POST", monitors, `{"name":"n"}`, "usernames"},
		{"POST", monitors, `{"name":"n","usernames":"a"}`, "usernames"},
		{"POST", monitors, `{"name":"n","usernames":[1]}`, "usernames"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"poll_interval_seconds":"5"}`, "poll_interval_seconds"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"poll_interval_seconds":1e999}`, "poll_interval_seconds"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"webhook_url":"https://example.com/hook"}`, "webhook_url"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"webhook_url":"nope"}`, "webhook_url"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"webhook_url":7}`, "webhook_url"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"webhook_secret":"s3cr3t"}`, "webhook_secret"},
		{"PATCH", monitors + "/mon-1", `{"webhook_url":"https://example.com/hook"}`, "webhook_url"},
		{"PATCH", monitors + "/mon-1", `{"webhook_secret":"s3cr3t","status":"paused"}`, "webhook_secret"},
		{"POST", rules, `{"tag":"t","query":"a","webhook_url":"https://example.com/hook"}`, "webhook_url"},
		{"PATCH", rules + "/rule-1", `{"webhook_secret":"s3cr3t"}`, "webhook_secret"},
		{"POST", monitors, `{"nam":"n","usernames":["a"]}`, "nam"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"username":"b"}`, "username"},
		{"POST", monitors, `{"Name":"n","usernames":["a"]}`, "Name"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"pollIntervalSeconds":null}`, "pollIntervalSeconds"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"":1}`, ""},
		{"POST", monitors, `{"name":"n","usernames":["a"],"` + strings.Repeat("x", 100) + `":1}`, strings.Repeat("x", 64) + "…"},
		{"POST", monitors, `{"name":"n","usernames":["a"],"id":"mon-7"}`, "id"},
		{"PATCH", monitors + "/mon-1", `{"status":"paused","interval":3}`, "interval"},
		{"PATCH", monitors + "/mon-1", `{"tag":"t"}`, "tag"},
		{"POST", rules, `{"tag":"t","query":"a","queries":["b"]}`, "queries"},
		{"POST", rules, `{"tag":"t","query":"a","usernames":["b"]}`, "usernames"},
		{"PATCH", rules + "/rule-1", `{"created_at":"2026-03-04T12:00:00Z"}`, "created_at"},
		{"POST", rules + "/validate", `{"query":"a","tag":"t"}`, "tag"},
		{"POST", rules + "/backtest", `{"query":"a","until":"1h"}`, "until"},
		{"POST", rules + "/backtest", `{"qeury":"a"}`, "qeury"},
		{"GET", monitors + "?statsu=paused", ``, "statsu"},
		{"GET", monitors + "?limit=5", ``, "limit"},
		{"GET", monitors + "/mon-1?page=1", ``, "page"},
		{"POST", monitors + "?dry_run=true", `{"name":"n","usernames":["a"]}`, "dry_run"},
		{"PATCH", monitors + "/mon-1?force", `{"name":"n"}`, "force"},
		{"DELETE", monitors + "/mon-1?id=mon-2", ``, "id"},
		{"GET", rules + "?page=2", ``, "page"},
		{"DELETE", rules + "/rule-1?dry_run=1", ``, "dry_run"},
		{"POST", rules + "/validate?query=a", `{"query":"b"}`, "query"},
		{"GET", rules + "/rule-1/logs?monitor_id=mon-1", ``, "monitor_id"},
		{"GET", "/v1/twitter/stream/logs?author=a", ``, "author"},
		{"GET", "/sdk/v1/twitter/stream/logs?author=a", ``, "author"},
		{"GET", "/v1/twitter/stream/billing-logs?month=2026-03", ``, "month"},
		{"GET", "/v1/twitter/stream/filter-rules-pricing?tier=a", ``, "tier"},
		{"POST", "/v1/ingest/posts?source=a", `{}`, "source"},
		{"POST", "/v1/ingest/articles?source=a", `{}`, "source"},
		{"DELETE", "/v1/ingest/articles/a?sorce=b", ``, "sorce"},
		{"DELETE", "/v1/ingest/articles?id=a&sorce=b", ``, "sorce"},
		{"GET", "/v1/news/stories?categroy=a", ``, "categroy"},
		{"GET", "/v1/news/stories/1?limit=1", ``, "limit"},
		{"GET", "/v1/news/articles/1?limit=1", ``, "limit"},
		{"GET", "/v1/news/entities?offset=1", ``, "offset"},
		{"GET", monitors + "?page=0", ``, "page"},
		{"GET", monitors + "?page=x", ``, "page"},
		{"GET", monitors + "?page_size=1001", ``, "page_size"},
		{"GET", monitors + "?status=inactive", ``, "status"},
		{"GET", monitors + "?%zz", ``, "query string"},
		{"POST", rules, `{"query":"a"}`, "tag"},
		{"POST", rules, `{"tag":"t"}`, "query"},
		{"POST", rules, `{"tag":"t","query":"a","max_results_per_poll":1.5}`, "max_results_per_poll"},
		{"POST", rules + "/validate", `{}`, "query"},
		{"POST", rules + "/validate", `{"query":5}`, "query"},
		{"GET", rules + "?limit=0", ``, "limit"},
		{"GET", rules + "?offset=-1", ``, "offset"},
		{"GET", rules + "?status=nope", ``, "status"},
		{"GET", rules + "/rule-1/logs?sort=up", ``, "sort"},
		{"GET", "/v1/twitter/stream/logs?source=x", ``, "source"},
		{"GET", "/v1/twitter/stream/billing-logs?page=-1", ``, "page"},
	} {
		a := f.do(c.method, c.path, c.body)
		if a.status != 422 {
			t.Errorf("%s %s %.80s: %d %s", c.method, c.path, c.body, a.status, a.body)
			continue
		}
		if p := f.problem(a); p.Field != c.field || p.Reason == "" || !strings.Contains(p.Detail, p.Reason) {
			t.Errorf("%s %s %.80s: field %q, %s", c.method, c.path, c.body, p.Field, a.body)
		}
	}
	for _, m := range f.keys.asked {
		if _, ok := m.(*messages.Authorize); !ok {
			t.Errorf("a bad request became %T", m)
		}
	}
}

func TestRejections(t *testing.T) {
	for _, c := range []struct {
		answer proto.Message
		err    error
		status int
		body   string // the whole, or "" for any problem
		retry  string
	}{
		{answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND}, status: 404},
		{
			answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_CONFLICT, Detail: "a rule with this tag exists"}, status: 409,
			body: `{"error":"conflict","detail":"a rule with this tag exists","status":409}`,
		},
		{answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_CREDITS}, status: 402},
		{
			answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_LIMIT, Detail: "at most 50 rules a key"}, status: 422,
			body: `{"error":"limit_reached","detail":"at most 50 rules a key","status":422,"field":"","reason":"at most 50 rules a key"}`,
		},
		{
			answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "query", Detail: "unexpected ')'", QueryPosition: 0, Expected: "a keyword"}, status: 422,
			body: `{"error":"validation_failed","detail":"query: unexpected ')'","status":422,"field":"query","reason":"unexpected ')'","position":0,"expected":"a keyword"}`,
		},
		{
			answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "tag", Detail: "is reserved"}, status: 422,
			body: `{"error":"validation_failed","detail":"tag: is reserved","status":422,"field":"tag","reason":"is reserved"}`,
		},
		{answer: &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE}, status: 503, retry: "1"},
		{answer: &messages.Rejected{Rejection: 99}, status: 503, retry: "1"},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: 2500}, status: 503, retry: "3"},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_CREDITS}, status: 402},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_PLAN}, status: 403},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_SCOPE}, status: 403},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_CONNECTIONS, RetryAfterMs: 3000}, status: 429, retry: "3"},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_UNKNOWN_KEY}, status: 401},
		{answer: &messages.Refused{Refusal: messages.Refusal_REFUSAL_REVOKED}, status: 401},
		{answer: &messages.Through{}, status: 500},
		{err: errors.New("mailbox full"), status: 503, retry: "1"},
	} {
		f := start(t, nil)
		f.keys.instead = func(proto.Message) (proto.Message, error) { return c.answer, c.err }
		for _, call := range [][3]string{
			{"POST", monitors, `{"name":"n","usernames":["a"]}`},
			{"PATCH", rules + "/rule-1", `{"tag":"t"}`},
			{"DELETE", monitors + "/mon-1", ""},
			{"DELETE", rules + "/rule-1", ""},
			{"GET", monitors, ""},
			{"GET", rules, ""},
			{"GET", rules + "/rule-1/logs", ""},
			{"GET", "/v1/twitter/stream/logs?sort=asc", ""},
			{"GET", "/v1/twitter/stream/billing-logs", ""},
		} {
			a := f.do(call[0], call[1], call[2])
			if a.status != c.status || a.header.Get("Retry-After") != c.retry || (c.body != "" && a.body != c.body) {
				t.Errorf("%v %v: %s %s: %d %q %s", c.answer, c.err, call[0], call[1], a.status, a.header.Get("Retry-After"), a.body)
			}
			f.problem(a)
		}
	}
}

// TestAFieldIsNamedAsItWasWritten: the actors' limit and offset are page_size and
// page where lists go by pages.
func TestAFieldIsNamedAsItWasWritten(t *testing.T) {
	f := start(t, nil)
	for path, names := range map[string]string{
		"/v1/twitter/stream/logs":     "page_size page",
		monitors:                      "page_size page",
		rules:                         "limit offset",
		rules + "/rule-1/logs":        "limit offset",
		"/sdk/v1/twitter/stream/logs": "page_size page",
	} {
		for i, field := range []string{"limit", "offset"} {
			f.keys.instead = func(proto.Message) (proto.Message, error) {
				return &messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: field, Detail: "is too much"}, nil
			}
			want := strings.Fields(names)[i]
			if a := f.do("GET", path, ""); a.status != 422 || !strings.Contains(a.body, `"detail":"`+want+`: is too much","status":422,"field":"`+want+`"`) {
				t.Errorf("%s, %s: %d %s; want it told as %s", path, field, a.status, a.body, want)
			}
		}
	}
}

func TestDeleteAnswers204WithNothing(t *testing.T) {
	f := start(t, nil)
	f.ingest.found = true
	f.do("POST", monitors, `{"name":"n","usernames":["a"]}`)
	f.do("POST", rules, `{"tag":"t","query":"q"}`)
	for _, path := range []string{monitors + "/mon-1", rules + "/rule-1", "/v1/ingest/articles/a1"} {
		a := f.do("DELETE", path, "")
		_, typed := a.header["Content-Type"]
		if a.status != 204 || a.body != "" || typed || a.header.Get("Content-Length") != "" {
			t.Errorf("%s: %d %q %v", path, a.status, a.body, a.header)
		}
	}
	if a := f.do("DELETE", monitors+"/mon-1", ""); a.status != 404 {
		t.Errorf("a second delete: %d %s", a.status, a.body)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	f := start(t, nil)
	wrong := f.key[:len(f.key)-1] + "!"
	other := strings.Replace(f.key, f.key[3:13], "aaaaaaaaaa", 1)
	create := `{"name":"n","usernames":["a"]}`
	for _, c := range []struct {
		name, key, method, path, body string
		status                        int
		detail                        string
	}{
		{"no key", "", "GET", monitors, "", 401, "Missing API key. Include an x-api-key header."},
		{"malformed", wrong, "GET", monitors, "", 401, "Invalid API key."},
		{"unknown", other, "GET", monitors, "", 401, "Invalid API key."},
		{"revoked", f.byName["revoked"], "GET", monitors, "", 401, "This API key has been revoked."},
		{"reader reads", f.byName["reader"], "GET", monitors, "", 200, ""},
		{"reader validates", f.byName["reader"], "POST", rules + "/validate", `{"query":"a"}`, 200, ""},
		{"reader creates", f.byName["reader"], "POST", monitors, create, 403, "this API key lacks the scope rules:write"},
		{"connect reads", f.byName["connect"], "GET", monitors, "", 403, "this API key lacks the scope rules:read"},
		{"kite reads", f.byName["kite"], "GET", monitors, "", 403, "this API key is not for the twitter API"},
		{"kite creates", f.byName["kite"], "POST", monitors, create, 403, "this API key is not for the twitter API"},
		{"reader pushes", f.byName["reader"], "POST", "/v1/ingest/posts", "{}", 403, "this API key lacks the scope ingest:write"},
		{"reader withdraws", f.byName["reader"], "DELETE", "/v1/ingest/articles/1", "", 403, "this API key lacks the scope ingest:write"},
	} {
		a := f.do(c.method, c.path, c.body, "X-API-Key", c.key)
		if a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
			continue
		}
		if c.status >= 400 && f.problem(a).Detail != c.detail {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
	if a := f.do("GET", monitors, "", "X-API-Key", "", "Authorization", "bearer "+f.key); a.status != 200 {
		t.Errorf("bearer: %d", a.status)
	}
	if a := f.do("GET", monitors, "", "X-API-Key", wrong, "Authorization", "Bearer "+f.key); a.status != 401 {
		t.Errorf("a bad header fell back to bearer: %d", a.status)
	}
	if a := f.do("GET", monitors+"?api_key="+f.key, "", "X-API-Key", ""); a.status != 401 {
		t.Errorf("a key in the query was taken: %d", a.status)
	}
	if log := f.log.String(); strings.Contains(log, "bw_") {
		t.Errorf("the log shows a key: %s", log)
	}
}

func TestThrottledAddress(t *testing.T) {
	f := start(t, func(c *Config) { c.Throttle = gateway.NewThrottle(gateway.ThrottleConfig{Burst: 3}) })
	for range 5 {
		f.do("GET", monitors, "", "X-API-Key", "")
	}
	for i := range 3 {
		if a := f.do("GET", monitors, "", "X-API-Key", "bad"); a.status != 401 {
			t.Fatalf("failure %d: %d", i, a.status)
		}
	}
	for _, wrong := range []string{"bad", "another", f.key + "x", f.key[:len(f.key)-1] + "!"} {
		for _, call := range []string{"GET " + monitors, "POST " + rules, "POST /v1/ingest/posts", "DELETE /v1/ingest/articles/a"} {
			method, path, _ := strings.Cut(call, " ")
			a := f.do(method, path, "", "X-API-Key", wrong)
			if a.status != 429 || a.header.Get("Retry-After") == "" || f.problem(a).Error != "too_many_failures" {
				t.Fatalf("%s: %d %s", call, a.status, a.body)
			}
			// Whoever shares the address and has a key is served.
			if a := f.do("GET", monitors, ""); a.status != 200 {
				t.Fatalf("a good key after %s: %d %s", call, a.status, a.body)
			}
		}
	}
}

func TestUnavailable(t *testing.T) {
	f := start(t, func(c *Config) { c.Queries = queries{err: errors.New("log is down")} })
	if a := f.do("POST", rules+"/validate", `{"query":"a"}`); a.status != 503 || f.problem(a).Error != "unavailable" {
		t.Errorf("validate: %d %s", a.status, a.body)
	}
	f = start(t, func(c *Config) { c.Queries = queries{err: ErrBusy} })
	if a := f.do("POST", rules+"/validate", `{"query":"a"}`); a.status != 429 || f.problem(a).Error != "busy" || a.header.Get("Retry-After") == "" {
		t.Errorf("validate while too many run: %d %s", a.status, a.body)
	}
	f.keys.keys = nil
	f.cfg.Keys = nil
	if _, err := New(f.cfg); err == nil {
		t.Error("a Config without Keys was taken")
	}
}

func TestLargeAndUnknown(t *testing.T) {
	f := start(t, nil)
	if a := f.do("POST", monitors, `{"name":"`+strings.Repeat("x", 64<<10)+`"}`); a.status != 413 || f.problem(a).Error != "too_large" {
		t.Errorf("large: %d %s", a.status, a.body)
	}
	if a := f.do("PUT", monitors, `{}`); a.status != 405 || a.header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: %d %v", a.status, a.header)
	}
	if a := f.do("GET", "/v1/nothing", ``); a.status != 404 || f.problem(a).Error != "not_found" {
		t.Errorf("unknown path: %d", a.status)
	}
	if a := f.do("PATCH", monitors+"/mon-7", `{}`); a.status != 404 {
		t.Errorf("an empty change of nothing: %d", a.status)
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"name":"n","usernames":["@A"],"poll_interval_seconds":1e3}`, `{"tag":"t","query":"q","max_results_per_poll":1e1}`, `{"name":{}}`, `[`, `{"status":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := gateway.ParseFields(data)
		if b.Bad != nil {
			return
		}
		// What is understood is what was sent, and nothing of it is left out.
		var sent map[string]any
		if err := json.Unmarshal(data, &sent); err != nil {
			t.Fatalf("%s was taken, and is no JSON: %v", data, err)
		}
		given := 0
		for name, v := range sent {
			if v != nil && !slices.Contains(webhookFields, name) {
				given++
			}
		}
		if m, fields := readMonitor(b); b.Bad == nil && (len(fields) != given || slices.Contains(fields, "name") && m.Name != sent["name"]) {
			t.Fatalf("%s became %v with %q", data, m, fields)
		}
		b.Bad = nil
		if m, fields := readRule(b); b.Bad == nil && (len(fields) != given || slices.Contains(fields, "query") && m.Query != sent["query"]) {
			t.Fatalf("%s became %v with %q", data, m, fields)
		}
	})
}

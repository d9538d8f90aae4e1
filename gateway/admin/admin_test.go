package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

func decode[T any](t *testing.T, a answer, status int) (v T) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return v
}

func TestLifeOfAKey(t *testing.T) {
	f := start(t, nil)
	a := f.do("POST", "/admin/v1/keys", `{"name":"desk","plan":"pro","scopes":["ws:connect","ingest:write","ws:connect"]}`)
	made := decode[minted](t, a, 201)
	if want := fmt.Sprintf(`{"id":%q,"key":%q,"name":"desk","plan":"pro","scopes":["ws:connect","ingest:write"]}`, made.ID, made.Key); a.body != want {
		t.Errorf("a new key: %s", a.body)
	}
	credential := gateway.Credential(made.Key)
	if credential.KeyId != made.ID || made.Name != "desk" || made.Plan != "pro" || !slices.Equal(made.Scopes, []string{"ws:connect", "ingest:write"}) {
		t.Fatalf("%+v", made)
	}
	if k := f.node.key(made.ID); k.State != messages.KeyState_KEY_ACTIVE || k.CreatedMs != 1772625600000 || string(k.SecretHash) != string(credential.SecretHash) {
		t.Fatalf("kept: %v", k)
	}

	f.node.key(made.ID).LastUsedMs = 1772625660000
	a = f.do("GET", "/admin/v1/keys/"+made.ID, "")
	want := fmt.Sprintf(`{"id":%q,"name":"desk","plan":"pro","scopes":["ws:connect","ingest:write"],"state":"active","created_at":"2026-03-04T12:00:00Z","last_used_at":"2026-03-04T12:01:00Z","connections":2,"usage":{"month":"2026-11","credits_used":17,"credits_limit":150000},"node":"n1"}`, made.ID)
	if a.status != 200 || a.body != want {
		t.Errorf("show: %d %s", a.status, a.body)
	}

	again := decode[minted](t, f.do("POST", "/admin/v1/keys/"+made.ID+"/rotate", ""), 200)
	if again.ID != made.ID || again.Key == made.Key || string(f.node.key(made.ID).SecretHash) != string(gateway.Credential(again.Key).SecretHash) {
		t.Fatalf("rotated: %+v", again)
	}
	changed := decode[shown](t, f.do("PATCH", "/admin/v1/keys/"+made.ID, `{"plan":"starter","apis":["kite"]}`), 200)
	if changed.Plan != "starter" || changed.Name != "desk" || !slices.Equal(changed.APIs, []string{"kite"}) {
		t.Errorf("changed: %+v", changed)
	}
	for body, field := range map[string]string{`{}`: "body", `{"plan":"gold"}`: "plan", `{"scopes":["root"]}`: "scopes", `{"name":""}`: "name"} {
		if a := f.do("PATCH", "/admin/v1/keys/"+made.ID, body); a.status != 422 || !strings.Contains(a.body, `"field":"`+field+`"`) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := f.do("POST", "/admin/v1/keys/"+made.ID+"/rotate", `{"grace_seconds":7776001}`); a.status != 422 || !strings.Contains(string(a.body), "must be from 0 to 7776000") {
		t.Errorf("a grace of more than 90 days: %d %s", a.status, a.body)
	}
	if got := decode[shown](t, f.do("POST", "/admin/v1/keys/"+made.ID+"/revoke", ""), 200); got.State != "revoked" {
		t.Errorf("revoked: %+v", got)
	}

	other := decode[minted](t, f.do("POST", "/admin/v1/keys", `{"name":"kite","plan":"free","owner":"ann","apis":["kite"]}`), 201)
	if !slices.Equal(other.Scopes, defaultScopes) || !slices.Equal(other.APIs, []string{"kite"}) || other.Owner != "ann" {
		t.Errorf("%+v", other)
	}
	all := decode[map[string][]listed](t, f.do("GET", "/admin/v1/keys", ""), 200)["keys"]
	if len(all) != 2 || all[0].State != "revoked" || all[1].LastUsedAt != nil || all[1].Owner != "ann" {
		t.Errorf("list: %+v", all)
	}
	for _, what := range []string{"created", "changed", "rotated", "revoked"} {
		if line := fmt.Sprintf("key %s.* key=%s .*by=127.0.0.1", what, made.ID); !regexp.MustCompile(line).MatchString(f.log.String()) {
			t.Errorf("the log does not say %s:\n%s", line, f.log.String())
		}
	}
	if log := f.log.String(); strings.Contains(log, made.Key[14:]) || strings.Contains(log, again.Key[14:]) || strings.Contains(log, token) {
		t.Errorf("the log shows a secret: %s", log)
	}
}

func TestMonitorsAndRulesOfAKey(t *testing.T) {
	f := start(t, nil)
	made := decode[minted](t, f.do("POST", "/admin/v1/keys", `{"name":"desk","plan":"pro"}`), 201)
	path := "/admin/v1/keys/" + made.ID
	if a := f.do("POST", path+"/monitors", `{"name":"m","usernames":["nasa"]}`); a.status != 201 || !strings.Contains(a.body, `"usernames":["nasa"]`) {
		t.Errorf("monitor: %d %s", a.status, a.body)
	}
	if a := f.do("GET", path+"/rules", ""); a.status != 200 || a.body != `{"rules":[],"total":0,"limit":20,"offset":0}` {
		t.Errorf("rules: %d %s", a.status, a.body)
	}
	if a := f.do("POST", path+"/rules/validate", `{"query":"a"}`); a.status != 200 {
		t.Errorf("validate: %d %s", a.status, a.body)
	}
	for _, rules := range []string{path + "/rules", "/admin/v1/rules"} {
		if a := f.do("POST", rules+"/backtest", `{"query":"a"}`); a.status != 200 || !strings.Contains(a.body, `"posts":9,"matched":3`) {
			t.Errorf("%s/backtest: %d %s", rules, a.status, a.body)
		}
	}
	if a := f.do("POST", "/admin/v1/rules/backtest", `{"query":"a"}`, "Authorization", ""); a.status != 401 {
		t.Errorf("backtest without the token: %d %s", a.status, a.body)
	}
	if a := f.do("POST", "/admin/v1/rules", `{"query":"a","tag":"t"}`); a.status != 404 {
		t.Errorf("a rule of no key: %d %s", a.status, a.body)
	}
	if a := f.do("DELETE", path+"/rules/r1", ""); a.status != 204 || a.header.Get("Content-Type") != "" {
		t.Errorf("delete: %d %v", a.status, a.header)
	}
	for _, id := range []string{"key-aaaaaaaaaa", "nonsense"} {
		if a := f.do("GET", "/admin/v1/keys/"+id+"/rules", ""); a.status != 404 {
			t.Errorf("rules of %s: %d %s", id, a.status, a.body)
		}
	}
}

func TestLifeOfAFeed(t *testing.T) {
	f := start(t, nil)
	made := decode[feed](t, f.do("POST", "/admin/v1/feeds", `{"url":"https://u:pw@example.com/rss?key=1","name":"BBC News – World","category":"politics","language":"en-GB"}`), 201)
	if made.SourceID != "bbc-news-world" || made.IntervalSeconds != 300 || made.Status != "starting" || strings.Contains(made.URL, "pw") || made.Language != "en-GB" {
		t.Fatalf("%+v", made)
	}
	if kept := f.node.feeds[0]; kept.Url != "https://u:pw@example.com/rss?key=1" || kept.IntervalMs != 300000 || kept.Id != made.ID {
		t.Fatalf("kept: %v", kept)
	}
	if a := f.do("POST", "/admin/v1/feeds", `{"url":"https://u:pw@example.com/rss?key=1","name":"x","category":"y"}`); a.status != 409 {
		t.Errorf("twice: %d %s", a.status, a.body)
	}
	a := f.do("GET", "/admin/v1/feeds/"+made.ID, "")
	got := decode[feed](t, a, 200)
	if got.Status != "failing" || got.LastError != "status 404" || got.Failures != 3 || *got.LastErrorAt != "2026-03-04T12:00:00Z" || got.LastSuccessAt != nil {
		t.Errorf("show: %s", a.body)
	}
	changed := decode[feed](t, f.do("PATCH", "/admin/v1/feeds/"+made.ID, `{"interval_seconds":1.5,"language":""}`), 200)
	if changed.IntervalSeconds != 1.5 || changed.Language != "" || changed.Name != made.Name || changed.Category != "politics" {
		t.Errorf("changed: %+v", changed)
	}
	if all := decode[map[string][]feed](t, f.do("GET", "/admin/v1/feeds", ""), 200)["feeds"]; len(all) != 1 || all[0].ID != made.ID {
		t.Errorf("list: %+v", all)
	}
	if a := f.do("DELETE", "/admin/v1/feeds/"+made.ID, ""); a.status != 204 || a.body != "" || a.header.Get("Content-Type") != "" {
		t.Errorf("delete: %d %q", a.status, a.body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if a := f.do(method, "/admin/v1/feeds/"+made.ID, ""); a.status != 404 {
			t.Errorf("%s after the delete: %d", method, a.status)
		}
	}
	if a := f.do("PATCH", "/admin/v1/feeds/nope", `{"name":"x"}`); a.status != 404 {
		t.Errorf("PATCH of nothing: %d", a.status)
	}
	if made := decode[feed](t, f.do("POST", "/admin/v1/feeds", `{"url":"http://example.com/日本","name":"日本","category":"news","source_id":"nhk","interval_seconds":60}`), 201); made.SourceID != "nhk" {
		t.Errorf("%+v", made)
	}
	if made := decode[feed](t, f.do("POST", "/admin/v1/feeds", `{"url":"http://example.com/2","name":"日本","category":"news"}`), 201); made.SourceID != made.ID {
		t.Errorf("%+v", made)
	}
}

// A feed is read before it is made: its title is its name, a page leads to the
// feed that it names, and one that cannot be read is made only by force.
func TestFeedIsTriedFirst(t *testing.T) {
	f := start(t, nil)
	type answer struct {
		feed
		Tried tried
	}
	f.node.tried = Tried{Title: "World News", Format: "RSS 2.0", Items: 7, Warning: "cut off"}
	made := decode[answer](t, f.do("POST", "/admin/v1/feeds", `{"url":"https://u:pw@example.com/rss","category":"news"}`), 201)
	if made.Name != "World News" || made.SourceID != "world-news" ||
		made.Tried != (tried{URL: "https://u:xxxxx@example.com/rss", Title: "World News", Format: "RSS 2.0", Items: 7, Warning: "cut off"}) {
		t.Errorf("made of its title: %+v", made)
	}
	f.node.tried.URL = "https://example.com/feed.xml"
	made = decode[answer](t, f.do("POST", "/admin/v1/feeds", `{"url":"https://example.com/","name":"Mine","category":"news"}`), 201)
	if made.Name != "Mine" || made.URL != "https://example.com/feed.xml" || made.Tried.Page != "https://example.com/" || f.node.feeds[1].Url != made.URL {
		t.Errorf("made of a page: %+v", made)
	}
	if a := f.do("POST", "/admin/v1/feeds", `{"url":"https://example.com/feed.xml","category":"news"}`); a.status != 409 {
		t.Errorf("the same feed by its own address: %d %s", a.status, a.body)
	}
	f.node.tried, f.node.unread = Tried{}, errors.New("fetch: 404 Not Found")
	for _, body := range []string{`{"url":"https://example.com/2","name":"x","category":"news"}`, `{"url":"https://example.com/2","category":"news","force":false}`} {
		a := f.do("POST", "/admin/v1/feeds", body)
		got := decode[struct{ Error, Field, Detail string }](t, a, 422)
		if got.Error != "feed_unreadable" || got.Field != "url" || !strings.Contains(got.Detail, "404 Not Found") || !strings.Contains(got.Detail, "force") {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	if len(f.node.feeds) != 2 {
		t.Fatalf("a feed that cannot be read was made: %v", f.node.feeds)
	}
	a := f.do("POST", "/admin/v1/feeds", `{"url":"https://example.com/2","category":"news","force":true}`)
	if got := decode[struct{ Field string }](t, a, 422); got.Field != "name" {
		t.Errorf("by force, without a name: %s", a.body)
	}
	made = decode[answer](t, f.do("POST", "/admin/v1/feeds", `{"url":"https://example.com/2","name":"x","category":"news","force":true}`), 201)
	if made.Tried.Error != "fetch: 404 Not Found" || made.URL != "https://example.com/2" {
		t.Errorf("by force: %+v", made)
	}
}

// A new address of a feed is read before it is taken; without one nothing is read.
func TestANewAddressIsTriedFirst(t *testing.T) {
	f := start(t, nil)
	type answer struct {
		feed
		Tried *tried
	}
	made := decode[answer](t, f.do("POST", "/admin/v1/feeds", `{"url":"https://example.com/rss","name":"Mine","category":"news"}`), 201)
	path := "/admin/v1/feeds/" + made.ID
	f.node.unread = errors.New("fetch: 404 Not Found")
	if a := f.do("PATCH", path, `{"url":"https://example.com/2","category":"other"}`); a.status != 422 || !strings.Contains(a.body, `"error":"feed_unreadable"`) || !strings.Contains(a.body, "404 Not Found; nothing was changed, and force") {
		t.Errorf("to what cannot be read: %d %s", a.status, a.body)
	}
	for _, body := range []string{`{"category":"other"}`, `{"url":"https://example.com/rss","name":"Mine too"}`} {
		if got := decode[answer](t, f.do("PATCH", path, body), 200); got.Tried != nil || got.URL != "https://example.com/rss" {
			t.Errorf("%s: %+v", body, got)
		}
	}
	if got := decode[answer](t, f.do("PATCH", path, `{"url":"https://example.com/3","force":true}`), 200); got.URL != "https://example.com/3" || got.Tried == nil || got.Tried.Error == "" || got.Name != "Mine too" {
		t.Errorf("by force: %+v", got)
	}
	f.node.unread, f.node.tried = nil, Tried{URL: "https://example.com/feed.xml", Title: "World News", Format: "RSS 2.0", Items: 7}
	got := decode[answer](t, f.do("PATCH", path, `{"url":"https://example.com/"}`), 200)
	if got.URL != "https://example.com/feed.xml" || got.Name != "Mine too" || got.Tried == nil || got.Tried.Page != "https://example.com/" || got.Tried.Items != 7 {
		t.Errorf("to a page that names a feed: %+v", got)
	}
	if a := f.do("PATCH", "/admin/v1/feeds/feed-none", `{"url":"https://example.com/"}`); a.status != 404 {
		t.Errorf("of no feed: %d %s", a.status, a.body)
	}
}

func TestShownURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com/100%": "https://example.com/100%", "https://u:p@ss@example.com/a@b": "https://u:xxxxx@example.com/a@b",
		"https://u@example.com/": "https://u@example.com/", "https://example.com/a:b@c": "https://example.com/a:b@c", "": "",
		"https://u:pw@example.com?x": "https://u:xxxxx@example.com?x",
	} {
		if got := shownURL(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

func TestInvalid(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "/admin/v1/keys", `{"plan":"pro"}`, "name"},
		{"POST", "/admin/v1/keys", `{"name":"x"}`, "plan"},
		{"POST", "/admin/v1/keys", `{"name":"x","plan":"gold"}`, "plan"},
		{"POST", "/admin/v1/keys", `{"name":"x","plan":"pro","scopes":["ws:conect"]}`, "scopes"},
		{"POST", "/admin/v1/keys", `{"name":"x","plan":"pro","scopes":"ws:connect"}`, "scopes"},
		{"POST", "/admin/v1/keys", `{"name":"x","plan":"pro","apis":["x"]}`, "apis"},
		{"POST", "/admin/v1/keys", `{"name":"` + strings.Repeat("x", 101) + `","plan":"pro"}`, "name"},
		{"POST", "/admin/v1/feeds", `{"name":"x","category":"y"}`, "url"},
		{"POST", "/admin/v1/feeds", `{"url":"ftp://x/","name":"x","category":"y"}`, "url"},
		{"POST", "/admin/v1/feeds", `{"url":"https://","name":"x","category":"y"}`, "url"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","category":"y"}`, "name"}, // and the feed has no title
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","category":"y","force":"yes"}`, "force"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x"}`, "category"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":" "}`, "category"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":"A B"}`, "category"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":"y","interval_seconds":0}`, "interval_seconds"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":"y","source_id":"a b"}`, "source_id"},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":"y","language":"english language"}`, "language"},
		{"PATCH", "/admin/v1/feeds/f", `{"category":""}`, "category"},
		{"GET", "/admin/v1/connections?api=x", ``, "api"},
	} {
		a := f.do(c.method, c.path, c.body)
		got := decode[struct{ Field, Reason, Error string }](t, a, 422)
		if got.Field != c.field || got.Reason == "" || got.Error != "validation_failed" {
			t.Errorf("%s %s: %s", c.method, c.body, a.body)
		}
	}
	if len(f.node.keys)+len(f.node.feeds) != 0 {
		t.Error("a bad request made something")
	}
}

func TestSourcesConnectionsHealth(t *testing.T) {
	f := start(t, nil)
	f.node.sockets = []Connection{
		{ID: "c1", KeyID: "key-a", API: messages.Api_API_TWITTER, Node: "n1", Address: "203.0.113.5", OpenedMs: 1772625600000, QueuedBytes: 10, Delivered: 5, Position: 4096},
		{ID: "c2", KeyID: "key-b", API: messages.Api_API_KITE},
	}
	for path, want := range map[string]string{
		"/admin/v1/sources": `{"sources":[{"id":"feed-1","node":"n1","kind":"feed","url":"https://u:xxxxx@example.com/f","status":"ok","last_error":"","last_error_at":null,"last_success_at":"2026-03-04T12:00:00Z","next_poll_at":null,"failures":0,"events":9,"duplicates":1},` +
			`{"id":"push-n1","node":"n2","kind":"push","url":"","status":"starting","last_error":"","last_error_at":null,"last_success_at":null,"next_poll_at":null,"failures":0,"events":0,"duplicates":0}],"incomplete":["node n3 did not answer"]}`,
		"/admin/v1/connections?key_id=key-a": `{"connections":[{"id":"c1","key_id":"key-a","api":"twitter","node":"n1","address":"203.0.113.5","opened_at":"2026-03-04T12:00:00Z","queued_bytes":10,"delivered":5,"position":4096}]}`,
		"/admin/v1/connections?api=newsrank": `{"connections":[]}`,
		"/admin/v1/cluster": `{"cluster":"birds","nodes":[{"name":"n1","incarnation":7,"version":"v1","state":"core","core":true,"shards":1024,"links":[{"node":"n2","up":false,"detail":"nothing listens there"}]}],` +
			`"store":{"leader":"n1","replicas":[{"node":"n1","online":true,"lag":3}],"streams":[{"stream":"journal","leader":"n1"}]},"problems":["node n2 is down"]}`,
		"/admin/v1/health": `{"status":"ok","node":"n1","version":"v1","started_at":"2026-03-04T12:00:00Z","epoch":"abcdefgh","checks":[{"name":"store","ok":true}]}`,
	} {
		if a := f.do("GET", path, ""); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.do("POST", "/admin/v1/cluster/nodes/n1/drain", ""); a.status != 204 {
		t.Errorf("drain: %d %s", a.status, a.body)
	}
	if a := f.do("POST", "/admin/v1/cluster/nodes/n9/drain", ""); a.status != 404 || !strings.Contains(a.body, "n9") {
		t.Errorf("drain nobody: %d %s", a.status, a.body)
	}
	for name, want := range map[string]int{"n1": 409, "n2": 204, "n9": 404} {
		if a := f.do("POST", "/admin/v1/cluster/nodes/"+name+"/forget", ""); a.status != want || want != 204 && !strings.Contains(a.body, name) {
			t.Errorf("forget %s: %d %s, want %d", name, a.status, a.body, want)
		}
	}
	for path, want := range map[string]string{
		"journal/step-down":         `{"stream":"journal","leader":"n2"}`,
		"journal/step-down?node=n3": `{"stream":"journal","leader":"n3"}`,
	} {
		if a := f.do("POST", "/admin/v1/cluster/streams/"+path, ""); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for path, want := range map[string]int{"journal/step-down?node=n9": 409, "birds/step-down": 404, "journal/step-down?to=n2": 422} {
		if a := f.do("POST", "/admin/v1/cluster/streams/"+path, ""); a.status != want {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, want)
		}
	}
	if a := f.do("DELETE", "/admin/v1/connections/c1", ""); a.status != 204 || len(f.node.sockets) != 1 {
		t.Errorf("close: %d", a.status)
	}
	if a := f.do("DELETE", "/admin/v1/connections/c1", ""); a.status != 404 {
		t.Errorf("close again: %d", a.status)
	}
	f.node.broken = errors.New("disk full")
	if a := f.do("GET", "/admin/v1/health", ""); a.status != 200 || !strings.Contains(a.body, `"status":"degraded"`) {
		t.Errorf("degraded: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/readyz", "", "Authorization", ""); a.status != 503 {
		t.Errorf("readyz: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/healthz", "", "Authorization", ""); a.status != 200 {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
}

// TestAParameterThatThereIsNotIsRefused: else a misspelt one would ask for more
// than was meant. Probes take any: whoever asks them may add one against caches.
func TestAParameterThatThereIsNotIsRefused(t *testing.T) {
	f := start(t, nil)
	var all routes
	s := &server{cfg: config(&node{}, io.Discard).withDefaults()}
	s.register(&all)
	for _, route := range all {
		method, path, _ := strings.Cut(route, " ")
		if !strings.HasPrefix(path, "/admin/v1/") {
			continue
		}
		path = strings.NewReplacer("{key}", "key-activeonea", "{id}", "x").Replace(path)
		f.node.keys = []*messages.Key{{Id: "key-activeonea", State: messages.KeyState_KEY_ACTIVE}}
		if a := f.do(method, path+"?keyid=1", `{}`); a.status != 422 || !strings.Contains(a.body, `"field":"keyid"`) {
			t.Errorf("%s: %d %s", route, a.status, a.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if a := f.do("GET", path+"?t=1", ""); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// TestWhatIsGoneIsSaidToBe: a path that names a key, a feed or a connection that
// is revoked or does not exist says which of the two.
func TestWhatIsGoneIsSaidToBe(t *testing.T) {
	f := start(t, nil)
	f.node.keys = []*messages.Key{{Id: "key-revokedone", State: messages.KeyState_KEY_REVOKED}, {Id: "key-activeonea", State: messages.KeyState_KEY_ACTIVE}}
	for _, under := range []string{
		"/monitors", "/monitors/mon-1", "/rules", "/rules/rule-1", "/rules/rule-1/logs", "POST /monitors", "POST /rules", "PATCH /rules/rule-1",
		"DELETE /monitors/mon-1", "DELETE /rules/rule-1", "POST /rules/validate", "POST /rules/backtest",
	} {
		method, path, ok := strings.Cut(under, " ")
		if !ok {
			method, path = "GET", under
		}
		if a := f.do(method, "/admin/v1/keys/key-revokedone"+path, `{}`); a.status != 409 || !strings.Contains(a.body, "the key has been revoked") {
			t.Errorf("%s of a revoked key: %d %s", under, a.status, a.body)
		}
		for _, id := range []string{"key-nosuchkeya", "nothing"} {
			if a := f.do(method, "/admin/v1/keys/"+id+path, `{}`); a.status != 404 || !strings.Contains(a.body, "there is no such key") {
				t.Errorf("%s of no key: %d %s", under, a.status, a.body)
			}
		}
	}
	for path, want := range map[string]string{
		"GET /admin/v1/feeds/feed-1":                      `no feed has the id`,
		"PATCH /admin/v1/feeds/feed-1":                    `no feed has the id`,
		"DELETE /admin/v1/feeds/feed-1":                   `no feed has the id`,
		"DELETE /admin/v1/connections/c9":                 `no open connection has the id`,
		"GET /admin/v1/connections?key_id=ada":            "there is no such key",
		"GET /admin/v1/connections?key_id=key-nosuchkeya": "there is no such key",
	} {
		method, path, _ := strings.Cut(path, " ")
		if a := f.do(method, path, `{}`); a.status != 404 || !strings.Contains(a.body, want) {
			t.Errorf("%s %s: %d %s, want %q", method, path, a.status, a.body, want)
		}
	}
	if a := f.do("GET", "/v1/twitter/stream/monitors", ""); a.status != 404 || !strings.Contains(a.body, "check the port") {
		t.Errorf("a path of the other listener: %d %s", a.status, a.body)
	}
	if a := f.do("GET", "/admin/v1/connections?key_id=key-activeonea", ""); a.status != 200 || a.body != `{"connections":[]}` {
		t.Errorf("of a key without connections: %d %s", a.status, a.body)
	}
}

func TestFaults(t *testing.T) {
	f := start(t, nil)
	f.node.broken = errors.New("the store is away")
	for _, c := range [][3]string{
		{"POST", "/admin/v1/keys", `{"name":"x","plan":"pro"}`},
		{"GET", "/admin/v1/keys", ""},
		{"GET", "/admin/v1/keys/key-aaaaaaaaaa", ""},
		{"POST", "/admin/v1/keys/key-aaaaaaaaaa/rotate", ""},
		{"GET", "/admin/v1/keys/key-aaaaaaaaaa/monitors", ""},
		{"POST", "/admin/v1/feeds", `{"url":"https://x/","name":"x","category":"y"}`},
		{"GET", "/admin/v1/feeds", ""},
		{"GET", "/admin/v1/feeds/x", ""},
		{"PATCH", "/admin/v1/feeds/x", `{"name":"x"}`},
		{"DELETE", "/admin/v1/feeds/x", ""},
		{"GET", "/admin/v1/sources", ""},
		{"GET", "/admin/v1/connections", ""},
	} {
		if a := f.do(c[0], c[1], c[2]); a.status != 503 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, `"error":"unavailable"`) {
			t.Errorf("%s %s: %d %s", c[0], c[1], a.status, a.body)
		}
	}
	f.node.broken = nil
	for answer, status := range map[proto.Message]int{
		&messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND}:                     404,
		&messages.Rejected{Rejection: messages.Rejection_REJECTION_CONFLICT, Detail: "it exists"}: 409,
		&messages.Rejected{Rejection: messages.Rejection_REJECTION_INVALID, Field: "plan"}:        422,
		&messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE}:                   503,
		&messages.Refused{Refusal: messages.Refusal_REFUSAL_OVERLOAD, RetryAfterMs: 2000}:         503,
		&messages.Refused{Refusal: messages.Refusal_REFUSAL_UNKNOWN_KEY}:                          404,
		&messages.Through{}: 500,
	} {
		f.node.instead = answer
		for _, c := range [][3]string{
			{"POST", "/admin/v1/keys", `{"name":"x","plan":"pro"}`},
			{"GET", "/admin/v1/keys/key-aaaaaaaaaa", ""},
			{"POST", "/admin/v1/keys/key-aaaaaaaaaa/revoke", ""},
			{"POST", "/admin/v1/keys/key-aaaaaaaaaa/rotate", ""},
		} {
			a := f.do(c[0], c[1], c[2])
			got := decode[gateway.Problem](t, a, status)
			if got.Error == "" || got.Status != status || strings.Contains(a.body, "bw_") {
				t.Errorf("%v: %s %s: %s", answer, c[0], c[1], a.body)
			}
		}
	}
}

func TestTokenIsNeeded(t *testing.T) {
	console := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) })
	f := start(t, func(c *Config) {
		c.Console = console
		c.Throttle = gateway.NewThrottle(gateway.ThrottleConfig{Burst: 4})
	})
	for _, path := range []string{"/admin/v1/keys", "/admin/v1/nothing", "/metrics", "/debug/pprof/", "/debug/pprof/heap"} {
		if a := f.do("GET", path, "", "Authorization", ""); a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(a.body, `"error":"unauthorized"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := f.do("GET", "/", "", "Authorization", ""); a.status != 200 || a.body != "console" {
		t.Errorf("console: %d %s", a.status, a.body)
	}
	for path, want := range map[string]string{"/metrics": "birdwire_test 7", "/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "test"} {
		if a := f.do("GET", path, ""); a.status != 200 || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d %.100s", path, a.status, a.body)
		}
	}
	if a := f.do("GET", "/admin/v1/nothing", ""); a.status != 404 || !strings.Contains(a.body, `"error":"not_found"`) {
		t.Errorf("unknown path: %d %s", a.status, a.body)
	}
	if a := f.do("PUT", "/admin/v1/keys", ""); a.status != 405 || a.header.Get("Allow") == "" {
		t.Errorf("wrong method: %d %s", a.status, a.body)
	}
	for i, wrong := range []string{"Bearer nope", "Bearer " + token + "x", "Basic " + token, "bearer x"} {
		if a := f.do("GET", "/admin/v1/keys", "", "Authorization", wrong); a.status != 401 {
			t.Errorf("wrong token %d: %d", i, a.status)
		}
	}
	for i := range 20 { // whoever guesses is throttled, whoever has the token is not
		if a := f.do("GET", "/admin/v1/keys", "", "Authorization", fmt.Sprint("Bearer guess ", i)); a.status != 429 || a.header.Get("Retry-After") == "" {
			t.Errorf("guess %d: %d %s", i, a.status, a.body)
		}
		if a := f.do("GET", "/admin/v1/keys", ""); a.status != 200 {
			t.Errorf("the right token after %d guesses: %d %s", i, a.status, a.body)
		}
	}
}

func TestWithoutConsoleOrMetrics(t *testing.T) {
	f := start(t, func(c *Config) { c.Gatherer = nil })
	for _, path := range []string{"/", "/metrics"} {
		if a := f.do("GET", path, ""); a.status != 404 || !strings.Contains(a.body, `"error":"not_found"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestConfig(t *testing.T) {
	cfg := config(&node{}, &lines{})
	cfg.Token = ""
	if _, err := New(cfg); err == nil {
		t.Error("an empty token was taken")
	}
	cfg = config(&node{}, &lines{})
	cfg.Plans = nil
	if _, err := New(cfg); err == nil {
		t.Error("no plans were taken")
	}
}

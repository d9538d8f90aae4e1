package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

const resourcesPath = "/v1/twitter/stream/"

func makeMonitor(t testing.TB, owner *client.Client, name string, usernames ...string) (id string) {
	t.Helper()
	m, err := owner.CreateMonitor(within(t), client.MonitorChange{Name: &name, Usernames: usernames})
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func makeRule(t testing.TB, owner *client.Client, tag, query string) (id string) {
	t.Helper()
	r, err := owner.CreateRule(within(t), client.RuleChange{Tag: &tag, Query: &query})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

var connectionID = regexp.MustCompile(`^\{"type":"connected","connection_id":"conn-[a-z2-7]+","api_key_id":"(key-[a-z2-7]+)"\}$`)

// TestTwitter: one post that a monitor and two rules match is three frames, in
// the published form, on every connection of the key and on no other's.
func TestTwitter(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k, stranger := s.pusher(t), s.key(t, "pro"), s.key(t, "pro")
	owner := s.owner(t, k)
	monitor := makeMonitor(t, owner, "Tech Leaders", "@Ada", "grace")
	bitcoin, links := makeRule(t, owner, "bitcoin-mentions", "bitcoin -is:retweet"), makeRule(t, owner, "links", "hits has:links lang:en")
	makeRule(t, s.owner(t, stranger), "other", "ethereum")

	first, second, other := s.dial(t, twitterPath+k.Key), s.dial(t, twitterPath+k.Key), s.dial(t, twitterPath+stranger.Key)
	for c, key := range map[*socket]string{first: k.ID, second: k.ID, other: stranger.ID} {
		raw := c.next()
		if m := connectionID.FindStringSubmatch(raw); m == nil || m[1] != key {
			t.Fatalf("connected: %s", raw)
		}
	}
	first.send(`{"type":"pong"}`) // is tolerated
	first.send(`not even JSON`)

	const text = "Bitcoin hits <new> ATH & more https://example.com/x"
	s.push(
		t, client.Posts, pusher,
		post("1", "nobody", "nothing of it"),
		`{"id":"2","text":"`+text+`","lang":"en","created_at":"2026-03-04T12:00:00Z","author":{"id":"7","username":"Ada"},"in_reply_to_id":"1"}`,
		post("3", "zoe", "ethereum"),
	)
	frame := func(source string) *regexp.Regexp {
		return regexp.MustCompile(`^\{"type":"new_tweet",` + source + `,"tweet_id":"2","author_username":"Ada","tweet_text":` +
			regexp.QuoteMeta(`"`+text+`"`) + `,"tweet_type":"reply","latency_ms":\d+,"detected_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}$`)
	}
	for _, c := range []*socket{first, second} {
		for _, want := range []*regexp.Regexp{
			frame(`"source":"monitor","monitor_id":"` + monitor + `","monitor_name":"Tech Leaders"`),
			frame(`"source":"filter_rule","rule_id":"` + bitcoin + `","rule_tag":"bitcoin-mentions"`),
			frame(`"source":"filter_rule","rule_id":"` + links + `","rule_tag":"links"`),
		} {
			if raw := c.next(); !want.MatchString(raw) {
				t.Fatalf("frame %s\nwant  %s", raw, want)
			}
		}
	}
	if e := other.event(); e.TweetID != "3" {
		t.Fatalf("the other key was sent %s", e.what())
	}

	// The same post again is none.
	done, err := s.tryPush(within(t), client.Posts, pusher, post("2", "Ada", text))
	if err != nil || done.Duplicates != 1 {
		t.Fatalf("the same post: %+v, %v; want a duplicate", done, err)
	}
	s.push(t, client.Posts, pusher, post("4", "grace", "good night"))
	if e := first.event(); e.what() != "4 for "+monitor {
		t.Fatalf("then came %s", e.what())
	}
	checkLogs(t, owner, bitcoin)
}

// checkLogs: the logs show what TestTwitter was sent.
func checkLogs(t *testing.T, owner *client.Client, bitcoin string) {
	t.Helper()
	logs, err := owner.Logs(within(t), client.LogFilter{}, client.Page{})
	if err != nil || logs.Total != 4 || len(logs.Logs) != 4 {
		t.Fatalf("logs: %+v, %v; want 4 deliveries", logs, err)
	}
	newest := logs.Logs[0]
	if newest.TweetID != "4" || newest.MonitorName != "Tech Leaders" || newest.AuthorUsername != "grace" ||
		newest.DeliveryStatus != "websocket_delivered" || newest.TweetURL != "https://twitter.com/grace/status/4" {
		t.Fatalf("the newest is %+v", newest)
	}
	ofRule, err := owner.RuleLogs(within(t), bitcoin, client.LogFilter{}, client.Page{})
	if err != nil || ofRule.Total != 1 || ofRule.Logs[0].RuleTag != "bitcoin-mentions" || ofRule.Logs[0].TweetID != "2" {
		t.Fatalf("logs of a rule: %+v, %v", ofRule, err)
	}
}

// TestCreatedMeansLive: what is accepted after a 201 is matched, and what was
// accepted before it is not; the same holds for changes.
func TestCreatedMeansLive(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	owner := s.owner(t, k)
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if e := c.event(); e.what() != w {
				t.Fatalf("then came %s, want %s", e.what(), w)
			}
		}
	}

	var rules []string
	for n := range 20 {
		word := fmt.Sprintf("word%d", n)
		s.push(t, client.Posts, pusher, post("before-"+word, "ada", word))
		rules = append(rules, makeRule(t, owner, word, word))
		s.push(t, client.Posts, pusher, post(word, "ada", word))
		expect(word + " for " + rules[n])
	}

	set := func(id, status string) {
		t.Helper()
		if r, err := owner.UpdateRule(within(t), id, client.RuleChange{Status: &status}); err != nil || r.Status != status {
			t.Fatalf("%s: %+v, %v", status, r, err)
		}
	}
	set(rules[0], "paused")
	s.push(t, client.Posts, pusher, post("paused", "ada", "word0"), post("others", "ada", "word0 word1"))
	expect("others for " + rules[1])
	set(rules[0], "active")
	s.push(t, client.Posts, pusher, post("active", "ada", "word0"))
	expect("active for " + rules[0])

	query := "changed OR different"
	if _, err := owner.UpdateRule(within(t), rules[1], client.RuleChange{Query: &query}); err != nil {
		t.Fatal(err)
	}
	if err := owner.DeleteRule(within(t), rules[2]); err != nil {
		t.Fatal(err)
	}
	s.push(t, client.Posts, pusher, post("old", "ada", "word1"), post("deleted", "ada", "word2"), post("new", "ada", "changed"))
	expect("new for " + rules[1])

	monitor := makeMonitor(t, owner, "m", "ada")
	s.push(t, client.Posts, pusher, post("monitored", "ADA", "hello"))
	expect("monitored for " + monitor)
	paused := "paused"
	if m, err := owner.UpdateMonitor(within(t), monitor, client.MonitorChange{Status: &paused}); err != nil || m.Status != paused {
		t.Fatalf("pause: %+v, %v", m, err)
	}
	s.push(t, client.Posts, pusher, post("unmonitored", "ada", "hello"), post("end", "ada", "different"))
	expect("end for " + rules[1])
}

// TestRuleRefusals: what the REST says where something is wrong.
func TestRuleRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--limits-rules", "3", "--limits-monitors", "1")
	k := s.key(t, "pro").Key
	rules, monitors := resourcesPath+"filter-rules", resourcesPath+"monitors"

	s.call(t, http.MethodGet, rules, "", "").want(t, http.StatusUnauthorized)
	s.call(t, http.MethodGet, rules, "nonsense", "").want(t, http.StatusUnauthorized)
	s.call(t, http.MethodPost, rules, s.pusher(t), `{"tag":"t","query":"q"}`).want(t, http.StatusForbidden)
	s.call(t, http.MethodPost, "/v1/ingest/posts", k, post("1", "ada", "x")).want(t, http.StatusForbidden)

	var made client.Rule
	r := s.call(t, http.MethodPost, rules, k, `{"tag":"t","query":"q"}`).want(t, http.StatusCreated)
	if err := json.Unmarshal([]byte(r.body), &made); err != nil || made.Status != "active" || made.MaxResultsPerPoll != 20 {
		t.Fatalf("created: %s, %v", r.body, err)
	}
	s.call(t, http.MethodPost, rules, k, `{"tag":"t","query":"other"}`).want(t, http.StatusConflict)

	for _, c := range []struct{ body, field, reason string }{
		{`{"tag":"u"}`, "query", ""},
		{`{"tag":"u","query":"(a"}`, "query", `"position":`},
		{`{"tag":"u","query":"colour:red a"}`, "query", `"position":0`},
		{`{"tag":"u","query":"from @nasa"}`, "query", `from:nasa`},
		{`{"tag":"u","query":"is:retweet"}`, "query", "is:retweet"},
		{`{"tag":"u","query":"` + strings.Repeat("a", 1025) + `"}`, "query", ""},
		{`{"tag":"u","query":"a","interval_seconds":0.01}`, "interval_seconds", ""},
	} {
		r := s.call(t, http.MethodPost, rules, k, c.body).want(t, http.StatusUnprocessableEntity)
		var invalid struct{ Field, Reason string }
		if err := json.Unmarshal([]byte(r.body), &invalid); err != nil || invalid.Field != c.field || invalid.Reason == "" || !strings.Contains(r.body, c.reason) {
			t.Errorf("%s is answered %s; want field %s and %s", c.body, r.body, c.field, c.reason)
		}
	}
	s.call(t, http.MethodPost, monitors, k, `{"name":"m","usernames":["not a name"]}`).want(t, http.StatusUnprocessableEntity)
	s.call(t, http.MethodPost, monitors, k, `{"name":"m","usernames":["ada"]}`).want(t, http.StatusCreated)
	s.call(t, http.MethodPost, monitors, k, `{"name":"n","usernames":["ada"]}`).want(t, http.StatusUnprocessableEntity) // as many as it may

	stranger := s.key(t, "pro").Key
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		s.call(t, method, rules+"/"+made.ID, stranger, `{"status":"paused"}`).want(t, http.StatusNotFound)
		s.call(t, method, rules+"/rule-doesnotexist", k, `{"status":"paused"}`).want(t, http.StatusNotFound)
		s.call(t, method, monitors+"/mon-doesnotexist", k, `{"status":"paused"}`).want(t, http.StatusNotFound)
	}
	if r := s.call(t, http.MethodDelete, rules+"/"+made.ID, k, ""); r.status != http.StatusNoContent || r.body != "" || r.header.Get("Content-Type") != "" {
		t.Fatalf("delete: %+v; want a bare 204", r)
	}
	s.call(t, http.MethodGet, rules+"/"+made.ID, k, "").want(t, http.StatusNotFound)

	v := s.call(t, http.MethodPost, rules+"/validate", k, `{"query":"a (b"}`).want(t, http.StatusOK)
	if !strings.HasPrefix(v.body, `{"valid":false,"error":"`) || !strings.HasSuffix(v.body, `"sample_results":0}`) {
		t.Fatalf("validate: %s", v.body)
	}
}

// TestTwitterAdmission: this API upgrades to refuse, with a frame and a code.
func TestTwitterAdmission(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	refused := func(path string, code int, frame string) {
		t.Helper()
		c := s.dial(t, path)
		c.expect(frame)
		c.closed(code)
	}
	const badKey = `{"type":"error","code":4001,"message":"Invalid or missing API key"}`
	refused("/v1/twitter/stream", 4001, badKey)
	refused(twitterPath+"YOUR_API_KEY", 4001, badKey)

	// A key for another API alone.
	news, err := s.operator.CreateKey(within(t), client.NewKey{Name: "news", Plan: "pro", APIs: []string{"newsrank"}})
	if err != nil {
		t.Fatal(err)
	}
	c := s.dial(t, twitterPath+news.Key)
	c.read("error", nil)
	c.closed(4001)
	s.refused(t, kitePath+news.Key, http.StatusForbidden)
	s.dial(t, newsrankPath+news.Key)

	k := s.key(t, "starter")
	var open []*socket
	for range 5 {
		c := s.dial(t, twitterPath+k.Key)
		c.read("connected", nil)
		open = append(open, c)
	}
	refused(twitterPath+k.Key, 4003, `{"type":"error","code":4003,"message":"Connection limit exceeded"}`)
	_, err = s.owner(t, k).Twitter(within(t), client.Options{})
	var e *client.Error
	if !errors.As(err, &e) || e.Code != 4003 || !errors.Is(err, client.ErrTooMany) {
		t.Fatalf("the SDK says %v", err)
	}
	open[2].leave()
	open = slices.Delete(open, 2, 3)
	eventually(t, func() string {
		c := s.dial(t, twitterPath+k.Key)
		raw := c.next()
		if !strings.HasPrefix(raw, `{"type":"connected"`) {
			return "no connection is let in after one left: " + raw
		}
		open = append(open, c)
		return ""
	})

	used, err := s.operator.RevokeKey(within(t), k.ID)
	if err != nil || used.State != "revoked" {
		t.Fatalf("revoke: %+v, %v", used, err)
	}
	for _, c := range open {
		c.read("error", nil)
		c.closed(4001)
	}
	refused(twitterPath+k.Key, 4001, badKey)

	// A rotated key has a new text; the old one is as bad as any.
	k = s.key(t, "starter")
	again, err := s.operator.RotateKey(within(t), k.ID)
	if err != nil || again.ID != k.ID || again.Key == k.Key {
		t.Fatalf("rotate: %+v, %v", again, err)
	}
	refused(twitterPath+k.Key, 4001, badKey)
	s.dial(t, twitterPath+again.Key).read("connected", nil)
}

// TestMonitorFollowsARename: once an account's number is known, its name does
// not matter; a crash forgets nothing of it.
func TestMonitorFollowsARename(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	monitor := makeMonitor(t, s.owner(t, k), "m", "ada")
	makeRule(t, s.owner(t, k), "all", "post")
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)
	n := 0
	// monitored pushes a post and says whether the monitor matched it: its frame
	// comes before that of the rule, which matches every post.
	monitored := func(authorID, username string) bool {
		t.Helper()
		n++
		s.push(t, client.Posts, pusher, fmt.Sprintf(`{"id":"%d","text":"a post","created_at":"2026-03-04T12:00:00Z","author":{"id":%q,"username":%q}}`, n, authorID, username))
		e := c.event()
		if e.MonitorID == "" {
			return false
		}
		if e.MonitorID != monitor || c.event().RuleTag != "all" {
			t.Fatalf("then came %s", e.what())
		}
		return true
	}
	if !monitored("77", "Ada") || monitored("78", "grace") {
		t.Fatal("the monitor does not watch whom it names")
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for late := time.After(patience); !monitored("77", "lovelace"); <-again.C { // it is learnt in a while
		select {
		case <-late:
			t.Fatal("the monitor has lost the account that was renamed")
		default:
		}
	}
	s.kill()
	s = start(t, s.dir)
	c = s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)
	if !monitored("77", "lovelace") || monitored("78", "grace") {
		t.Fatal("after a crash the monitor has forgotten whom it watches")
	}
	m, err := s.owner(t, k).Monitor(within(t), monitor)
	if err != nil || !slices.Equal(m.Usernames, []string{"ada"}) || m.Status != "active" {
		t.Fatalf("the monitor: %+v, %v", m, err)
	}
}

package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

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

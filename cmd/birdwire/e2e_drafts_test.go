package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// operate makes one request at the operators' address.
func (s *server) operate(t testing.TB, method, path, body string) *reply {
	t.Helper()
	token, err := client.AdminToken(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(within(t), method, "http://"+s.admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

// TestWhatCannotBe: a monitor, rule, key or feed that cannot be is refused with
// the field and the reason, at every entrance, and nothing of it is kept.
func TestWhatCannotBe(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "pro")
	owner := s.owner(t, k)
	monitor, rule := makeMonitor(t, owner, "kept", "ada"), makeRule(t, owner, "kept", "word")
	long := strings.Repeat("x", 101)
	var many []string
	for n := range 101 {
		many = append(many, fmt.Sprintf(`"a%d"`, n))
	}
	with := func(field, value string) string {
		fields := map[string]string{"name": `"n"`, "usernames": `["a"]`}
		fields[field] = value
		var all []string
		for f, v := range fields {
			all = append(all, fmt.Sprintf("%q:%s", f, v))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	asRule := func(field, value string) string {
		fields := map[string]string{"tag": `"t"`, "query": `"a"`}
		fields[field] = value
		var all []string
		for f, v := range fields {
			all = append(all, fmt.Sprintf("%q:%s", f, v))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	type wrong struct{ method, path, body, field string }
	cases := []wrong{
		{"POST", "monitors", with("name", `"  "`), "name"},
		{"POST", "monitors", with("name", `"`+long+`"`), "name"},
		{"POST", "monitors", with("name", `"a\u0000b"`), "name"},
		{"POST", "monitors", with("usernames", `[]`), "usernames"},
		{"POST", "monitors", with("usernames", `["a b"]`), "usernames"},
		{"POST", "monitors", with("usernames", `["@"]`), "usernames"},
		{"POST", "monitors", with("usernames", `["@@a"]`), "usernames"},
		{"POST", "monitors", with("usernames", `["`+long+`"]`), "usernames"},
		{"POST", "monitors", with("usernames", `[`+strings.Join(many, ",")+`]`), "usernames"},
		{"POST", "monitors", with("poll_interval_seconds", `0.05`), "poll_interval_seconds"},
		{"POST", "monitors", with("poll_interval_seconds", `0`), "poll_interval_seconds"},
		{"POST", "monitors", with("poll_interval_seconds", `-1`), "poll_interval_seconds"},
		{"POST", "monitors", with("poll_interval_seconds", `86401`), "poll_interval_seconds"},
		{"POST", "monitors", with("status", `"error"`), "status"},
		{"POST", "monitors", with("status", `""`), "status"},
		{"POST", "monitors", with("webhook_url", `"https://example.com/hook"`), "webhook_url"},
		{"POST", "monitors", with("webhook_secret", `"s3cr3t"`), "webhook_secret"},
		{"POST", "monitors", with("pole_interval_seconds", `5`), "pole_interval_seconds"},
		{"POST", "monitors", with("tag", `"t"`), "tag"},
		{"PATCH", "monitors/" + monitor, `{"name":""}`, "name"},
		{"PATCH", "monitors/" + monitor, `{"poll_interval_seconds":0}`, "poll_interval_seconds"},
		{"PATCH", "monitors/" + monitor, `{"status":"paused","webhook_url":"http://127.0.0.1/"}`, "webhook_url"},
		{"PATCH", "monitors/" + monitor, `{"status":"paused","user_names":["b"]}`, "user_names"},
		{"PATCH", "monitors/" + monitor, `{"status":"paused","id":"mon-x"}`, "id"},
		{"POST", "rules", asRule("tag", `"`+long+`"`), "tag"},
		{"POST", "rules", asRule("tag", `""`), "tag"},
		{"POST", "rules", asRule("query", `""`), "query"},
		{"POST", "rules", asRule("query", `"  "`), "query"},
		{"POST", "rules", asRule("query", `"`+strings.Repeat("é", 1025)+`"`), "query"},
		{"POST", "rules", asRule("query", `"moon ("`), "query"},
		{"POST", "rules", asRule("interval_seconds", `86401`), "interval_seconds"},
		{"POST", "rules", asRule("interval_seconds", `0`), "interval_seconds"},
		{"POST", "rules", asRule("max_results_per_poll", `0`), "max_results_per_poll"},
		{"POST", "rules", asRule("max_results_per_poll", `101`), "max_results_per_poll"},
		{"POST", "rules", asRule("status", `"error"`), "status"},
		{"POST", "rules", asRule("webhook_url", `"nope"`), "webhook_url"},
		{"POST", "rules", asRule("value", `"a"`), "value"},
		{"PATCH", "rules/" + rule, `{"query":"other","webhook_secret":"s"}`, "webhook_secret"},
		{"PATCH", "rules/" + rule, `{"query":"other","expansions":[]}`, "expansions"},
		{"POST", "rules/validate", `{"query":"a","lang":"en"}`, "lang"},
		{"POST", "rules/backtest", `{"query":"a","from":"1d"}`, "from"},
		{"POST", "rules/backtest", `{"query":""}`, "query"},
	}
	check := func(r *reply, c wrong) {
		t.Helper()
		var problem struct{ Field, Reason string }
		if err := json.Unmarshal([]byte(r.body), &problem); err != nil || r.status != http.StatusUnprocessableEntity || problem.Field != c.field || problem.Reason == "" {
			t.Errorf("%s %s %.100s: %d %s; want 422 for %s", c.method, c.path, c.body, r.status, r.body, c.field)
		}
	}
	for _, c := range cases {
		check(s.call(t, c.method, resourcesPath+strings.Replace(c.path, "rules", "filter-rules", 1), k.Key, c.body), c)
		check(s.operate(t, c.method, "/admin/v1/keys/"+k.ID+"/"+c.path, c.body), c)
		if strings.HasPrefix(c.path, "rules/validate") || strings.HasPrefix(c.path, "rules/backtest") {
			check(s.operate(t, c.method, "/admin/v1/"+c.path, c.body), c)
		}
	}
	for _, c := range []wrong{
		{"POST", "/admin/v1/keys", `{"name":"n","plan":"pro","scope":["ws:connect"]}`, "scope"},
		{"POST", "/admin/v1/keys", `{"name":"n","plan":"pro","state":"revoked"}`, "state"},
		{"PATCH", "/admin/v1/keys/" + k.ID, `{"plan":"starter","credits":5}`, "credits"},
		{"POST", "/admin/v1/keys/" + k.ID + "/rotate", `{"grace":"24h"}`, "grace"},
		{"POST", "/admin/v1/feeds", `{"url":"https://example.com/rss","name":"n","category":"c","interval":"5m"}`, "interval"},
	} {
		check(s.operate(t, c.method, c.path, c.body), c)
	}

	// Nothing of all that was kept.
	monitors, err := owner.ListMonitors(within(t), client.Page{})
	if err != nil || monitors.Total != 1 || monitors.Monitors[0].Name != "kept" || monitors.Monitors[0].Status != "active" || monitors.Monitors[0].WebhookURL != nil {
		t.Errorf("monitors afterwards: %+v, %v", monitors, err)
	}
	rules, err := owner.ListRules(within(t), client.Page{})
	if err != nil || rules.Total != 1 || rules.Rules[0].Query != "word" || rules.Rules[0].WebhookURL != nil || rules.Rules[0].WebhookSecretSet {
		t.Errorf("rules afterwards: %+v, %v", rules, err)
	}
	if keys, err := s.operator.Keys(within(t)); err != nil || len(keys) != 1 || keys[0].Plan != "pro" {
		t.Errorf("keys afterwards: %+v, %v", keys, err)
	}

	// What clients of another server send empty is taken.
	made := s.call(t, http.MethodPost, resourcesPath+"monitors", k.Key, `{"name":"m","usernames":["@NASA"," nasa ","b"],"webhook_url":null,"webhook_secret":""}`).want(t, http.StatusCreated)
	if !strings.Contains(made.body, `"usernames":["nasa","b"]`) || !strings.Contains(made.body, `"webhook_url":null,"webhook_secret_set":false`) {
		t.Errorf("made %s", made.body)
	}
}

// TestValidateSaysWhere: an invalid query is told with its place, from 0.
func TestValidateSaysWhere(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "pro")
	for query, position := range map[string]int{
		"": 0, "   ": 3, "OR": 0, ")": 0, "-": 0, "a (": 3, "a OR": 4, `a "b`: 2, strings.Repeat("é", 1025): 1024, "a\x00b": 1,
	} {
		body, err := json.Marshal(map[string]string{"query": query})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []*reply{
			s.call(t, http.MethodPost, resourcesPath+"filter-rules/validate", k.Key, string(body)),
			s.operate(t, http.MethodPost, "/admin/v1/rules/validate", string(body)),
		} {
			var v struct {
				Valid    *bool
				Error    string
				Position *int
			}
			if err := json.Unmarshal([]byte(r.want(t, http.StatusOK).body), &v); err != nil || v.Valid == nil || *v.Valid || v.Error == "" || v.Position == nil {
				t.Errorf("%.20q: %s; want valid false, an error and its position", query, r.body)
				continue
			}
			if *v.Position != position {
				t.Errorf("%.20q: position %d, want %d: %s", query, *v.Position, position, r.body)
			}
		}
		for _, path := range []string{"filter-rules", "filter-rules/backtest"} {
			full := string(body)
			if path == "filter-rules" {
				full = strings.Replace(full, "{", `{"tag":"t",`, 1)
			}
			r := s.call(t, http.MethodPost, resourcesPath+path, k.Key, full).want(t, http.StatusUnprocessableEntity)
			if !strings.Contains(r.body, fmt.Sprintf(`"position":%d`, position)) {
				t.Errorf("%s with %.20q: %s; want position %d", path, query, r.body, position)
			}
		}
	}
}

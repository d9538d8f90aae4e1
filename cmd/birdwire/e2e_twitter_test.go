package main_test

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

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
	again, err := s.operator.RotateKey(within(t), k.ID, 0)
	if err != nil || again.ID != k.ID || again.Key == k.Key {
		t.Fatalf("rotate: %+v, %v", again, err)
	}
	refused(twitterPath+k.Key, 4001, badKey)
	s.dial(t, twitterPath+again.Key).read("connected", nil)
}

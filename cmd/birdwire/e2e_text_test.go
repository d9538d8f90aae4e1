package main_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestTextsAndRules: what X makes a link of, in texts of every script, is what
// rules find; beyond the cut of a retweet as well.
func TestTextsAndRules(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business")
	owner := s.owner(t, k)
	type match struct{ rule, post string }
	with := func(id, fields string) string {
		return fmt.Sprintf(`{"id":%q,"created_at":"2026-03-04t12:00:00z","author":{"id":"7","username":"ada","followers_count":1200.0,"location":"a\tb"},%s}`, id, fields)
	}
	text := func(id, text string) string {
		b, _ := json.Marshal(text)
		return with(id, `"text":`+string(b))
	}
	cut := `"text":"RT @nasa: #one @ada $BA https://a.example/x, says the…","retweet_of":{"id":"9","username":"nasa","text":"#one @ada $BA https://a.example/x, says the captain #later·two @esa $TSLA https://b.example.co.jp/y"}`
	rules := []string{
		"#later·two", "@esa", "$tsla", "url:b.example.co.jp", "captain followers_count:1200 bio_location:a",
		"#col·legi", "#ジョン・スミス", "#ארה״ב", "#بوک\u200cمارک", "@naver", "@kim", `url:"example com path"`, "url:みんな",
		`"R D" #tag`, "@nobody", "#half",
	}
	for n, query := range rules {
		makeRule(t, owner, fmt.Sprint(n), query)
	}
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)
	s.push(t, client.Posts, s.pusher(t),
		with("1", cut),
		with("2", cut+`,"hashtags":["one"],"mentions":["nasa"],"cashtags":["BA"],"urls":[{"url":"https://a.example/x"}]`),
		text("3", "#col·legi。#ジョン・スミス #ארה״ב #بوک\u200cمارک #half·way"),
		text("4", "한국@naver에서 RT@kim wtf!@nobody @nobodyè x@@nobody @nobody@b.example"),
		text("5", "詳細はhttps://example.com/path。例example.みんなです"),
		text("6", "R&amp;D &lt;#tag&gt;"),
		with("7", `"text":"odd links","urls":[{"url":"https://example.com/path/100%"},{"url":"https://exam\tple.com/"}]`),
		text("end", "captain followers"), // matches rule 4
	)
	want := []match{
		{"#later·two", "1"},
		{"@esa", "1"},
		{"$tsla", "1"},
		{"url:b.example.co.jp", "1"},
		{"captain followers_count:1200 bio_location:a", "1"},
		{"#later·two", "2"},
		{"@esa", "2"},
		{"$tsla", "2"},
		{"url:b.example.co.jp", "2"},
		{"captain followers_count:1200 bio_location:a", "2"},
		{"#col·legi", "3"},
		{"#ジョン・スミス", "3"},
		{"#ארה״ב", "3"},
		{"#بوک\u200cمارک", "3"},
		{"@naver", "4"},
		{"@kim", "4"},
		{`url:"example com path"`, "5"},
		{"url:みんな", "5"},
		{`"R D" #tag`, "6"},
		{`url:"example com path"`, "7"},
		{"captain followers_count:1200 bio_location:a", "end"},
	}
	var got []match
	for range want {
		e := c.event()
		var n int
		_, _ = fmt.Sscan(e.RuleTag, &n)
		got = append(got, match{rules[n], e.TweetID})
	}
	for _, m := range want {
		if !slices.Contains(got, m) {
			t.Errorf("post %s does not match %s", m.post, m.rule)
		}
	}
	for _, m := range got {
		if !slices.Contains(want, m) {
			t.Errorf("post %s matches %s", m.post, m.rule)
		}
	}
}

// TestUsernamesAreASCII: what only looks like a letter of ASCII is another
// letter, and no username.
func TestUsernamesAreASCII(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "pro")
	for _, name := range []string{"\u0130x", "\u212aim", "\u017fam", "a\u0307"} {
		body := fmt.Sprintf(`{"name":"n","usernames":[%q]}`, name)
		r := s.call(t, http.MethodPost, "/v1/twitter/stream/monitors", k.Key, body).want(t, http.StatusUnprocessableEntity)
		if !strings.Contains(r.body, "usernames") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	r := s.call(t, http.MethodPost, "/v1/twitter/stream/monitors", k.Key, `{"name":"n","usernames":["@IX","Kim"]}`).want(t, http.StatusCreated)
	if !strings.Contains(r.body, `"usernames":["ix","kim"]`) {
		t.Error(r.body)
	}
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)
	s.push(t, client.Posts, s.pusher(t), post("1", "\u0130x", "no"), post("2", "\u212aim", "no"), post("3", "Ix", "yes"))
	if e := c.event(); e.TweetID != "3" {
		t.Errorf("the monitor of ix and kim has %s", e.TweetID)
	}
}

// TestNothingTaken: a push of which every line is wrong is the pusher's to mend,
// and is told what each line is.
func TestNothingTaken(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	for body, want := range map[string]string{
		"nope":                        `not JSON: \"nope\" at character 1`,
		"{}\nnope":                    `all 2 are rejected`,
		`"hello"`:                     `want an object, got the string \"hello\"`,
		"42":                          `want an object, got the number 42`,
		"[null,7]":                    `want an object, got null`,
		"{'id':1}":                    `at character 2: strings are in double quotation marks`,
		"\x1f\x8b\x08\x00":            `Content-Encoding: gzip`,
		`{"id":"1","text":"no more"}`: `created_at: missing`,
	} {
		r := s.call(t, http.MethodPost, "/v1/ingest/posts", pusher, body).want(t, http.StatusUnprocessableEntity)
		var done client.Pushed
		if err := json.Unmarshal([]byte(r.body), &done); err != nil || len(done.Rejected) == 0 || done.Accepted != 0 || !strings.Contains(r.body, want) {
			t.Errorf("%q: %s", body, r.body)
		}
	}
	sum, err := s.owner(t, &client.MintedKey{Key: pusher}).Publish(within(t), client.Posts, strings.NewReader("nope\nno\n"), client.PublishOptions{})
	if err != nil || len(sum.Rejected) != 2 {
		t.Errorf("published: %+v, %v", sum, err)
	}
}

// TestSlowUploads: keys that hold all the places they can get with bodies that
// do not come keep nobody else from pushing.
func TestSlowUploads(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	for range 12 {
		key := s.pusher(t)
		for range 8 {
			conn, err := net.Dial("tcp", s.public)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			if _, err := fmt.Fprintf(conn, "POST /v1/ingest/posts HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\nContent-Length: 100000\r\n\r\n{", key); err != nil {
				t.Fatal(err)
			}
		}
	}
	pusher := s.pusher(t)
	for n := range 23 {
		s.call(t, http.MethodPost, "/v1/ingest/posts", pusher, post(fmt.Sprint(n), "ada", "hello")).want(t, http.StatusAccepted)
	}
}

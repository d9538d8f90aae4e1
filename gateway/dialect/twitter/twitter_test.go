package twitter_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/messages"
)

var detected = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).UnixMilli()

// golden is a sample of the published document, compacted.
func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func tweet(kind messages.OriginKind, id, name, user, text string, latency int64) *messages.Delivery {
	return &messages.Delivery{
		Position: 1, K: 1,
		Origin: &messages.Origin{Kind: kind, Id: id, Name: name},
		Event: &messages.Event{DetectedMs: detected, Body: &messages.Event_Post{Post: &messages.Post{
			Id: "1234567890123456789", Text: text, CreatedMs: detected - latency, Author: &messages.Author{Username: user},
		}}},
	}
}

func TestFramesAreTheDocumentsOwn(t *testing.T) {
	var c twitter.Codec
	monitor := tweet(messages.OriginKind_ORIGIN_MONITOR, "mon-123", "Tech Leaders", "elonmusk", "The future is electric...", 850)
	rule := tweet(messages.OriginKind_ORIGIN_RULE, "rule-456", "bitcoin-mentions", "cryptonews", "Bitcoin hits new ATH...", 1200)
	for name, got := range map[string][]byte{
		"connected":             c.Connected(nil, "abc-123", "key-456"),
		"new_tweet_monitor":     c.Event(nil, monitor, dialect.Form{}),
		"new_tweet_filter_rule": c.Event(nil, rule, dialect.Form{}),
		"error":                 c.Deny(messages.Refusal_REFUSAL_UNKNOWN_KEY, "").Ending.Frame,
	} {
		if want := golden(t, name); string(got) != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
	}
	got := string(c.Event(nil, rule, dialect.Form{Cursor: "abcdefgh-1.1"}))
	want := strings.TrimSuffix(golden(t, "new_tweet_filter_rule"), "}") + `,"cursor":"abcdefgh-1.1"}`
	if got != want {
		t.Errorf("with cursor\n got %s\nwant %s", got, want)
	}
}

func TestTweetType(t *testing.T) {
	ref := &messages.PostRef{Id: "1"}
	for want, post := range map[string]*messages.Post{
		"original": {},
		"retweet":  {RetweetOf: ref},
		"quote":    {QuoteOf: ref},
		"reply":    {InReplyToId: "1", QuoteOf: ref},
	} {
		d := &messages.Delivery{Event: &messages.Event{Body: &messages.Event_Post{Post: post}}}
		if got := string(twitter.Codec{}.Event(nil, d, dialect.Form{})); !strings.Contains(got, `"tweet_type":"`+want+`"`) {
			t.Errorf("want %s: %s", want, got)
		}
	}
}

func TestLatency(t *testing.T) {
	const snowflake = "1234567890123456789" // 2020-03-02T19:54:56.824Z
	const snowflakeMS = 1583178896824
	year := int64(365 * 24 * 60 * 60 * 1000)
	for _, c := range []struct {
		why               string
		id                string
		created, detected int64
		want              int64
	}{
		{"the id's milliseconds, not created_at's seconds", snowflake, snowflakeMS - 824, snowflakeMS + 10, 10},
		{"the id, where there is no created_at", snowflake, 0, snowflakeMS + year, year},
		{"the id, where created_at is wrong and it is live", snowflake, snowflakeMS - year, snowflakeMS + 5, 5},
		{"created_at, where the id is made up", snowflake, detected - 850, detected, 850},
		{"created_at, where the id is no number", "3kabc", detected - 7, detected, 7},
		{"created_at, where the id is too small", "4711", detected - 7, detected, 7},
		{"never below 0", "4711", detected + 7, detected, 0},
		{"nothing is known", "x", 0, detected, 0},
	} {
		if got := twitter.Latency(&messages.Post{Id: c.id, CreatedMs: c.created}, c.detected); got != c.want {
			t.Errorf("%s: %d, want %d", c.why, got, c.want)
		}
	}
}

func TestShowsPostsOnly(t *testing.T) {
	d := &messages.Delivery{Event: &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{}}}}
	if got := (twitter.Codec{}).Event(nil, d, dialect.Form{}); len(got) != 0 {
		t.Errorf("an article made %s", got)
	}
}

func TestDenyAndEnd(t *testing.T) {
	var c twitter.Codec
	for refusal, code := range map[messages.Refusal]uint16{
		messages.Refusal_REFUSAL_UNSPECIFIED: 4001,
		messages.Refusal_REFUSAL_UNKNOWN_KEY: 4001,
		messages.Refusal_REFUSAL_REVOKED:     4001,
		messages.Refusal_REFUSAL_SCOPE:       4001,
		messages.Refusal_REFUSAL_CONNECTIONS: 4003,
		messages.Refusal_REFUSAL_CREDITS:     4402,
	} {
		if d := c.Deny(refusal, ""); d.Ending == nil || d.Ending.Code != code || len(d.Ending.Frame) == 0 || d.Status < 400 {
			t.Errorf("%v: %+v, want upgrade and close %d", refusal, d.Ending, code)
		}
	}
	if d := c.Deny(messages.Refusal_REFUSAL_OVERLOAD, ""); d.Ending != nil || d.Status != 503 {
		t.Errorf("overload: %+v, want 503 before the upgrade", d)
	}
	for reason, code := range map[messages.EndReason]uint16{
		messages.EndReason_END_REVOKED: 4001, messages.EndReason_END_SLOW: 4008, messages.EndReason_END_DRAIN: 1012,
		messages.EndReason_END_CREDITS: 4402, messages.EndReason_END_ABUSE: 1008, messages.EndReason_END_INTERNAL: 1011,
	} {
		if e := c.End(reason, ""); e.Code != code || e.Reason == "" {
			t.Errorf("%v: %+v, want close %d", reason, e, code)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"pong"}`))
	f.Add([]byte("\xff[[[["))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := (twitter.Codec{}).Decode(text, true); m != nil || err != nil {
			t.Fatalf("Decode(%q) = %v, %v; this API ignores what clients say", text, m, err)
		}
	})
}

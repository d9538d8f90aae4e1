package twittersdk_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/twitter"
	"github.com/birdwire/birdwire/gateway/dialect/twittersdk"
	"github.com/birdwire/birdwire/messages"
)

var detected = time.Date(2026, 3, 4, 12, 0, 0, 850e6, time.UTC).UnixMilli()

func delivery(kind messages.OriginKind, id string, post *messages.Post) *messages.Delivery {
	return &messages.Delivery{
		Position: 1, K: 1, Origin: &messages.Origin{Kind: kind, Id: id, Name: "a name"},
		Event: &messages.Event{DetectedMs: detected, Body: &messages.Event_Post{Post: post}},
	}
}

func TestEvent(t *testing.T) {
	var c twittersdk.Codec
	bare := &messages.Post{Id: "7", Text: "The future is <electric>…", CreatedMs: detected - 850, Author: &messages.Author{Id: "44", Username: "ElonMusk", Name: "Elon"}}
	full := &messages.Post{
		Id: "8", Text: "\"x\"", Author: &messages.Author{Username: "ada"}, CreatedMs: detected + 5000, // of the future: no latency
		Media:    []*messages.Media{{Type: "photo"}, {Type: "video"}},
		Urls:     []*messages.Link{{Url: "https://t.co/a"}, {Url: "https://t.co/b", ExpandedUrl: "https://example.com/b", Title: "B"}},
		Hashtags: []string{"ai", "日本"},
	}
	for _, one := range []struct {
		d            *messages.Delivery
		cursor, want string
	}{
		{
			delivery(messages.OriginKind_ORIGIN_MONITOR, "mon-123", bare), "",
			`{"type":"tweet","monitor_id":"mon-123","tweet_id":"7","author_username":"elonmusk","tweet_published_at":"2026-03-04T12:00:00.000Z",` +
				`"detected_at":"2026-03-04T12:00:00.850Z","latency_ms":850,"tweet":{"id":"7","text":"The future is <electric>…","created_at":"2026-03-04T12:00:00.000Z",` +
				`"user_id":"44","username":"ElonMusk","user_name":"Elon","favorite_count":0,"retweet_count":0,"reply_count":0,"media":[],"urls":[],"hashtags":[]}}`,
		},
		{
			delivery(messages.OriginKind_ORIGIN_RULE, "rule-456", full), "abcdefgh-1.1",
			`{"type":"tweet","monitor_id":"rule-456","tweet_id":"8","author_username":"ada","tweet_published_at":"2026-03-04T12:00:00.850Z",` +
				`"detected_at":"2026-03-04T12:00:00.850Z","latency_ms":0,"tweet":{"id":"8","text":"\"x\"","created_at":"2026-03-04T12:00:05.850Z",` +
				`"user_id":"","username":"ada","user_name":"","favorite_count":0,"retweet_count":0,"reply_count":0,"media":[{"type":"photo"},{"type":"video"}],` +
				`"urls":[{"url":"https://t.co/a"},{"url":"https://t.co/b","expanded_url":"https://example.com/b","title":"B"}],"hashtags":[{"text":"ai"},{"text":"日本"}]},"cursor":"abcdefgh-1.1"}`,
		},
	} {
		if got := string(c.Event(nil, one.d, dialect.Form{Cursor: one.cursor})); got != one.want {
			t.Errorf("got  %s\nwant %s", got, one.want)
		}
	}
	if got := c.Event(nil, &messages.Delivery{Event: &messages.Event{}}, dialect.Form{}); len(got) != 0 {
		t.Errorf("an event that is no post: %s", got)
	}
}

func TestWhatIsThePublishedDialects(t *testing.T) {
	var c twittersdk.Codec
	var published twitter.Codec
	if a, b := string(c.Connected(nil, "c", "k")), string(published.Connected(nil, "c", "k")); a != b {
		t.Errorf("connected: %s, want %s", a, b)
	}
	for refusal := range messages.Refusal_name {
		a, b := c.Deny(messages.Refusal(refusal), "why"), published.Deny(messages.Refusal(refusal), "why")
		if a.Status != b.Status || (a.Ending == nil) != (b.Ending == nil) || a.Ending != nil && string(a.Ending.Frame) != string(b.Ending.Frame) {
			t.Errorf("refusal %d: %+v, want %+v", refusal, a, b)
		}
	}
	if m, err := c.Decode([]byte(`{"type":"pong"}`), true); m != nil || err != nil {
		t.Errorf("a pong became %v, %v", m, err)
	}
	if got := string(c.Ping(nil, time.UnixMilli(detected))); got != `{"type":"ping","timestamp":"2026-03-04T12:00:00.850Z"}` {
		t.Errorf("ping %s", got)
	}
	if got := published.Ping(nil, time.UnixMilli(detected)); len(got) != 0 {
		t.Errorf("the published API pings: %s", got)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add("7", "text", "Ada", "https://x/", "tag")
	f.Add("\"", "\xff\x00", "</script>", "\\", "\u2028")
	f.Fuzz(func(t *testing.T, id, text, user, link, tag string) {
		post := &messages.Post{Id: id, Text: text, Author: &messages.Author{Username: user, Name: user}, Urls: []*messages.Link{{Url: link, Title: tag}}, Hashtags: []string{tag}, Media: []*messages.Media{{Type: tag}}}
		b := twittersdk.Codec{}.Event(nil, delivery(messages.OriginKind_ORIGIN_RULE, id, post), dialect.Form{})
		var frame struct {
			TweetID string `json:"tweet_id"`
			Tweet   struct{ Text, Username string }
		}
		if err := json.Unmarshal(b, &frame); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q: %v", b, err)
		}
		valid := func(s string) string { return strings.ToValidUTF8(string([]rune(s)), "\ufffd") }
		if frame.Tweet.Text != valid(text) || frame.TweetID != valid(id) || frame.Tweet.Username != valid(user) {
			t.Fatalf("%q came back as %+v", []string{id, text, user}, frame)
		}
	})
}

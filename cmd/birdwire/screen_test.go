package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

func drawn(t *testing.T, width int, plain bool, e client.Event) string {
	t.Helper()
	s := newScreen(width, plain)
	s.now = func() time.Time { return time.Date(2026, 3, 4, 12, 0, 3, 0, time.UTC) }
	var out bytes.Buffer
	if err := s.show(&out, client.Message{Event: e, Raw: json.RawMessage(`{"type":"later"}`)}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestScreenDrawsALineAnEvent(t *testing.T) {
	tweet := &client.Tweet{Source: "filter_rule", RuleTag: "markets", AuthorUsername: "ada", TweetText: "rates\nup \x1b[31mred\x1b[0m \u202ereversed", TweetType: "quote"}
	news := &client.News{Action: "delete", Item: client.NewsItem{Source: "Wire", Category: "central_banks", Title: "Speech", Tickers: []string{"SPY", "QQQ"}, URL: "https://example.com/a"}}
	for _, c := range []struct {
		name  string
		event client.Event
		width int
		want  string
	}{
		{"tweet", tweet, 120, "12:00:03  @ada  markets  quote  rates up [31mred[0m reversed\n"},
		{"cut", tweet, 40, "12:00:03  @ada  markets  quote  rates u…\n"},
		{"news", news, 120, "12:00:03  delete  Wire  central_banks  SPY QQQ  Speech  https://example.com/a\n"},
		{"item", &client.Item{Data: client.Article{SourceName: "Wire", Category: "business", Title: "Rates"}}, 120, "12:00:03  new  Wire  business  Rates\n"},
		{"unknown", &client.Unknown{Type: "later"}, 120, "12:00:03  {\"type\":\"later\"}\n"},
	} {
		if got := drawn(t, c.width, true, c.event); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestScreenColors(t *testing.T) {
	if got := drawn(t, 120, false, &client.Tweet{AuthorUsername: "ada", TweetText: "hello"}); !strings.Contains(got, "\x1b[") {
		t.Errorf("no color in %q", got)
	}
}

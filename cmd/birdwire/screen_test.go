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

// A person who watches newsrank reads what stories are called, also where the
// event has their number alone.
func TestScreenDrawsStories(t *testing.T) {
	s := newScreen(120, true)
	s.now = func() time.Time { return time.Date(2026, 3, 4, 12, 0, 3, 0, time.UTC) }
	var out bytes.Buffer
	for _, raw := range []string{
		`{"type":"item.new","data":{"id":7,"title":"Ship blocks canal","source_name":"Wire","category":"business"}}`,
		`{"type":"cluster.event","data":{"action":"create","cluster_id":7,"detail":{"member_count":2}}}`,
		`{"type":"story.priority_changed","data":{"cluster_id":7,"headline":"Ship blocks canal","previous_priority":"developing","new_priority":"breaking","overall_score":83.72}}`,
		`{"type":"clusters.ranked","data":[{"id":7,"title":"Ship blocks canal","rank":1,"priority":"breaking"},{"id":9,"title":"Rates","rank":2}],"updated":true}`,
		`{"type":"story.development","data":{"cluster_id":7,"title":"Divers find torn hull","headline":"Divers find torn hull","previous_headline":"Ship blocks canal","significance":"major"}}`,
		`{"type":"ticker.news","data":{"cluster_id":7,"headline":"Divers find torn hull","tickers":[{"symbol":"HVFR","sentiment":"negative"},{"symbol":"USO","sentiment":"neutral"}]}}`,
		`{"type":"cluster.event","data":{"action":"merge","cluster_id":7,"detail":{"merged_from":9,"member_count":5}}}`,
		`{"type":"cluster.event","data":{"action":"split_created","cluster_id":11,"detail":{"split_from":7,"member_count":3}}}`,
	} {
		if err := s.show(&out, client.Message{Event: newsrankEvent(t, raw), Raw: json.RawMessage(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	const want = `12:00:03  new  Wire  business  Ship blocks canal
12:00:03  story  2 articles  Ship blocks canal
12:00:03  BREAKING  was developing  score 84  Ship blocks canal
12:00:03  ranked  2 stories  1. Ship blocks canal  2. Rates
12:00:03  development  major  Divers find torn hull  before: Ship blocks canal
12:00:03  tickers  HVFR ▼, USO  Divers find torn hull
12:00:03  merged  5 articles  Divers find torn hull  took in: Rates
12:00:03  split off  3 articles  story 11  from: Divers find torn hull
`
	if out.String() != want {
		t.Errorf("drawn\n%swant\n%s", out.String(), want)
	}
}

func newsrankEvent(t *testing.T, raw string) client.Event {
	t.Helper()
	var kind struct{ Type string }
	if err := json.Unmarshal([]byte(raw), &kind); err != nil {
		t.Fatal(err)
	}
	e := map[string]client.Event{
		"item.new": &client.Item{}, "clusters.ranked": &client.ClustersRanked{}, "story.development": &client.StoryDevelopment{},
		"story.priority_changed": &client.StoryPriorityChanged{}, "cluster.event": &client.ClusterEvent{}, "ticker.news": &client.TickerNews{},
	}[kind.Type]
	if err := json.Unmarshal([]byte(raw), e); err != nil {
		t.Fatal(err)
	}
	return e
}

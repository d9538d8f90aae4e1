package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// newsroom has one story of two articles, the second of which was changed.
type newsroom struct{}

var face = &messages.StoryFace{
	Id: 4503599627370495, Headline: "Ship blocks canal", Category: "business", TopSource: "Wire", Priority: "breaking", Articles: 2, Publishers: 2,
	OverallScore: 83.72, Velocity: 4.5, AccelerationScore: 91, FirstMs: 1772625600000, LastMs: 1772625700000,
	EntityIds: []int64{42}, Tickers: []string{"HVFR"}, Developments: 1, ChangedMs: 1772625700000,
}

func (newsroom) Ask(_ context.Context, question proto.Message) (proto.Message, error) {
	missing := &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND}
	switch q := question.(type) {
	case *messages.ListStories:
		if q.GetCategory() == "away" {
			return &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: "not ready"}, nil
		}
		if q.GetList() == 0 {
			return &messages.StoriesListed{Stories: []*messages.StoryFace{face}, List: 77, Next: q.GetLimit(), Total: 40, NowMs: 1772625700000}, nil
		}
		return &messages.StoriesListed{Stories: []*messages.StoryFace{face}, List: q.GetList(), Total: 40, From: q.GetFrom(), NowMs: 1772625700000}, nil
	case *messages.GetStory:
		if q.GetId() != face.GetId() {
			return missing, nil
		}
		return &messages.StoryDescribed{Face: face, ScoreNames: []string{"one", "gap", "mean_title"}, Story: &messages.StoryState{
			Head: 7, Publishers: []string{"post", "wire"},
			Kept: []*messages.StoryArticle{
				{Number: 7, Title: "Ship blocks canal", Url: "https://wire.example/7", SourceId: "wire", SourceName: "Wire", Category: "business", PublishedMs: 1772625600000, DiscoveredMs: 1772625600000, Positions: []uint64{4096}},
				{Number: 8, Title: "Canal blocked", Url: "https://post.example/8", SourceId: "post", SourceName: "Post", Category: "business", DiscoveredMs: 1772625700000, Logit: 2.5, Scores: []float64{1, 0.25, 0.5}, Nearest: 0.75, Copy: true, EntityIds: []int64{42}, Tickers: []string{"HVFR"}, Positions: []uint64{8192, 12288}},
			},
			Timeline:   []*messages.StoryTurnpoint{{AtMs: 1772625700000, Article: 8, Title: "Canal blocked", Significance: "minor", PreviousHeadline: "Ship aground", Headline: "Ship blocks canal"}},
			Priorities: []*messages.StoryPriorityAt{{AtMs: 1772625650000, From: "normal", To: "developing", OverallScore: 50, AccelerationScore: 80}},
		}}, nil
	case *messages.FindArticle:
		story := uint64(0)
		if q.GetNumber() == 8 {
			story = face.GetId()
		}
		return &messages.ArticleFound{Number: q.GetNumber(), Story: story}, nil
	case *messages.ListEntities:
		return &messages.EntitiesListed{Entities: []*messages.EntityCount{{Entity: &messages.Entity{Id: 42, Name: "Halvorsen Freight", Kind: "company", Ticker: "HVFR"}, Stories: 1, Articles: 2}}}, nil
	}
	return nil, nil
}

func (newsroom) Events(_ context.Context, positions []messages.Position) (events []*messages.Event, err error) {
	for i, p := range positions {
		action, title := messages.ArticleAction_ARTICLE_CREATED, "Canal closed"
		if i > 0 {
			action, title = messages.ArticleAction_ARTICLE_UPDATED, "Canal blocked"
		}
		events = append(events, &messages.Event{DetectedMs: int64(p), Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: action, Revision: uint32(i + 1), Article: &messages.Article{Identity: "post:8", Title: title, Excerpt: "A ship.", Language: "en"},
		}}})
	}
	return events, nil
}

func (newsroom) Item(_ context.Context, identity string) (*messages.Item, error) {
	if identity != "post:8" {
		return nil, nil
	}
	return &messages.Item{Past: []*messages.Revision{{Number: 2, Changes: []*messages.FieldChange{{
		Field: "title", Before: "Canal closed", After: "Canal blocked", Edits: []*messages.Edit{{Word: 1, Removed: "closed", Added: "blocked"}},
	}}}}}, nil
}

// TestNewsShapes holds what is told of stories against golden files.
func TestNewsShapes(t *testing.T) {
	f := start(t, nil)
	for name, path := range map[string]string{
		"stories": "/v1/news/stories?limit=20", "story": "/v1/news/stories/4503599627370495",
		"article": "/v1/news/articles/8", "entities": "/v1/news/entities",
	} {
		a := f.do(http.MethodGet, path, "")
		if a.status != http.StatusOK {
			t.Errorf("%s: %d %s", name, a.status, a.body)
			continue
		}
		golden(t, "news_"+name, a.body)
		tag := a.header.Get("ETag")
		if again := f.do(http.MethodGet, path, "", "If-None-Match", tag); tag == "" || again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: with the tag %q: %d %s", name, tag, again.status, again.body)
		}
		if other := f.do(http.MethodGet, path, "", "If-None-Match", `"other"`); other.status != http.StatusOK {
			t.Errorf("%s: with another tag: %d", name, other.status)
		}
	}
}

func TestStoriesByCursor(t *testing.T) {
	f := start(t, nil)
	var first, second StoryList
	a := f.do(http.MethodGet, "/v1/news/stories?limit=5", "")
	if err := json.Unmarshal([]byte(a.body), &first); err != nil || first.Next == nil {
		t.Fatalf("the first page: %s", a.body)
	}
	a = f.do(http.MethodGet, "/v1/news/stories?limit=5&cursor="+*first.Next, "")
	if err := json.Unmarshal([]byte(a.body), &second); err != nil || second.Next != nil || second.Stories[0].Rank != 6 {
		t.Errorf("the second page: %s", a.body)
	}
}

func TestNewsRefusals(t *testing.T) {
	f := start(t, nil)
	for _, c := range []struct {
		key, path string
		status    int
		says      string
	}{
		{"connect", "/v1/news/stories", 200, "stories"},
		{"reader", "/v1/news/stories", 200, "stories"},
		{"kite", "/v1/news/stories", 403, "newsrank"},
		{"revoked", "/v1/news/entities", 401, "revoked"},
		{"all", "/v1/news/stories?priority=urgent", 422, "must be one of"},
		{"all", "/v1/news/stories?since=yesterday", 422, "since"},
		{"all", "/v1/news/stories?entity=x", 422, "entity"},
		{"all", "/v1/news/stories?cursor=here", 422, "cursor"},
		{"all", "/v1/news/stories?category=away", 503, "not ready"},
		{"all", "/v1/news/stories?since=2026-03-04T12:00:00Z", 200, "stories"},
		{"all", "/v1/news/stories/1", 404, "not_found"},
		{"all", "/v1/news/stories/one", 404, "number"},
		{"all", "/v1/news/articles/9", 404, "no story"},
	} {
		a := f.do(http.MethodGet, c.path, "", "X-API-Key", f.byName[c.key])
		if a.status != c.status || !strings.Contains(a.body, c.says) {
			t.Errorf("%s with key %s: %d %s, want %d and %q", c.path, c.key, a.status, a.body, c.status, c.says)
		}
	}
	if a := f.do(http.MethodGet, "/v1/news/stories", "", "X-API-Key", ""); a.status != 401 {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
}

package client

import (
	"context"
	"net/url"
	"time"
)

// NewsrankFilters are what one subscribe asks for: AND between fields, OR
// inside one; an empty field restrains nothing.
type NewsrankFilters struct {
	Topics            []string          `json:"topics,omitempty"` // articles | stories | tickers
	Categories        []string          `json:"categories,omitempty"`
	Sources           []string          `json:"sources,omitempty"` // ids
	Keywords          []string          `json:"keywords,omitempty"`
	Entities          []int64           `json:"entities,omitempty"`
	Tickers           []string          `json:"tickers,omitempty"`            // Pro
	IncludeEmbeddings bool              `json:"include_embeddings,omitempty"` // Pro
	EmbeddingFilters  []EmbeddingFilter `json:"embedding_filters,omitempty"`  // Pro; at most 10
}

// EmbeddingFilter lets events through that are near a vector.
type EmbeddingFilter struct {
	Embedding      []float32 `json:"embedding"`           // exactly 1536
	Threshold      float64   `json:"threshold,omitempty"` // 0.5 to 1; 0 is 0.75
	Label          string    `json:"label,omitempty"`
	EmbeddingModel string    `json:"embedding_model,omitempty"`
}

// Article is the data of item.new and item.enriched. Times are Unix
// milliseconds, 0 is unknown.
type Article struct {
	ID              int64  `json:"id"`
	URLHash         string `json:"url_hash"`
	Title           string `json:"title"`
	URL             string `json:"url"`
	SourceID        string `json:"source_id"`
	SourceName      string `json:"source_name"`
	Category        string `json:"category"`
	PublishedAt     int64  `json:"published_at"`
	DiscoveredAt    int64  `json:"discovered_at"`
	Excerpt         string `json:"excerpt"`
	HeadlineSummary string `json:"headline_summary"`
	Slug            string `json:"slug"`
	SourceLanguage  string `json:"source_language"`
	ImageURL        string `json:"image_url"`
	VideoURL        string `json:"video_url"`
	ContentStatus   string `json:"content_status"`
}

// Published is PublishedAt as a time; zero where unknown.
func (a *Article) Published() time.Time {
	if a.PublishedAt == 0 {
		return time.Time{}
	}
	return time.UnixMilli(a.PublishedAt)
}

// Semantic is what embedding filters and include_embeddings add to an event.
type Semantic struct {
	Similarity     float64   `json:"similarity"` // the best cosine; 0 without embedding filters
	Embedding      []float32 `json:"embedding"`
	EmbeddingModel string    `json:"embedding_model"`
}

// Item is item.new, or item.enriched where Enriched.
type Item struct {
	Enriched  bool    `json:"-"`
	Data      Article `json:"data"`
	EntityIDs []int64 `json:"entity_ids"` // enriched only
	Semantic
}

// ClustersRanked is the stories' new order, best first.
type ClustersRanked struct {
	Data []struct {
		ID                int64   `json:"id"`
		Title             string  `json:"title"`
		ArticleCount      int64   `json:"article_count"`
		Category          string  `json:"category"`
		TopSource         string  `json:"top_source"`
		Rank              int     `json:"rank"`
		OverallScore      float64 `json:"overall_score"`
		Velocity          float64 `json:"velocity"`
		AccelerationScore float64 `json:"acceleration_score"`
		Priority          string  `json:"priority"`
	} `json:"data"`
	Updated bool `json:"updated"`
}

// StoryDevelopment is something new in a story.
type StoryDevelopment struct {
	Data struct {
		ClusterID        int64  `json:"cluster_id"`
		Title            string `json:"title"`
		Description      string `json:"description"`
		Significance     string `json:"significance"`
		Headline         string `json:"headline"`
		Category         string `json:"category"`
		PreviousHeadline string `json:"previous_headline"`
		NewHeadline      string `json:"new_headline"`
		CreatedAtMs      int64  `json:"created_at_ms"`
		EnrichmentSeq    int64  `json:"enrichment_seq"`
	} `json:"data"`
	Semantic
}

// StoryPriorityChanged is a story's new priority.
type StoryPriorityChanged struct {
	Data struct {
		ClusterID         int64   `json:"cluster_id"`
		Headline          string  `json:"headline"`
		Category          string  `json:"category"`
		PreviousPriority  string  `json:"previous_priority"`
		NewPriority       string  `json:"new_priority"`
		OverallScore      float64 `json:"overall_score"`
		AccelerationScore float64 `json:"acceleration_score"`
	} `json:"data"`
	Semantic
}

// ClusterEvent is a story made, merged or split.
type ClusterEvent struct {
	Data struct {
		Action    string `json:"action"` // create | merge | split | split_created
		ClusterID int64  `json:"cluster_id"`
		Detail    struct {
			MergedFrom  int64 `json:"merged_from"`
			MemberCount int64 `json:"member_count"`
			SplitFrom   int64 `json:"split_from"`
		} `json:"detail"`
	} `json:"data"`
	Semantic
}

// TickerNews is what a story means to securities.
type TickerNews struct {
	Data struct {
		ClusterID int64  `json:"cluster_id"`
		Headline  string `json:"headline"`
		Category  string `json:"category"`
		Tickers   []struct {
			Symbol         string  `json:"symbol"`
			AssetClass     string  `json:"asset_class"`
			Sentiment      string  `json:"sentiment"`
			SentimentScore float64 `json:"sentiment_score"`
			Impact         string  `json:"impact"`
			ImpactScore    float64 `json:"impact_score"`
			Rationale      string  `json:"rationale"`
			Confidence     float64 `json:"confidence"`
		} `json:"tickers"`
	} `json:"data"`
}

func (*Item) event()                 {}
func (*ClustersRanked) event()       {}
func (*StoryDevelopment) event()     {}
func (*StoryPriorityChanged) event() {}
func (*ClusterEvent) event()         {}
func (*TickerNews) event()           {}

func newsrankEvent(kind string) (Event, any) {
	switch kind {
	case "item.new":
		return &Item{}, nil
	case "item.enriched":
		return &Item{Enriched: true}, nil
	case "clusters.ranked":
		return &ClustersRanked{}, nil
	case "story.development":
		return &StoryDevelopment{}, nil
	case "story.priority_changed":
		return &StoryPriorityChanged{}, nil
	case "cluster.event":
		return &ClusterEvent{}, nil
	case "ticker.news":
		return &TickerNews{}, nil
	}
	return nil, nil
}

// NewsrankStream is a stream of newsrank. It is silent until Subscribe.
type NewsrankStream struct{ *Stream }

// Newsrank connects. ctx bounds the stream's whole life.
func (c *Client) Newsrank(ctx context.Context, o Options) (*NewsrankStream, error) {
	s, err := c.open(ctx, api{name: "newsrank", path: "/v1/news/stream", query: url.Values{"token": {c.caller.secret}}}, o)
	if err != nil {
		return nil, err
	}
	return &NewsrankStream{s}, nil
}

// Subscribe replaces the filters; Subscribed answers it. It holds over
// reconnections.
func (s *NewsrankStream) Subscribe(ctx context.Context, f NewsrankFilters) error {
	return s.subscribe(ctx, map[string]any{"type": "subscribe", "filters": f})
}

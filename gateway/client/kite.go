package client

import (
	"context"
	"net/url"
	"time"
)

// KiteFilters are what one subscribe asks for: AND between fields, OR inside
// one; an empty field matches everything.
type KiteFilters struct {
	Sources    []string `json:"sources,omitempty"` // names
	Categories []string `json:"categories,omitempty"`
	Keywords   []string `json:"keywords,omitempty"`
	Tickers    []string `json:"tickers,omitempty"`
	Companies  []string `json:"companies,omitempty"`
}

// News is an item that came, changed or was withdrawn.
type News struct {
	Action string   `json:"action"` // create | update | delete
	Item   NewsItem `json:"item"`
}

// NewsItem is one item. Times are RFC 3339, "" is unknown.
type NewsItem struct {
	ID             string   `json:"id"`
	Title          string   `json:"title"`
	URL            string   `json:"url"`
	Description    string   `json:"description"`
	Published      string   `json:"published"`
	Source         string   `json:"source"`
	Category       string   `json:"category"`
	Author         string   `json:"author"`
	Tags           []string `json:"tags"`
	Tickers        []string `json:"tickers"`
	ArticleType    string   `json:"article_type"` // news | speech | statistics | exchange_rate | ...
	ImageURL       string   `json:"image_url"`
	Speaker        string   `json:"speaker"`
	SpeakerTitle   string   `json:"speaker_title"`
	Institution    string   `json:"institution"`
	EventLocation  string   `json:"event_location"`
	BaseCurrency   string   `json:"base_currency"`
	TargetCurrency string   `json:"target_currency"`
	ExchangeRate   string   `json:"exchange_rate"`
	Created        string   `json:"created"`
	Updated        string   `json:"updated"`
}

// PublishedAt is Published as a time; zero where unknown.
func (i *NewsItem) PublishedAt() time.Time {
	t, err := time.Parse(time.RFC3339, i.Published)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (*News) event() {}

// KiteStream is a stream of kite. Everything comes until Subscribe narrows it.
type KiteStream struct{ *Stream }

// Kite connects. ctx bounds the stream's whole life.
func (c *Client) Kite(ctx context.Context, o Options) (*KiteStream, error) {
	s, err := c.open(ctx, api{name: "kite", path: "/api/ws", query: url.Values{"key": {c.caller.secret}}, greets: true}, o)
	if err != nil {
		return nil, err
	}
	return &KiteStream{s}, nil
}

// Subscribe replaces the filters; Subscribed answers it. It holds over
// reconnections.
func (s *KiteStream) Subscribe(ctx context.Context, f KiteFilters) error {
	return s.subscribe(ctx, map[string]any{"type": "subscribe", "filters": f})
}

// Unsubscribe clears the filters: everything comes.
func (s *KiteStream) Unsubscribe(ctx context.Context) error {
	return s.subscribe(ctx, map[string]any{"type": "unsubscribe"})
}

// Ping asks for a Pong. The connection is kept alive without it.
func (s *KiteStream) Ping(ctx context.Context) error {
	return s.send(ctx, map[string]any{"type": "ping"})
}

package client

import (
	"context"
	"net/url"
	"time"
)

// DeliveryLog is one delivery of a monitor or a rule; the other's fields are
// empty.
type DeliveryLog struct {
	ID               string    `json:"id"`
	MonitorID        string    `json:"monitor_id,omitempty"`
	MonitorName      string    `json:"monitor_name,omitempty"`
	RuleID           string    `json:"rule_id,omitempty"`
	RuleTag          string    `json:"rule_tag,omitempty"`
	TweetID          string    `json:"tweet_id"`
	AuthorUsername   string    `json:"author_username"`
	TweetTextPreview string    `json:"tweet_text_preview"`
	TweetURL         string    `json:"tweet_url"`
	TweetPublishedAt time.Time `json:"tweet_published_at"`
	DetectedAt       time.Time `json:"detected_at"`
	LatencyMs        int64     `json:"latency_ms"`
	LatencyBadge     string    `json:"latency_badge"` // green | yellow | red
	DeliveryStatus   string    `json:"delivery_status"`
}

// LogList is one page of them, newest first.
type LogList struct {
	Logs  []DeliveryLog `json:"logs"`
	Total int           `json:"total"`
}

// LogFilter selects deliveries; the zero one is all.
type LogFilter struct {
	MonitorID      string
	AuthorUsername string
	DeliveryStatus string // websocket_delivered | no_connection
	Source         string // monitor | filter_rule
	OldestFirst    bool
}

// Logs are the newest deliveries of the key's monitors and rules.
func (c *Client) Logs(ctx context.Context, f LogFilter, page Page) (*LogList, error) {
	q := page.pages()
	put(q, "monitor_id", f.MonitorID)
	put(q, "source", f.Source)
	return query[LogList](ctx, c.caller, "/v1/twitter/stream/logs", f.put(q))
}

// RuleLogs are the newest deliveries of one rule.
func (r *Resources) RuleLogs(ctx context.Context, id string, f LogFilter, page Page) (*LogList, error) {
	return query[LogList](ctx, r.caller, r.rules+"/"+url.PathEscape(id)+"/logs", f.put(page.window()))
}

func (f LogFilter) put(q url.Values) url.Values {
	put(q, "author_username", f.AuthorUsername)
	put(q, "delivery_status", f.DeliveryStatus)
	if f.OldestFirst {
		q.Set("sort", "asc")
	}
	return q
}

// Tier is one price by polling interval.
type Tier struct {
	ID                   string  `json:"id"`
	Label                string  `json:"tier_label"`
	MaxIntervalSeconds   float64 `json:"max_interval_seconds"`
	CreditsPerRulePerDay float64 `json:"credits_per_rule_per_day"`
	DisplayOrder         int     `json:"display_order"`
}

// Pricing are the tiers, fastest first.
func (c *Client) Pricing(ctx context.Context) ([]Tier, error) {
	out, err := query[struct{ Tiers []Tier }](ctx, c.caller, "/v1/twitter/stream/filter-rules-pricing", nil)
	if err != nil {
		return nil, err
	}
	return out.Tiers, nil
}

// Billing is the month's credits of the key.
type Billing struct {
	Month        string `json:"month"` // "2026-11"
	CreditsUsed  int64  `json:"credits_used"`
	CreditsLimit int64  `json:"credits_limit"` // 0: unlimited
}

// Billing asks for it.
func (c *Client) Billing(ctx context.Context) (*Billing, error) {
	return query[Billing](ctx, c.caller, "/v1/twitter/stream/billing-logs", nil)
}

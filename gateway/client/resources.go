package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Resources are the monitors and filter rules of one key. A Client has its
// own key's, an Admin those of any key.
type Resources struct {
	caller          *caller
	monitors, rules string // paths
}

// Monitor watches accounts.
type Monitor struct {
	ID                      string    `json:"id"`
	Name                    string    `json:"name"`
	Usernames               []string  `json:"usernames"` // lower case, without '@'
	PollIntervalSeconds     float64   `json:"poll_interval_seconds"`
	Status                  string    `json:"status"` // active | paused | error
	StatusReason            *string   `json:"status_reason"`
	WebhookURL              *string   `json:"webhook_url"`
	WebhookSecretSet        bool      `json:"webhook_secret_set"`
	EstimatedCreditsPerHour float64   `json:"estimated_credits_per_hour"`
	PricingTier             string    `json:"pricing_tier"`
	CreatedAt               time.Time `json:"created_at"`
	UpdatedAt               time.Time `json:"updated_at"`
}

// MonitorChange makes a monitor or changes one: only what is not nil is sent.
type MonitorChange struct {
	Name                *string  `json:"name,omitempty"`
	Usernames           []string `json:"usernames,omitzero"`
	PollIntervalSeconds *float64 `json:"poll_interval_seconds,omitempty"`
	Status              *string  `json:"status,omitempty"` // active | paused
}

// MonitorList is one page.
type MonitorList struct {
	Monitors []Monitor `json:"monitors"`
	Total    int       `json:"total"`
	Page     int       `json:"page"`
	PageSize int       `json:"page_size"`
}

// Rule is a filter rule.
type Rule struct {
	ID                   string    `json:"id"`
	Tag                  string    `json:"tag"`
	Query                string    `json:"query"`
	IntervalSeconds      float64   `json:"interval_seconds"`
	Status               string    `json:"status"` // active | paused | error | inactive
	StatusReason         *string   `json:"status_reason"`
	WebhookURL           *string   `json:"webhook_url"`
	WebhookSecretSet     bool      `json:"webhook_secret_set"`
	MaxResultsPerPoll    int       `json:"max_results_per_poll"`
	CreditsPerRulePerDay float64   `json:"credits_per_rule_per_day"`
	PricingTier          string    `json:"pricing_tier"`
	CreatedAt            time.Time `json:"created_at"`
	UpdatedAt            time.Time `json:"updated_at"`
}

// RuleChange makes a rule or changes one: only what is not nil is sent.
type RuleChange struct {
	Tag               *string  `json:"tag,omitempty"`
	Query             *string  `json:"query,omitempty"`
	IntervalSeconds   *float64 `json:"interval_seconds,omitempty"`
	Status            *string  `json:"status,omitempty"` // active | paused | inactive
	MaxResultsPerPoll *int     `json:"max_results_per_poll,omitempty"`
}

// RuleList is one window.
type RuleList struct {
	Rules  []Rule `json:"rules"`
	Total  int    `json:"total"`
	Limit  int    `json:"limit"`
	Offset int    `json:"offset"`
}

// Validation is what the server makes of a query.
type Validation struct {
	Valid         bool     `json:"valid"`
	Error         string   `json:"error,omitempty"`
	Position      *int     `json:"position,omitempty"` // of the error, in characters from 0
	Expected      string   `json:"expected,omitempty"`
	Warnings      []string `json:"warnings,omitempty"`
	SampleResults int      `json:"sample_results"`         // how many recent posts match
	SamplePosts   *int     `json:"sample_posts,omitempty"` // of so many
	Samples       []Sample `json:"samples,omitempty"`
	// Explanation is about the newest post that matches, else about the newest.
	Explanation *Explained `json:"explanation,omitempty"`
}

// Explained is a post and what each clause of a query said of it.
type Explained struct {
	Sample
	Clause *Explanation `json:"clause"`
}

// Explanation is the answer of one clause about one post, and of those in it.
type Explanation struct {
	Clause  string         `json:"clause"` // as in the query, canonically
	Op      string         `json:"op"`     // all | any | not | term
	Matched bool           `json:"matched"`
	Reason  string         `json:"reason,omitempty"` // of a term: what was found, or what is missing
	Clauses []*Explanation `json:"clauses,omitempty"`
}

// Sample is a recent post that a query matches.
type Sample struct {
	TweetID        string    `json:"tweet_id"`
	AuthorUsername string    `json:"author_username"`
	TweetText      string    `json:"tweet_text"`
	TweetURL       string    `json:"tweet_url"`
	DetectedAt     time.Time `json:"detected_at"`
}

// Page says which part of a list is wanted; the zero Page is the first 20.
type Page struct {
	Status string // "" is all
	Number int    // from 1
	Size   int    // at most 1,000
}

func (p Page) pages() url.Values {
	q := url.Values{}
	put(q, "status", p.Status)
	putInt(q, "page", p.Number)
	putInt(q, "page_size", p.Size)
	return q
}

func (p Page) window() url.Values {
	q := url.Values{}
	put(q, "status", p.Status)
	size := p.Size
	if size == 0 {
		size = 20
	}
	putInt(q, "limit", p.Size)
	putInt(q, "offset", max(0, p.Number-1)*size)
	return q
}

func put(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func putInt(q url.Values, name string, value int) {
	if value != 0 {
		q.Set(name, strconv.Itoa(value))
	}
}

// CreateMonitor needs Name and Usernames. Once it returns, whatever is
// accepted later is matched by the monitor.
func (r *Resources) CreateMonitor(ctx context.Context, m MonitorChange) (*Monitor, error) {
	return one[Monitor](ctx, r.caller, http.MethodPost, r.monitors, m)
}

// ListMonitors is one page of them.
func (r *Resources) ListMonitors(ctx context.Context, page Page) (*MonitorList, error) {
	return query[MonitorList](ctx, r.caller, r.monitors, page.pages())
}

// Monitor is the one under id.
func (r *Resources) Monitor(ctx context.Context, id string) (*Monitor, error) {
	return query[Monitor](ctx, r.caller, r.monitors+"/"+url.PathEscape(id), nil)
}

// UpdateMonitor changes what is set in m.
func (r *Resources) UpdateMonitor(ctx context.Context, id string, m MonitorChange) (*Monitor, error) {
	return one[Monitor](ctx, r.caller, http.MethodPatch, r.monitors+"/"+url.PathEscape(id), m)
}

// DeleteMonitor removes the one under id.
func (r *Resources) DeleteMonitor(ctx context.Context, id string) error {
	return r.caller.call(ctx, http.MethodDelete, r.monitors+"/"+url.PathEscape(id), nil, nil, nil)
}

// CreateRule needs Tag and Query. Once it returns, whatever is accepted later
// is matched by the rule.
func (r *Resources) CreateRule(ctx context.Context, m RuleChange) (*Rule, error) {
	return one[Rule](ctx, r.caller, http.MethodPost, r.rules, m)
}

// ListRules is one window of them.
func (r *Resources) ListRules(ctx context.Context, page Page) (*RuleList, error) {
	return query[RuleList](ctx, r.caller, r.rules, page.window())
}

// Rule is the one under id.
func (r *Resources) Rule(ctx context.Context, id string) (*Rule, error) {
	return query[Rule](ctx, r.caller, r.rules+"/"+url.PathEscape(id), nil)
}

// UpdateRule changes what is set in m.
func (r *Resources) UpdateRule(ctx context.Context, id string, m RuleChange) (*Rule, error) {
	return one[Rule](ctx, r.caller, http.MethodPatch, r.rules+"/"+url.PathEscape(id), m)
}

// DeleteRule removes the one under id.
func (r *Resources) DeleteRule(ctx context.Context, id string) error {
	return r.caller.call(ctx, http.MethodDelete, r.rules+"/"+url.PathEscape(id), nil, nil, nil)
}

// ValidateQuery says whether a query would be taken, and what it matches.
func (r *Resources) ValidateQuery(ctx context.Context, text string) (*Validation, error) {
	return one[Validation](ctx, r.caller, http.MethodPost, r.rules+"/validate", map[string]string{"query": text})
}

func one[T any](ctx context.Context, c *caller, method, path string, in any) (*T, error) {
	out := new(T)
	if err := c.call(ctx, method, path, nil, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

func query[T any](ctx context.Context, c *caller, path string, q url.Values) (*T, error) {
	out := new(T)
	if err := c.call(ctx, http.MethodGet, path, q, nil, out); err != nil {
		return nil, err
	}
	return out, nil
}

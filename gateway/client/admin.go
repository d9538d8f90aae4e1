package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Admin speaks to a server's admin listener.
type Admin struct {
	caller *caller
}

// NewAdmin takes the URL of the admin listener in cfg.URL and the admin token
// (see AdminToken) in cfg.Key.
func NewAdmin(cfg Config) (*Admin, error) {
	c, err := newCaller(cfg, "Authorization", cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("new admin client: %w", err)
	}
	c.value = "Bearer " + cfg.Key
	return &Admin{caller: c}, nil
}

// Of are the monitors and rules of a key.
func (a *Admin) Of(keyID string) *Resources {
	path := "/admin/v1/keys/" + url.PathEscape(keyID)
	return &Resources{caller: a.caller, monitors: path + "/monitors", rules: path + "/rules"}
}

// NewKey describes a key to be made.
type NewKey struct {
	Name   string   `json:"name"`
	Plan   string   `json:"plan"`
	Scopes []string `json:"scopes,omitzero"` // nil: ws:connect and rules:write; an empty list: none
	Owner  string   `json:"owner,omitempty"`
	APIs   []string `json:"apis,omitempty"` // twitter | newsrank | kite; none: every one
}

// MintedKey is a new or rotated key: the only time its text is shown.
type MintedKey struct {
	ID     string   `json:"id"`
	Key    string   `json:"key"`
	Name   string   `json:"name"`
	Plan   string   `json:"plan"`
	Scopes []string `json:"scopes"`
	Owner  string   `json:"owner,omitempty"`
	APIs   []string `json:"apis,omitempty"`
}

// Key is a key in a list.
type Key struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Plan       string     `json:"plan"`
	Scopes     []string   `json:"scopes"`
	Owner      string     `json:"owner,omitempty"`
	APIs       []string   `json:"apis,omitempty"`
	State      string     `json:"state"` // active | revoked
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"` // nil: never
}

// KeyUse is a key with what it uses now.
type KeyUse struct {
	Key
	Connections int `json:"connections"`
	Usage       struct {
		Month        string `json:"month"`
		CreditsUsed  int64  `json:"credits_used"`
		CreditsLimit int64  `json:"credits_limit"` // 0: unlimited
	} `json:"usage"`
	Node string `json:"node,omitempty"` // that owns it; "": the server stands alone, or no node does now
}

// CreateKey makes a key.
func (a *Admin) CreateKey(ctx context.Context, k NewKey) (*MintedKey, error) {
	return one[MintedKey](ctx, a.caller, http.MethodPost, "/admin/v1/keys", k)
}

// Keys are all of them, in order of creation.
func (a *Admin) Keys(ctx context.Context) ([]Key, error) {
	out, err := query[struct{ Keys []Key }](ctx, a.caller, "/admin/v1/keys", nil)
	if err != nil {
		return nil, err
	}
	return out.Keys, nil
}

// Key is the one under id.
func (a *Admin) Key(ctx context.Context, id string) (*KeyUse, error) {
	return query[KeyUse](ctx, a.caller, "/admin/v1/keys/"+url.PathEscape(id), nil)
}

// RevokeKey ends a key and its connections for good.
func (a *Admin) RevokeKey(ctx context.Context, id string) (*KeyUse, error) {
	return one[KeyUse](ctx, a.caller, http.MethodPost, "/admin/v1/keys/"+url.PathEscape(id)+"/revoke", nil)
}

// KeyChange changes a key: only what is not nil is sent.
type KeyChange struct {
	Name   *string   `json:"name,omitempty"`
	Owner  *string   `json:"owner,omitempty"`
	Plan   *string   `json:"plan,omitempty"`
	Scopes *[]string `json:"scopes,omitempty"`
	APIs   *[]string `json:"apis,omitempty"` // empty: every one
}

// UpdateKey changes what is set in k. Its text stays; connections that the key
// may no longer have are closed.
func (a *Admin) UpdateKey(ctx context.Context, id string, k KeyChange) (*KeyUse, error) {
	return one[KeyUse](ctx, a.caller, http.MethodPatch, "/admin/v1/keys/"+url.PathEscape(id), k)
}

// RotateKey gives a key a new text. The old one is taken for grace more, at
// most 90 days; 0: it is refused at once.
func (a *Admin) RotateKey(ctx context.Context, id string, grace time.Duration) (*MintedKey, error) {
	var body any
	if grace > 0 {
		body = map[string]float64{"grace_seconds": grace.Seconds()}
	}
	return one[MintedKey](ctx, a.caller, http.MethodPost, "/admin/v1/keys/"+url.PathEscape(id)+"/rotate", body)
}

// FeedChange makes a feed or changes one: only what is not nil is sent. A new
// one needs URL and Category. A new address is read before anything is done.
type FeedChange struct {
	URL             *string  `json:"url,omitempty"`
	Name            *string  `json:"name,omitempty"` // default the feed's title
	Category        *string  `json:"category,omitempty"`
	IntervalSeconds *float64 `json:"interval_seconds,omitempty"` // default 300
	SourceID        *string  `json:"source_id,omitempty"`        // default made of the name
	Language        *string  `json:"language,omitempty"`         // BCP 47
	Identity        *string  `json:"identity,omitempty"`         // auto | guid | link | guid_link | title_date
	Force           bool     `json:"force,omitempty"`            // also where the address cannot be read now
}

// FeedTried is what a feed's new address held.
type FeedTried struct {
	URL     string `json:"url"`  // of the feed
	Page    string `json:"page"` // what was given, where that is a page that names the feed
	Title   string `json:"title"`
	Format  string `json:"format"` // such as "RSS 2.0"
	Items   int    `json:"items"`
	Warning string `json:"warning"`
	Error   string `json:"error"` // why it could not be read; only where Force was set
}

// Health is how a source is.
type Health struct {
	Status        string     `json:"status"` // starting | ok | waiting | failing
	LastError     string     `json:"last_error"`
	LastErrorAt   *time.Time `json:"last_error_at"`
	LastSuccessAt *time.Time `json:"last_success_at"`
	NextPollAt    *time.Time `json:"next_poll_at"`
	Warning       string     `json:"warning,omitempty"` // of what was read last, such as a document that was cut off
	Failures      int64      `json:"failures"`          // in a row
	Events        int64      `json:"events"`            // since the source started
	Duplicates    int64      `json:"duplicates"`
}

// Feed is a configured feed and how it is.
type Feed struct {
	ID              string    `json:"id"`
	URL             string    `json:"url"`
	Name            string    `json:"name"`
	Category        string    `json:"category"`
	IntervalSeconds float64   `json:"interval_seconds"`
	SourceID        string    `json:"source_id"`
	Language        string    `json:"language"`
	Identity        string    `json:"identity"` // what makes two items the same article
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`
	Health
	Tried *FeedTried `json:"tried,omitempty"` // of a new feed, or of one with a new address
}

// CreateFeed makes a feed. Its address is read first: one that cannot be read is
// an Error with Short "feed_unreadable", and nothing was made. A page that names
// its feed is taken for that.
func (a *Admin) CreateFeed(ctx context.Context, f FeedChange) (*Feed, error) {
	return one[Feed](ctx, a.caller, http.MethodPost, "/admin/v1/feeds", f)
}

// Feeds are all of them, in order of creation.
func (a *Admin) Feeds(ctx context.Context) ([]Feed, error) {
	out, err := query[struct{ Feeds []Feed }](ctx, a.caller, "/admin/v1/feeds", nil)
	if err != nil {
		return nil, err
	}
	return out.Feeds, nil
}

// Feed is the one under id.
func (a *Admin) Feed(ctx context.Context, id string) (*Feed, error) {
	return query[Feed](ctx, a.caller, "/admin/v1/feeds/"+url.PathEscape(id), nil)
}

// UpdateFeed changes what is set in f. Another address is read first, as
// CreateFeed does; where it cannot be read, nothing is changed.
func (a *Admin) UpdateFeed(ctx context.Context, id string, f FeedChange) (*Feed, error) {
	return one[Feed](ctx, a.caller, http.MethodPatch, "/admin/v1/feeds/"+url.PathEscape(id), f)
}

// DeleteFeed ends a feed; what it brought stays.
func (a *Admin) DeleteFeed(ctx context.Context, id string) error {
	return a.caller.call(ctx, http.MethodDelete, "/admin/v1/feeds/"+url.PathEscape(id), nil, nil, nil)
}

// Source is anything that brings events.
type Source struct {
	ID   string `json:"id"`
	Node string `json:"node"`
	Kind string `json:"kind"` // feed | push | sample
	URL  string `json:"url"`
	Health
}

// SourceList is all sources of the cluster.
type SourceList struct {
	Sources    []Source `json:"sources"`
	Incomplete []string `json:"incomplete,omitempty"` // what is missing, in words: a node did not answer
}

// Sources are all of them.
func (a *Admin) Sources(ctx context.Context) (*SourceList, error) {
	return query[SourceList](ctx, a.caller, "/admin/v1/sources", nil)
}

// Connection is one open socket.
type Connection struct {
	ID          string    `json:"id"`
	KeyID       string    `json:"key_id"`
	API         string    `json:"api"`
	Node        string    `json:"node"`
	Address     string    `json:"address"`
	OpenedAt    time.Time `json:"opened_at"`
	QueuedBytes int64     `json:"queued_bytes"`
	Delivered   int64     `json:"delivered"`
	Position    uint64    `json:"position"`
}

// ConnectionList is the open ones of all nodes, oldest first.
type ConnectionList struct {
	Connections []Connection `json:"connections"`
	Incomplete  []string     `json:"incomplete,omitempty"` // what is missing, in words: a node did not answer, or has too many
}

// Connections are the open ones, of one key and API where they are not "".
func (a *Admin) Connections(ctx context.Context, keyID, api string) (*ConnectionList, error) {
	q := url.Values{}
	put(q, "key_id", keyID)
	put(q, "api", api)
	return query[ConnectionList](ctx, a.caller, "/admin/v1/connections", q)
}

// CloseConnection ends one.
func (a *Admin) CloseConnection(ctx context.Context, id string) error {
	return a.caller.call(ctx, http.MethodDelete, "/admin/v1/connections/"+url.PathEscape(id), nil, nil, nil)
}

// NodeHealth is how the node is.
type NodeHealth struct {
	Status    string    `json:"status"` // ok | degraded
	Node      string    `json:"node"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Epoch     string    `json:"epoch"` // of the log
	Checks    []struct {
		Name   string `json:"name"`
		OK     bool   `json:"ok"`
		Detail string `json:"detail,omitempty"`
	} `json:"checks"`
}

// Cluster is how a cluster is, as one of its nodes knows.
type Cluster struct {
	Cluster  string         `json:"cluster"` // its name
	Nodes    []*ClusterNode `json:"nodes"`   // by name
	Store    ClusterStore   `json:"store"`
	Problems []string       `json:"problems"` // what is wrong and what to do, in plain words
}

// ClusterNode is one node.
type ClusterNode struct {
	Name        string        `json:"name"`
	Incarnation uint64        `json:"incarnation"` // grows with every start
	Version     string        `json:"version"`
	State       string        `json:"state"`  // core | leaving | apart | down | starting
	Core        bool          `json:"core"`   // it may own keys, and admits clients
	Shards      int           `json:"shards"` // of 1,024: how many keys it owns, in parts of the whole
	Links       []ClusterLink `json:"links"`  // to every other node, by its own word
}

// ClusterLink is whether two nodes reach each other.
type ClusterLink struct {
	Node   string `json:"node"`
	Up     bool   `json:"up"`
	Detail string `json:"detail,omitempty"` // why not, where it is known
}

// ClusterStore is how the copies of the store are.
type ClusterStore struct {
	Leader   string           `json:"leader"` // "": none; nothing can be written
	Replicas []ClusterReplica `json:"replicas"`
	Streams  []ClusterStream  `json:"streams"`
}

// ClusterStream is one part of the store. Each has a leader of its own, by which all
// writes to it go.
type ClusterStream struct {
	Stream string `json:"stream"` // journal | control | items | snapshots
	Leader string `json:"leader"` // "": none; it takes no writes
}

// ClusterReplica is what one node has of the store.
type ClusterReplica struct {
	Node   string `json:"node"`
	Online bool   `json:"online"`
	Lag    uint64 `json:"lag"` // operations that it is behind
	// Leads are the streams (journal, control, items, snapshots) that it takes the
	// writes of.
	Leads []string `json:"leads,omitempty"`
}

// Cluster asks how the cluster of the node is; a node that stands alone is
// ErrNotFound.
func (a *Admin) Cluster(ctx context.Context) (*Cluster, error) {
	return query[Cluster](ctx, a.caller, "/admin/v1/cluster", nil)
}

// DrainNode has the node of that name drain and end. It returns once the node has
// begun.
func (a *Admin) DrainNode(ctx context.Context, name string) error {
	return a.caller.call(ctx, http.MethodPost, "/admin/v1/cluster/nodes/"+url.PathEscape(name)+"/drain", nil, nil, nil)
}

// ForgetNode takes the node of that name, which is down for good, out of the cluster.
// ErrNotFound: there is none of that name; ErrConflict: it is up, or it would not be
// safe.
func (a *Admin) ForgetNode(ctx context.Context, name string) error {
	return a.caller.call(ctx, http.MethodPost, "/admin/v1/cluster/nodes/"+url.PathEscape(name)+"/forget", nil, nil, nil)
}

// StepDown has the leader of a stream of the store (journal, control, items,
// snapshots) give that up, to the node that is named, or to any where node is "". It
// returns once another leads the stream. ErrConflict: nobody else can.
func (a *Admin) StepDown(ctx context.Context, stream, node string) (*ClusterStream, error) {
	q := url.Values{}
	put(q, "node", node)
	path := "/admin/v1/cluster/streams/" + url.PathEscape(stream) + "/step-down"
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return one[ClusterStream](ctx, a.caller, http.MethodPost, path, nil)
}

// Health asks how the node is.
func (a *Admin) Health(ctx context.Context) (*NodeHealth, error) {
	return query[NodeHealth](ctx, a.caller, "/admin/v1/health", nil)
}

package admin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// node is a small node in memory: every port at once.
type node struct {
	mu      sync.Mutex
	keys    []*messages.Key
	feeds   []*messages.Feed
	sockets []Connection
	broken  error         // every port answers it, where set
	tried   Tried         // what every address holds; its URL is that address where it has none
	unread  error         // why no feed can be read
	instead proto.Message // every key answers it, where set
}

func (n *node) key(id string) *messages.Key {
	for _, k := range n.keys {
		if k.Id == id {
			return k
		}
	}
	return nil
}

func (n *node) Ask(_ context.Context, keyID string, command proto.Message) (proto.Message, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broken != nil || n.instead != nil {
		return n.instead, n.broken
	}
	if m, ok := command.(*messages.CreateKey); ok {
		n.keys = append(n.keys, proto.CloneOf(m.Key))
	}
	k := n.key(keyID)
	if k == nil {
		return &messages.Refused{Refusal: messages.Refusal_REFUSAL_UNKNOWN_KEY}, nil
	}
	switch m := command.(type) {
	case *messages.RevokeKey:
		k.State = messages.KeyState_KEY_REVOKED
	case *messages.RotateKey:
		k.SecretHash = m.SecretHash
	case *messages.UpdateKey:
		for _, field := range m.Fields {
			d := k.ProtoReflect().Descriptor().Fields().ByTextName(field)
			k.ProtoReflect().Set(d, m.Key.ProtoReflect().Get(d))
		}
	case *messages.CreateMonitor:
		return &messages.MonitorShown{Monitor: m.Monitor}, nil
	case *messages.ListRules:
		return &messages.RulesListed{}, nil
	case *messages.DeleteRule:
		return &messages.Deleted{Id: m.RuleId}, nil
	}
	return &messages.KeyDescribed{Key: k, Connections: 2, Month: "2026-11", CreditsUsed: 17, CreditsLimit: 150000}, nil
}

func (n *node) ListKeys(context.Context) ([]*messages.Key, error) { return n.keys, n.broken }

func (n *node) state(f *messages.Feed) FeedState {
	return FeedState{Feed: f, Source: &messages.SourceDescribed{
		Status: "failing", LastError: "status 404", LastErrorMs: 1772625600000, Failures: 3, NextPollMs: 1772625660000,
	}}
}

func (n *node) ListFeeds(context.Context) (out []FeedState, err error) {
	for _, f := range n.feeds {
		out = append(out, n.state(f))
	}
	return out, n.broken
}

func (n *node) find(id string) (*messages.Feed, error) {
	if n.broken != nil {
		return nil, n.broken
	}
	for _, f := range n.feeds {
		if f.Id == id {
			return f, nil
		}
	}
	return nil, fmt.Errorf("feed %s: %w", id, messages.ErrNotFound)
}

func (n *node) GetFeed(_ context.Context, id string) (FeedState, error) {
	f, err := n.find(id)
	return n.state(f), err
}

func (n *node) FeedURL(raw string) (string, error) {
	if u, err := url.Parse(raw); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("no URL")
	}
	return raw, nil
}

func (n *node) TryFeed(_ context.Context, address string) (Tried, error) {
	t := n.tried
	if t.URL == "" {
		t.URL = address
	}
	return t, n.unread
}

func (n *node) CreateFeed(_ context.Context, f *messages.Feed) error {
	for _, other := range n.feeds {
		if other.Url == f.Url {
			return fmt.Errorf("feed %s has this URL: it %w", other.Id, messages.ErrConflict)
		}
	}
	if n.broken == nil {
		n.feeds = append(n.feeds, f)
	}
	return n.broken
}

func (n *node) UpdateFeed(_ context.Context, id string, change func(*messages.Feed)) (FeedState, error) {
	f, err := n.find(id)
	if err == nil {
		change(f)
		change(f) // as a store does that had a conflict
	}
	return n.state(f), err
}

func (n *node) DeleteFeed(_ context.Context, id string) error {
	f, err := n.find(id)
	for i := range n.feeds {
		if n.feeds[i] == f {
			n.feeds = append(n.feeds[:i:i], n.feeds[i+1:]...)
			break
		}
	}
	return err
}

func (n *node) ListSources(context.Context) ([]Source, []string, error) {
	return []Source{
		{"n1", &messages.SourceDescribed{Id: "feed-1", Kind: "feed", Status: "ok", Url: "https://u:secret@example.com/f", Events: 9, Duplicates: 1, LastSuccessMs: 1772625600000}},
		{"n2", &messages.SourceDescribed{Id: "push-n1", Kind: "push"}},
	}, []string{"node n3 did not answer"}, n.broken
}

func (n *node) ListConnections(_ context.Context, keyID string, api messages.Api) (list []Connection, incomplete []string, err error) {
	for _, c := range n.sockets {
		if (keyID == "" || c.KeyID == keyID) && (api == messages.Api_API_UNSPECIFIED || c.API == api) {
			list = append(list, c)
		}
	}
	return list, nil, n.broken
}

func (n *node) CloseConnection(_ context.Context, id string) error {
	for i := range n.sockets {
		if n.sockets[i].ID == id {
			n.sockets = append(n.sockets[:i:i], n.sockets[i+1:]...)
			return nil
		}
	}
	return errors.Join(messages.ErrNotFound, n.broken)
}

func (n *node) Validate(context.Context, string, string) (*messages.Validation, error) {
	return &messages.Validation{}, n.broken
}

func (n *node) Backtest(_ context.Context, _, _ string, since time.Time, _ func(messages.Backtested) error) (messages.Backtested, error) {
	return messages.Backtested{Begins: since, Ends: since.Add(time.Hour), Posts: 9, Matched: 3}, n.broken
}

func (n *node) LookCluster(context.Context) ClusterState {
	return ClusterState{
		Cluster: "birds", Nodes: []ClusterNode{{Name: "n1", Incarnation: 7, Version: "v1", State: "core", Core: true, Shards: 1024, Links: []ClusterLink{{Node: "n2", Detail: "nothing listens there"}}}},
		Store: ClusterStore{Leader: "n1", Replicas: []ClusterReplica{{Node: "n1", Online: true, Lag: 3}}, Streams: []ClusterStream{{Stream: "journal", Leader: "n1"}}}, Problems: []string{"node n2 is down"},
	}
}

func (n *node) DrainNode(_ context.Context, name string) error {
	if name != "n1" {
		return messages.ErrNotFound
	}
	return n.broken
}

func (n *node) ForgetNode(_ context.Context, name string) error {
	switch name {
	case "n1":
		return fmt.Errorf("forget n1: %w: it is up", messages.ErrConflict)
	case "n2":
		return n.broken
	}
	return messages.ErrNotFound
}

func (n *node) StepDown(_ context.Context, stream, to string) (string, error) {
	switch {
	case stream != "journal":
		return "", messages.ErrNotFound
	case to == "n9":
		return "", fmt.Errorf("step down journal: %w: n9 has no copy", messages.ErrConflict)
	}
	return cmp.Or(to, "n2"), n.broken
}

func (n *node) KeyNode(string) string { return "n1" }

func (n *node) Alive(context.Context) error { return nil }
func (n *node) Ready(context.Context) error { return n.broken }

func (n *node) Look(context.Context) State {
	return State{Node: "n1", Version: "v1", StartedAt: "2026-03-04T12:00:00Z", Epoch: "abcdefgh", Checks: []Check{{Name: "store", OK: n.broken == nil}}}
}

// lines is a log that tests read while the server writes.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const token = "0123456789abcdef"

type fixture struct {
	t    *testing.T
	node *node
	url  string
	log  *lines
}

func config(n *node, log io.Writer) Config {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "birdwire_test"}, func() float64 { return 7 }))
	return Config{
		Token: token, Keys: n, KeyList: n, Feeds: n, Sources: n, Connections: n, Queries: n, Checks: n, Cluster: n,
		Log: slog.New(slog.NewTextHandler(log, nil)), Random: rand.Reader, Gatherer: metrics,
		Plans: []string{"free", "starter", "pro", "business"},
		Now:   func() time.Time { return time.UnixMilli(1772625600000) },
	}
}

// start serves over real HTTP, inside the server that a node uses.
func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, node: &node{}, log: &lines{}}
	cfg := config(f.node, f.log)
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := gateway.NewServer(gateway.Config{Log: cfg.Log}, h)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(inside.Handler)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) do(method, path, body string, headers ...string) answer {
	f.t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(data)}
}

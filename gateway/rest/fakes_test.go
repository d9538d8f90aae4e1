package rest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// keyring answers as the keys' actors do, from memory.
type keyring struct {
	mu       sync.Mutex
	keys     map[string]*messages.Key
	monitors []*messages.Monitor
	rules    []*messages.Rule
	logged   []*messages.DeliveryLogged
	billing  *messages.BillingListed
	// instead answers every command but Authorize, where it is set.
	instead func(proto.Message) (proto.Message, error)
	asked   []proto.Message
}

func (k *keyring) Ask(_ context.Context, keyID string, command proto.Message) (proto.Message, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, command)
	if m, ok := command.(*messages.Authorize); ok {
		return k.authorize(keyID, m)
	}
	if k.instead != nil {
		return k.instead(command)
	}
	return k.answer(command)
}

func (k *keyring) authorize(keyID string, m *messages.Authorize) (proto.Message, error) {
	key := k.keys[keyID]
	switch {
	case keyID == "key-unavailable":
		return nil, errors.New("owner is moving")
	case key == nil || !bytes.Equal(key.SecretHash, m.Credential.SecretHash):
		return &messages.Refused{Refusal: messages.Refusal_REFUSAL_UNKNOWN_KEY}, nil
	case key.State == messages.KeyState_KEY_REVOKED:
		return &messages.Refused{Refusal: messages.Refusal_REFUSAL_REVOKED}, nil
	case m.Scope != "" && !slices.Contains(key.Scopes, m.Scope):
		return &messages.Refused{Refusal: messages.Refusal_REFUSAL_SCOPE}, nil
	}
	return &messages.Authorized{Key: key}, nil
}

func (k *keyring) answer(command proto.Message) (proto.Message, error) {
	missing := &messages.Rejected{Rejection: messages.Rejection_REJECTION_NOT_FOUND}
	switch m := command.(type) {
	case *messages.CreateMonitor:
		made := proto.CloneOf(m.Monitor)
		made.Id, made.CreatedMs, made.UpdatedMs = fmt.Sprintf("mon-%d", len(k.monitors)+1), 1772625600000, 1772625600999
		made.Status, made.PollIntervalSeconds = cmp.Or(made.Status, "active"), max(made.PollIntervalSeconds, 1)
		k.monitors = append(k.monitors, made)
		return &messages.MonitorShown{Monitor: made}, nil
	case *messages.UpdateMonitor:
		for i, old := range k.monitors {
			if old.Id == m.Monitor.Id {
				k.monitors[i] = merged(old, m.Monitor, m.Fields)
				return &messages.MonitorShown{Monitor: k.monitors[i]}, nil
			}
		}
	case *messages.GetMonitor:
		for _, one := range k.monitors {
			if one.Id == m.MonitorId {
				return &messages.MonitorShown{Monitor: one}, nil
			}
		}
	case *messages.DeleteMonitor:
		for i, one := range k.monitors {
			if one.Id == m.MonitorId {
				k.monitors = slices.Delete(k.monitors, i, i+1)
				return &messages.Deleted{Id: m.MonitorId}, nil
			}
		}
	case *messages.ListMonitors:
		from := min(int(m.Offset), len(k.monitors))
		return &messages.MonitorsListed{Monitors: k.monitors[from:min(from+int(m.Limit), len(k.monitors))], Total: int32(len(k.monitors))}, nil
	case *messages.CreateRule:
		made := proto.CloneOf(m.Rule)
		made.Id, made.CreatedMs, made.UpdatedMs = fmt.Sprintf("rule-%d", len(k.rules)+1), 1772625600000, 1772625600999
		made.Status, made.IntervalSeconds, made.MaxResultsPerPoll = cmp.Or(made.Status, "active"), max(made.IntervalSeconds, 1), max(made.MaxResultsPerPoll, 20)
		k.rules = append(k.rules, made)
		return &messages.RuleShown{Rule: made}, nil
	case *messages.UpdateRule:
		for i, old := range k.rules {
			if old.Id == m.Rule.Id {
				k.rules[i] = merged(old, m.Rule, m.Fields)
				return &messages.RuleShown{Rule: k.rules[i]}, nil
			}
		}
	case *messages.GetRule:
		for _, one := range k.rules {
			if one.Id == m.RuleId {
				return &messages.RuleShown{Rule: one}, nil
			}
		}
	case *messages.DeleteRule:
		for i, one := range k.rules {
			if one.Id == m.RuleId {
				k.rules = slices.Delete(k.rules, i, i+1)
				return &messages.Deleted{Id: m.RuleId}, nil
			}
		}
	case *messages.ListRules:
		from := min(int(m.Offset), len(k.rules))
		return &messages.RulesListed{Rules: k.rules[from:min(from+int(m.Limit), len(k.rules))], Total: int32(len(k.rules))}, nil
	case *messages.ListDeliveries:
		var of []*messages.DeliveryLogged
		for _, d := range k.logged {
			author := d.GetEvent().GetPost().GetAuthor().GetUsername()
			if (m.MonitorId == "" || d.Origin.Id == m.MonitorId) && (m.Author == "" || strings.EqualFold(author, m.Author)) &&
				(m.Status == "" || d.Status == m.Status) && (m.Kind == 0 || d.Origin.Kind == m.Kind) {
				of = append(of, d)
			}
		}
		if m.Oldest {
			slices.Reverse(of)
		}
		from := min(int(m.Offset), len(of))
		return &messages.DeliveriesListed{Deliveries: of[from:min(from+int(m.Limit), len(of))], Total: int32(len(of))}, nil
	case *messages.ListBilling:
		return k.billing, nil
	}
	return missing, nil
}

// merged is old with the named fields of change, by their names in the proto.
func merged[M proto.Message](old, change M, fields []string) M {
	out := proto.CloneOf(old)
	from, to := change.ProtoReflect(), out.ProtoReflect()
	for _, name := range fields {
		for i := range to.Descriptor().Fields().Len() {
			if f := to.Descriptor().Fields().Get(i); string(f.Name()) == name {
				to.Set(f, from.Get(f))
			}
		}
	}
	return out
}

// queries finds "bad" wrong and everything else right.
type queries struct{ err error }

func (q queries) Validate(_ context.Context, _, text string) (*messages.Validation, error) {
	if q.err != nil {
		return nil, q.err
	}
	if text == "bad" {
		return &messages.Validation{Invalid: &messages.SyntaxError{Position: 3, Found: "the end", Expected: "a keyword"}}, nil
	}
	post := samplePost("7", "nasa", "to the moon", 0)
	return &messages.Validation{
		Warnings: []string{"a warning"}, Posts: 512, Matched: 42, Samples: []*messages.Event{post}, Explained: post,
		Explanation: &messages.Explanation{Clause: "moon -rocket", Op: "all", Matched: true, Clauses: []*messages.Explanation{
			{Clause: "moon", Op: "term", Matched: true, Reason: "in the text: …the moon"},
			{Clause: "-rocket", Op: "not", Matched: true, Clauses: []*messages.Explanation{{Clause: "rocket", Op: "term", Reason: "not found: rocket"}}},
		}},
	}, nil
}

// Backtest tells how far it is twice, and what it found; "slow" tells, and
// waits to be ended; "broken" fails after it has told.
func (q queries) Backtest(ctx context.Context, _, text string, since time.Time, progress func(messages.Backtested) error) (messages.Backtested, error) {
	switch {
	case q.err != nil:
		return messages.Backtested{}, q.err
	case text == "bad":
		return messages.Backtested{}, &messages.SyntaxError{Position: 3, Found: "the end", Expected: "a keyword"}
	case text == "busy":
		return messages.Backtested{}, ErrBusy
	}
	b := messages.Backtested{Begins: since, Ends: since.Add(48 * time.Hour), Done: 0.12345, Posts: 100, Matched: 7}
	if err := progress(b); err != nil {
		return messages.Backtested{}, err
	}
	switch text {
	case "broken":
		return messages.Backtested{}, errors.New("the log is gone")
	case "slow":
		<-ctx.Done()
		return messages.Backtested{}, ctx.Err()
	case "late":
		b.Begins = since.Add(24 * time.Hour)
	}
	b.Done, b.Posts, b.Matched, b.CreditsPerDelivery, b.Warnings = 1, 1000, 96, 1, []string{"a warning"}
	b.Samples = []*messages.Event{samplePost("7", "nasa", "to the moon", 0)}
	return b, nil
}

// ingest answers what it is told to, having read the body as the port wants.
type ingest struct {
	mu     sync.Mutex
	posts  []byte
	result Result
	err    error
	gate   chan struct{} // where set, Posts waits for it
	began  chan struct{}
	found  bool
	source string
	id     string
}

func (i *ingest) Posts(ctx context.Context, body io.Reader) (Result, error) {
	if i.gate != nil {
		i.began <- struct{}{}
		select {
		case <-i.gate:
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
	data, err := io.ReadAll(body)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.posts = data
	if err != nil {
		return i.result, fmt.Errorf("read posts: %w", err)
	}
	return i.result, i.err
}

func (i *ingest) Articles(ctx context.Context, body io.Reader) (Result, error) {
	return i.Posts(ctx, body)
}

func (i *ingest) DeleteArticle(_ context.Context, source, id string) (bool, error) {
	i.source, i.id = source, id
	return i.found, i.err
}

type fixture struct {
	t      *testing.T
	server *Server
	cfg    Config
	keys   *keyring
	ingest *ingest
	log    *lines
	url    string
	key    string // active, every scope
	byName map[string]string
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

// start serves a Server over real HTTP; change sees its Config first.
func start(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, keys: &keyring{keys: map[string]*messages.Key{}}, ingest: &ingest{}, log: &lines{}, byName: map[string]string{}}
	for name, key := range map[string]*messages.Key{
		"all":     {Scopes: []string{gateway.ScopeConnect, gateway.ScopeRules, gateway.ScopeIngest}},
		"reader":  {Scopes: []string{gateway.ScopeRead}},
		"connect": {Scopes: []string{gateway.ScopeConnect}},
		"kite":    {Scopes: []string{gateway.ScopeRules}, Apis: []messages.Api{messages.Api_API_KITE}},
		"revoked": {Scopes: []string{gateway.ScopeRules}, State: messages.KeyState_KEY_REVOKED},
	} {
		text, id, hash, err := gateway.MintKey(rand.Reader, "")
		if err != nil {
			t.Fatal(err)
		}
		key.Id, key.SecretHash = id, hash
		f.keys.keys[id] = key
		f.byName[name] = text
	}
	f.key = f.byName["all"]
	f.cfg = Config{
		Keys: f.keys, Throttle: gateway.NewThrottle(gateway.ThrottleConfig{Burst: 1000}),
		Queries: queries{}, Ingest: f.ingest, News: newsroom{}, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	}
	if change != nil {
		change(&f.cfg)
	}
	s, err := New(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.server = s
	mux := http.NewServeMux()
	s.Register(mux)
	server := httptest.NewServer(gateway.JSONErrors(mux))
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

type answer struct {
	status int
	header http.Header
	body   string
}

// do sends one request with the fixture's key unless headers name another;
// headers come as name, value pairs.
func (f *fixture) do(method, path, body string, headers ...string) answer {
	f.t.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", f.key)
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

type invalid struct {
	gateway.Problem
	Field  string
	Reason string
}

// problem reads an error's body; every one has the three fields.
func (f *fixture) problem(a answer) invalid {
	f.t.Helper()
	var p invalid
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		f.t.Fatalf("%d %q: %v", a.status, a.body, err)
	}
	if p.Error == "" || p.Detail == "" || p.Status != a.status || a.header.Get("Content-Type") != "application/json" {
		f.t.Errorf("not a problem: %d %q %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

func samplePost(id, user, text string, latency int64) *messages.Event {
	return &messages.Event{
		DetectedMs: 1772625600000 + latency,
		Body: &messages.Event_Post{Post: &messages.Post{
			Id: id, Text: text, CreatedMs: 1772625600000, Author: &messages.Author{Username: user},
		}},
	}
}

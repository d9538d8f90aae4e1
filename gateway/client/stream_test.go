package client

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestTwitter(t *testing.T) {
	d := openDoor(t)
	s, err := newTestClient(t, d.url).Twitter(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	if g.req.Header.Get("X-Api-Key") != testKey || g.req.URL.RawQuery != "" || g.req.URL.Path != "/v1/twitter/stream" {
		t.Errorf("asked %s with %v", g.req.URL, g.req.Header)
	}
	if m := next(t, s); !reflect.DeepEqual(m.Event, &Connected{ConnectionID: "abc-123", APIKeyID: "key-456", Message: "hi"}) {
		t.Errorf("%+v", m.Event)
	}
	frame := `{"type":"new_tweet","source":"filter_rule","rule_id":"rule-456","rule_tag":"bitcoin-mentions","tweet_id":"1234567890123456789","author_username":"cryptonews","tweet_text":"Bitcoin hits new ATH...","tweet_type":"original","latency_ms":1200,"detected_at":"2026-03-04T12:00:00Z"}`
	g.send(frame)
	want := &Tweet{
		Source: "filter_rule", RuleID: "rule-456", RuleTag: "bitcoin-mentions", TweetID: "1234567890123456789",
		AuthorUsername: "cryptonews", TweetText: "Bitcoin hits new ATH...", TweetType: "original", LatencyMs: 1200,
		DetectedAt: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC),
	}
	if m := next(t, s); !reflect.DeepEqual(m.Event, want) || string(m.Raw) != frame || m.Cursor != "" {
		t.Errorf("%+v", m)
	}
	heard := make(chan string, 1)
	go func() { heard <- g.hear(); close(g.gone) }()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "close 1000" {
		t.Errorf("the server heard %q", got)
	}
	if _, err := s.Next(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestContextEndsAStreamPolitely(t *testing.T) {
	d := openDoor(t)
	ctx, cancel := context.WithCancel(within(t))
	s, err := newTestClient(t, d.url).Kite(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	cancel()
	if got := g.hear(); got != "close 1000" {
		t.Errorf("the server heard %q", got)
	}
	close(g.gone)
	for {
		if _, err := s.Next(within(t)); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("the stream ended with %v", err)
			}
			return
		}
	}
}

// TestResume: a stream with cursors comes back where it was, and subscribes
// again by itself.
func TestResume(t *testing.T) {
	d := openDoor(t)
	var told []time.Duration
	s, err := newTestClient(t, d.url).Newsrank(within(t), Options{
		Resume:       "new",
		Reconnecting: func(_ error, wait time.Duration) { told = append(told, wait) },
	})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	if q := g.req.URL.Query(); q.Get("token") != testKey || q.Get("resume") != "new" || g.req.URL.Path != "/v1/news/stream" {
		t.Errorf("asked %s", g.req.URL)
	}
	if err := s.Subscribe(within(t), NewsrankFilters{Topics: []string{"articles"}, Keywords: []string{"AI"}}); err != nil {
		t.Fatal(err)
	}
	subscription := `{"filters":{"topics":["articles"],"keywords":["AI"]},"type":"subscribe"}`
	if got := g.hear(); got != subscription {
		t.Errorf("subscribed %s", got)
	}
	g.send(`{"type":"subscribed","embedding_filters":2}`)
	g.send(`{"type":"item.enriched","data":{"id":98201,"title":"Fed","published_at":1708789800000},"entity_ids":[42,108],"cursor":"abcdefgh-8193.0"}`)
	if m := next(t, s.Stream); !reflect.DeepEqual(m.Event, &Subscribed{EmbeddingFilters: 2}) {
		t.Errorf("%+v", m.Event)
	}
	m := next(t, s.Stream)
	item, ok := m.Event.(*Item)
	if !ok || !item.Enriched || item.Data.ID != 98201 || len(item.EntityIDs) != 2 || m.Cursor != "abcdefgh-8193.0" || item.Data.Published().UnixMilli() != 1708789800000 {
		t.Errorf("%+v", m)
	}
	g.send(`{"type":"cursor","cursor":"abcdefgh-12287.0"}`)
	if m := next(t, s.Stream); m.Cursor != "abcdefgh-12287.0" || !reflect.DeepEqual(m.Event, &Checkpoint{}) {
		t.Errorf("%+v", m)
	}

	g.drop()
	again := d.next()
	if got := again.req.URL.Query().Get("resume"); got != "abcdefgh-12287.0" {
		t.Errorf("resumed at %q", got)
	}
	if got := again.hear(); got != subscription {
		t.Errorf("subscribed again %s", got)
	}
	again.send(`{"type":"subscribed"}`)
	if m := next(t, s.Stream); !reflect.DeepEqual(m.Event, &Subscribed{}) {
		t.Errorf("%+v", m.Event)
	}
	if len(told) != 1 {
		t.Errorf("told %v", told)
	}
	closeBoth(t, s.Stream, again)
}

func closeBoth(t *testing.T, s *Stream, g *guest) {
	t.Helper()
	go func() { _ = g.hear(); close(g.gone) }()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestKite(t *testing.T) {
	d := openDoor(t)
	s, err := newTestClient(t, d.url).Kite(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	if g.req.URL.Query().Get("key") != testKey || g.req.URL.Path != "/api/ws" {
		t.Errorf("asked %s", g.req.URL)
	}
	next(t, s.Stream)
	ctx := within(t)
	for want, do := range map[string]func() error{
		`{"filters":{"sources":["BBC News"]},"type":"subscribe"}`: func() error {
			return s.Subscribe(ctx, KiteFilters{Sources: []string{"BBC News"}})
		},
		`{"type":"unsubscribe"}`: func() error { return s.Unsubscribe(ctx) },
		`{"type":"ping"}`:        func() error { return s.Ping(ctx) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if got := g.hear(); got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
	g.send(`{"type":"subscribed","filters":{"sources":["BBC News"]}}`)
	g.send(`{"type":"news","action":"create","item":{"id":"abc123xyz","title":"Fed","published":"2025-05-01T14:00:00.000Z","tickers":["SPY"]}}`)
	g.send(`{"type":"pong"}`)
	g.send(`{"type":"error","message":"Invalid JSON"}`)
	g.send(`{"type":"tomorrow"}`)
	for _, want := range []Event{
		&Subscribed{Filters: &KiteFilters{Sources: []string{"BBC News"}}},
		&News{Action: "create", Item: NewsItem{ID: "abc123xyz", Title: "Fed", Published: "2025-05-01T14:00:00.000Z", Tickers: []string{"SPY"}}},
		&Pong{}, &Fault{Text: "Invalid JSON"}, &Unknown{Type: "tomorrow"},
	} {
		if m := next(t, s.Stream); !reflect.DeepEqual(m.Event, want) {
			t.Errorf("%+v, want %+v", m.Event, want)
		}
	}
	item := NewsItem{Published: "2025-05-01T14:00:00.000Z"}
	if item.PublishedAt().Unix() != 1746108000 || !(&NewsItem{}).PublishedAt().IsZero() {
		t.Error("PublishedAt")
	}
	closeBoth(t, s.Stream, g)
}

// TestRefusals: what the server says before the upgrade reaches the caller
// whole.
func TestRefusals(t *testing.T) {
	d := openDoor(t)
	c := newTestClient(t, d.url)
	for _, x := range []struct {
		status int
		is     error
	}{{400, ErrInvalid}, {401, ErrUnauthorized}, {403, ErrForbidden}, {404, ErrNotFound}, {429, ErrTooMany}, {503, ErrUnavailable}} {
		d.refuseNext(problem(x.status, "short", "the sentence", "Retry-After", "7"))
		_, err := c.Newsrank(within(t), Options{})
		var e *Error
		if !errors.Is(err, x.is) || !errors.As(err, &e) || e.Detail != "the sentence" || e.Short != "short" || e.RetryAfter != 7*time.Second {
			t.Errorf("%d: %v", x.status, err)
		}
		if strings.Contains(err.Error(), testKey) {
			t.Errorf("%d: the key is in %q", x.status, err)
		}
	}
	d.refuseNext(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway)
	})
	if _, err := c.Kite(within(t), Options{}); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "Bad gateway") {
		t.Errorf("a proxy's page: %v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s := openDoor(t)
	c := newTestClient(t, strings.Replace(s.url, "127.0.0.1", "127.0.0.2", 1))
	_, err := c.Kite(within(t), Options{})
	if err == nil || strings.Contains(err.Error(), testKey) {
		t.Fatalf("%v", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), testKey) {
			t.Fatalf("the key is in %q", e)
		}
	}
}

// TestUpgradedRefusal: twitter upgrades a bad key and says so in a frame.
func TestUpgradedRefusal(t *testing.T) {
	for code, is := range map[websocket.StatusCode]error{4001: ErrUnauthorized, 4003: ErrTooMany} {
		d := openDoor(t)
		d.refuseNext(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_ = ws.Write(r.Context(), websocket.MessageText, []byte(`{"type":"error","code":4001,"message":"Invalid or missing API key"}`))
			_ = ws.Close(code, "reason")
		})
		_, err := newTestClient(t, d.url).Twitter(within(t), Options{})
		var e *Error
		if !errors.Is(err, is) || !errors.As(err, &e) || e.Detail != "Invalid or missing API key" || e.Code != int(code) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestEnds is the table of closes: which end the stream, and as what.
func TestEnds(t *testing.T) {
	for _, x := range []struct {
		code  websocket.StatusCode
		fault string
		is    error // nil: it reconnects
	}{
		{4001, `{"type":"error","code":4001,"message":"revoked"}`, ErrUnauthorized},
		{4402, `{"type":"error","error":"revoked"}`, ErrCredits},
		{4403, `{"type":"error","message":"revoked"}`, ErrForbidden},
		{1008, "", ErrForbidden},
		{1009, "", ErrInvalid},
		{1012, "", nil},
		{1013, "", nil},
		{4008, "", nil},
		{4003, "", nil},
		{1000, "", nil},
	} {
		d := openDoor(t)
		s, err := newTestClient(t, d.url).Twitter(within(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		g := d.next()
		next(t, s)
		if x.fault != "" {
			g.send(x.fault)
			next(t, s)
		}
		g.bye(x.code, "bye")
		if x.is == nil {
			again := d.next()
			next(t, s)
			closeBoth(t, s, again)
			continue
		}
		_, err = s.Next(within(t))
		if !errors.Is(err, x.is) || (x.fault != "" && !strings.Contains(err.Error(), "revoked")) {
			t.Errorf("%d: %v", x.code, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReconnectGivesUp where coming back will not help, and comes back through
// what will pass.
func TestReconnectGivesUp(t *testing.T) {
	d := openDoor(t)
	waits := make(chan time.Duration, 8)
	s, err := newTestClient(t, d.url).Kite(within(t), Options{Reconnecting: func(_ error, w time.Duration) { waits <- w }})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	next(t, s.Stream)
	d.refuseNext(problem(503, "unavailable", "later", "Retry-After", "1"))
	g.drop()
	g = d.next() // after the 503
	next(t, s.Stream)
	if <-waits; <-waits < time.Second {
		t.Error("it came back before Retry-After")
	}
	d.refuseNext(problem(401, "unauthorized", "Invalid API key."))
	g.drop()
	if _, err := s.Next(within(t)); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("%v", err)
	}
	if err := s.Subscribe(within(t), KiteFilters{}); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("subscribe after the end: %v", err)
	}
}

func TestOnce(t *testing.T) {
	d := openDoor(t)
	s, err := newTestClient(t, d.url).Kite(within(t), Options{Once: true})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	next(t, s.Stream)
	g.bye(1012, "restart")
	count := 0
	for _, err := range s.All() {
		count++
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
	if count != 1 {
		t.Errorf("All gave %d", count)
	}
}

// TestSubscribeWhileAway: what is subscribed while there is no connection is
// sent on the next one; of two the later wins.
func TestSubscribeWhileAway(t *testing.T) {
	d := openDoor(t)
	broken := make(chan struct{})
	resume := make(chan struct{})
	s, err := newTestClient(t, d.url).Kite(within(t), Options{Reconnecting: func(error, time.Duration) {
		broken <- struct{}{}
		<-resume
	}})
	if err != nil {
		t.Fatal(err)
	}
	d.next().drop()
	<-broken
	for _, source := range []string{"a", "b"} {
		if err := s.Subscribe(within(t), KiteFilters{Sources: []string{source}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(within(t)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ping while away: %v", err)
	}
	resume <- struct{}{}
	g := d.next()
	if got := g.hear(); got != `{"filters":{"sources":["b"]},"type":"subscribe"}` {
		t.Errorf("subscribed %s", got)
	}
	closeBoth(t, s.Stream, g)
}

// TestCloseWhileWaiting: Close ends a stream that waits to come back, and one
// whose frames nobody takes.
func TestCloseWhileWaiting(t *testing.T) {
	d := openDoor(t)
	broken := make(chan struct{}, 1)
	s, err := newTestClient(t, d.url).Kite(within(t), Options{Reconnecting: func(error, time.Duration) { broken <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	d.next().drop()
	<-broken
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	full, err := newTestClient(t, d.url).Kite(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	for range 2 * buffered {
		g.send(`{"type":"pong"}`)
	}
	closeBoth(t, full.Stream, g)
}

func TestGarbageFrameBreaksTheConnection(t *testing.T) {
	d := openDoor(t)
	s, err := newTestClient(t, d.url).Kite(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := d.next()
	next(t, s.Stream)
	g.send(`{"type":"news","item":"no object"}`)
	again := d.next()
	close(g.gone)
	closeBoth(t, s.Stream, again)
}

// TestSilence: a network that went away sends no error.
func TestSilence(t *testing.T) {
	d := openDoor(t)
	c := newTestClient(t, d.url)
	c.silence = 20 * time.Millisecond
	s, err := c.Newsrank(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := d.next()
	again := d.next() // though nothing ended the first
	close(first.gone)
	closeBoth(t, s.Stream, again)
}

func TestBackoff(t *testing.T) {
	b := newBackoff(firstWait)
	for _, least := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		least *= time.Second
		if got := b.next(); got < least || got > min(least+least/5, 30*time.Second) {
			t.Errorf("waits %v where %v is due", got, least)
		}
	}
	b.reset()
	if got := b.next(); got > 1200*time.Millisecond {
		t.Errorf("after a reset it waits %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"type":"new_tweet","latency_ms":1}`, `{"type":"error","message":{},"error":"x"}`, `{"type":"clusters.ranked","data":[{"id":1}],"updated":true}`,
		`{"type":"news"}`, `{"type":"ticker.news","data":{"tickers":[{}]}}`, `{"type":"cluster.event","cursor":"a-1.0"}`, `[]`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := decode(raw); err == nil && m.Event == nil {
			t.Fatalf("%q gave no event", raw)
		}
	})
}

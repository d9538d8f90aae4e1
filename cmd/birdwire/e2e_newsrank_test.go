package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

const newsrankSubscribed = `{"type":"subscribed"}`

func newsrankSubscribe(filters string) string {
	return `{"type":"subscribe","filters":` + filters + `}`
}

// TestNewsrank: nothing before the subscribe, then what it asks for.
func TestNewsrank(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	c := s.dial(t, newsrankPath+s.key(t, "starter").Key)
	s.push(t, client.Articles, pusher, article("before the subscribe", "business"))
	c.send(newsrankSubscribe(`{"topics":["articles"],"categories":["business"],"sources":["example"],"keywords":["AI"],"entities":[42]}`))
	c.expect(newsrankSubscribed)

	s.push(
		t, client.Articles, pusher,
		article("he said nothing", "business"),
		article("AI in politics", "politics"),
		article("An AI elsewhere", "business", `"source":{"id":"other","name":"Other"}`),
		article("What AI does", "business", `"description":"All of it.","published_at":"2026-03-04T12:00:00Z"`),
	)
	var e struct {
		Type string
		Data map[string]any
	}
	raw := c.read("item.new", &e)
	if e.Data["title"] != "What AI does" {
		t.Fatalf("the first event is %s", raw)
	}
	for name, want := range map[string]any{
		"url": "https://news.example/What-AI-does", "source_id": "example", "source_name": "Example News",
		"category": "business", "published_at": 1772625600000.0, "excerpt": "All of it.",
	} {
		if e.Data[name] != want {
			t.Errorf("%s is %v, want %v: %s", name, e.Data[name], want, raw)
		}
	}
	if id, ok := e.Data["id"].(float64); !ok || id <= 0 || id >= 1<<53 {
		t.Errorf("id is %v, want a whole number below 2^53", e.Data["id"])
	}
	if hash, ok := e.Data["url_hash"].(string); !ok || len(hash) != 64 {
		t.Errorf("url_hash is %v, want a SHA-256", e.Data["url_hash"])
	}
	if strings.Contains(raw, "cursor") {
		t.Errorf("%s has a cursor that nobody asked for", raw)
	}

	// The other address, and the SDK.
	other, err := s.owner(t, s.key(t, "starter")).Newsrank(within(t), client.Options{Once: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // it never fails
	if err := other.Subscribe(within(t), client.NewsrankFilters{}); err != nil {
		t.Fatal(err)
	}
	if m, err := other.Next(within(t)); err != nil || string(m.Raw) != newsrankSubscribed {
		t.Fatalf("%s, %v", m.Raw, err)
	}
	s.push(t, client.Articles, pusher, article("for all", "anything"))
	m, err := other.Next(within(t))
	if item, ok := m.Event.(*client.Item); err != nil || !ok || item.Data.Title != "for all" {
		t.Fatalf("%s, %v", m.Raw, err)
	}
}

// TestNewsrankSubscribeIsAtomic: while a client goes to and fro between two
// disjoint subscriptions, no event is decided by half of each.
func TestNewsrankSubscribeIsAtomic(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	c := s.dial(t, newsrankPath+s.key(t, "pro").Key)
	sides := []string{
		newsrankSubscribe(`{"topics":["articles"],"categories":["a"],"keywords":["left"]}`),
		newsrankSubscribe(`{"topics":["articles"],"categories":["b"],"keywords":["right"]}`),
	}
	whole := []string{"left in a", "right in b"}

	background(t, func(ctx context.Context) error {
		for n := 0; ; n++ {
			if _, err := s.tryPush(
				ctx, client.Articles, pusher,
				article(fmt.Sprintf("left in a %d", n), "a"), article(fmt.Sprintf("right in a %d", n), "a"),
				article(fmt.Sprintf("left in b %d", n), "b"), article(fmt.Sprintf("right in b %d", n), "b"),
			); err != nil {
				return err
			}
		}
	})
	for n := range 30 {
		c.send(sides[n%2])
		for { // the old side's, up to the answer
			raw := c.next()
			if raw == newsrankSubscribed {
				break
			}
			checkSide(t, raw, whole[(n+1)%2], n > 0)
		}
		checkSide(t, c.next(), whole[n%2], true)
	}
}

func checkSide(t *testing.T, raw, whole string, subscribed bool) {
	t.Helper()
	var e event
	if err := json.Unmarshal([]byte(raw), &e); err != nil || !subscribed || !strings.HasPrefix(e.Data.Title, whole) {
		t.Fatalf("%s, where only %q was asked for (%v)", raw, whole, err)
	}
}

// TestNewsrankMistakes: a message that cannot be served is answered, and the
// connection goes on; twenty are too many.
func TestNewsrankMistakes(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	c := s.dial(t, newsrankPath+s.key(t, "starter").Key)
	mistakes := []string{
		`{"type":"subscribe"`,
		`[]`,
		`{"type":"order"}`,
		newsrankSubscribe(`{"topics":["sports"]}`),
		newsrankSubscribe(`{"categories":"business"}`),
		newsrankSubscribe(`{"entities":["42"]}`),
		newsrankSubscribe(`{"include_embeddings":true}`), // Pro
		newsrankSubscribe(`{"tickers":["AAPL"]}`),        // Pro
		newsrankSubscribe(`{"category":["business"]}`),   // no such filter
		`{"type":"subscribe","topics":["articles"]}`,     // beside the filters
	}
	for i := range 20 {
		c.send(mistakes[i%len(mistakes)])
		var e struct{ Error string }
		if raw := c.read("error", &e); e.Error == "" {
			t.Fatalf("answer to %s: %s", mistakes[i%len(mistakes)], raw)
		}
		if i == 18 { // it is open still
			c.send(newsrankSubscribe(`{}`))
			c.expect(newsrankSubscribed)
		}
	}
	c.read("error", nil) // why it ends
	c.closed(1008)
}

// TestNewsrankAdmission: refusals come before the upgrade, and say why.
func TestNewsrankAdmission(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	s.refused(t, "/ws", http.StatusUnauthorized)
	s.refused(t, newsrankPath+"nrf_your_api_key", http.StatusUnauthorized)
	s.refused(t, newsrankPath+s.key(t, "free").Key, http.StatusForbidden)
	s.refused(t, newsrankPath+s.pusher(t), http.StatusForbidden) // without ws:connect

	k := s.key(t, "starter")
	c := s.dial(t, newsrankPath+k.Key)
	r := s.refused(t, "/v1/news/stream?token="+k.Key, http.StatusTooManyRequests)
	if r.header.Get("Retry-After") == "" {
		t.Fatalf("a second connection: %+v; want Retry-After", r)
	}
	if _, err := s.operator.RevokeKey(within(t), k.ID); err != nil {
		t.Fatal(err)
	}
	c.read("error", nil)
	c.closed(4403)
	s.refused(t, newsrankPath+k.Key, http.StatusForbidden)

	s.call(t, http.MethodGet, "/v1/news", "", "").want(t, http.StatusNotFound)
	s.call(t, http.MethodGet, newsrankPath+s.key(t, "starter").Key, "", "").want(t, http.StatusUpgradeRequired)
}

package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
)

const (
	kiteConnected = `{"type":"connected","message":"Connected to KITE 2.0 WebSocket. Send a 'subscribe' message to set filters."}`
	subscribedAll = `{"type":"subscribed","filters":{}}`
)

// TestKite is a day of a client: everything, then filters, then everything.
func TestKite(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, reader := s.pusher(t), s.key(t, "starter", "ws:connect").Key

	c := s.dial(t, kitePath+reader)
	c.expect(kiteConnected)
	s.push(t, client.Articles, pusher, article("unasked for", "weather"))
	if e := c.event(); e.what() != "create unasked for" || e.Item.Tags == nil || e.Item.Tickers == nil {
		t.Fatalf("before any subscribe: %+v; want the article, with every list in it", e)
	}

	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	c.send(`{"type":"subscribe","filters":`)
	c.expect(`{"type":"error","message":"Invalid JSON"}`)
	c.send(`{"type":"subscribe","filters":{"tickers":["$aapl"],"keywords":["interest rates"],"sources":["EXAMPLE news"]}}`)
	c.expect(`{"type":"subscribed","filters":{"sources":["EXAMPLE news"],"keywords":["interest rates"],"tickers":["AAPL"]}}`)

	s.push(
		t, client.Articles, pusher,
		article("no such keyword", "a", `"tickers":["AAPL"]`),
		article("interest rates without a ticker", "a"),
		article("interested ratesmen", "a", `"tickers":["AAPL"]`),
		article("Interest Rates and Apple", "a", `"tickers":["$aapl"]`),
		article("in a tag", "a", `"tickers":["AAPL"],"tags":["interest rates"]`),
	)
	if e := c.event(); e.what() != "create Interest Rates and Apple" {
		t.Fatalf("filtered: %s", e.what())
	}
	if e := c.event(); e.what() != "create in a tag" {
		t.Fatalf("filtered: %s", e.what())
	}

	// Filters that are not understood leave those that there are.
	c.send(`{"type":"subscribe","sources":["EXAMPLE news"]}`)
	c.expect(`{"type":"error","message":"sources: not a field of this message, expected inside \"filters\""}`)
	c.send(`{"type":"subscribe","filters":{"ticker":["AAPL"]}}`)
	c.expect(`{"type":"error","message":"filters.ticker: unknown, expected sources, categories, keywords, tickers or companies"}`)
	s.push(t, client.Articles, pusher, article("of no ticker", "b"), article("interest rates again", "a", `"tickers":["AAPL"]`))
	if e := c.event(); e.what() != "create interest rates again" {
		t.Fatalf("after filters that were refused: %s", e.what())
	}

	c.send(`{"type":"unsubscribe"}`)
	c.expect(subscribedAll)
	s.push(t, client.Articles, pusher, article("of any kind", "b"))
	if e := c.event(); e.what() != "create of any kind" {
		t.Fatalf("after unsubscribe: %s", e.what())
	}
	c.leave()
}

// TestKiteFollowsAnItem from its creation to its withdrawal.
func TestKiteFollowsAnItem(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher := s.pusher(t)
	c := s.dial(t, kitePath+s.key(t, "starter").Key)
	c.expect(kiteConnected)
	c.send(`{"type":"subscribe","filters":{"keywords":["gold"]}}`)
	c.expect(`{"type":"subscribed","filters":{"keywords":["gold"]}}`)

	const first = `{"id":"a","url":"https://news.example/a","title":"Silver up","source":{"id":"example","name":"Example"}}`
	const second = `{"id":"a","url":"https://news.example/a","title":"Gold up","source":{"id":"example","name":"Example"}}`
	s.push(t, client.Articles, pusher, first)
	s.push(t, client.Articles, pusher, second) // it comes to match by an update
	e := c.event()
	if e.what() != "update Gold up" || e.Item.ID != "a" {
		t.Fatalf("changed: %+v", e)
	}
	done, err := s.tryPush(within(t), client.Articles, pusher, second)
	if err != nil || done.Accepted != 0 || done.Duplicates != 1 {
		t.Fatalf("the same again: %+v, %v; want a duplicate", done, err)
	}

	s.call(t, http.MethodDelete, "/v1/ingest/articles/a?source=other", pusher, "").want(t, http.StatusNotFound)
	if gone := s.call(t, http.MethodDelete, "/v1/ingest/articles/a?source=example", pusher, ""); gone.status != http.StatusNoContent || gone.body != "" || gone.header.Get("Content-Type") != "" {
		t.Fatalf("delete: %+v; want a bare 204", gone)
	}
	last := c.event()
	if last.what() != "delete Gold up" || last.Item.URL != e.Item.URL || last.Item.Created != e.Item.Created {
		t.Fatalf("withdrawn: %+v; want the last known item, whole", last)
	}
	s.call(t, http.MethodDelete, "/v1/ingest/articles/a?source=example", pusher, "").want(t, http.StatusNotFound)
	s.push(t, client.Articles, pusher, article("gold again", "a"))
	if e := c.event(); e.what() != "create gold again" {
		t.Fatalf("after the second withdrawal: %s", e.what())
	}
}

// TestKiteAdmission: refusals come before the upgrade.
func TestKiteAdmission(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	const missing = `{"error":"Missing API key. Include an X-API-Key header.","detail":"Missing API key. Include an X-API-Key header.","status":401}`
	if r := s.refused(t, "/api/ws", http.StatusUnauthorized); r.body != missing {
		t.Fatalf("without a key: %s", r.body)
	}
	s.refused(t, kitePath+"kite_your_key_here", http.StatusUnauthorized)

	k := s.key(t, "starter")
	for _, filters := range []string{"nonsense", "[]", `{"tickers":7}`, ""} {
		s.refused(t, kitePath+k.Key+"&filters="+url.QueryEscape(filters), http.StatusBadRequest)
	}
	var open []*socket
	for range 5 {
		c := s.dial(t, kitePath+k.Key)
		c.expect(kiteConnected)
		open = append(open, c)
	}
	if r := s.refused(t, kitePath+k.Key, http.StatusTooManyRequests); r.header.Get("Retry-After") == "" {
		t.Fatalf("a sixth connection: %+v; want Retry-After", r)
	}
	open[0].leave()
	eventually(t, func() string { // its slot is free once the server has seen the goodbye
		c, r := s.handshake(t, kitePath+k.Key)
		if c == nil {
			return "no connection is let in after one left: " + r.body
		}
		open[0] = c
		return ""
	})
	open[0].expect(kiteConnected)

	if _, err := s.operator.RevokeKey(within(t), k.ID); err != nil {
		t.Fatal(err)
	}
	for _, c := range open {
		c.read("error", nil)
		c.closed(4403)
	}
	s.refused(t, kitePath+k.Key, http.StatusUnauthorized)
}

// TestClientFramesAreBounded: a message past the limit ends the connection.
func TestClientFramesAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	c := s.dial(t, kitePath+s.key(t, "starter").Key)
	c.expect(kiteConnected)
	long := make([]byte, 64<<10+1)
	for i := range long {
		long[i] = ' '
	}
	c.send(string(long))
	c.closed(int(websocket.StatusMessageTooBig))
}

// TestCompression is negotiated where the operator wants it, and not else.
func TestCompression(t *testing.T) {
	t.Parallel()
	s, plain := start(t, "", "--deflate"), start(t, "")
	dial := func(s *server) (c *socket, extensions string) {
		conn, res, err := websocket.Dial(within(t), "ws://"+s.public+kitePath+s.key(t, "pro").Key, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		return &socket{t, conn}, res.Header.Get("Sec-WebSocket-Extensions")
	}
	if _, extensions := dial(plain); extensions != "" {
		t.Fatalf("by default extensions are %q", extensions)
	}
	c, extensions := dial(s)
	if !strings.Contains(extensions, "permessage-deflate") {
		t.Fatalf("extensions are %q", extensions)
	}
	c.expect(kiteConnected)
	long := strings.Repeat("much of the same, ", 500)
	for n := range 3 {
		s.push(t, client.Articles, s.pusher(t), article(fmt.Sprint(n), "a", fmt.Sprintf(`"description":%q`, long)))
		if e := c.event(); e.Item.Title != fmt.Sprint(n) || e.Item.Description != long {
			t.Fatalf("then came %s with %d characters", e.what(), len(e.Item.Description))
		}
	}
	c.send(`{"type":"ping"}`)
	c.expect(`{"type":"pong"}`)
	if written := s.metric(t, `birdwire_ws_bytes_total{api="kite"}`); written > 5000 {
		t.Errorf("%v bytes were written for 27,000 characters of the same", written)
	}
}

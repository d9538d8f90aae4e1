package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// full opens as many connections of the key as it may, and sees one more
// refused, on every API.
func (s *server) full(t *testing.T, key string) {
	t.Helper()
	for range 5 {
		s.dial(t, twitterPath+key).read("connected", nil)
		s.dial(t, kitePath+key).expect(kiteConnected)
	}
	s.dial(t, newsrankPath+key)
	c := s.dial(t, twitterPath+key)
	c.read("error", nil)
	c.closed(4003)
	s.refused(t, kitePath+key, http.StatusTooManyRequests)
	s.refused(t, newsrankPath+key, http.StatusTooManyRequests)
}

// TestLimitsHoldAfterACrash: the connections of a process that was killed are
// gone, and count no more; the limits are what they were.
func TestLimitsHoldAfterACrash(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "starter")
	revoked := s.key(t, "starter")
	if _, err := s.operator.RevokeKey(within(t), revoked.ID); err != nil {
		t.Fatal(err)
	}
	s.full(t, k.Key)
	used, err := s.operator.Key(within(t), k.ID)
	if err != nil || used.Connections != 11 {
		t.Fatalf("the key before: %+v, %v; want 11 connections", used, err)
	}

	for range 2 {
		s.kill()
		s = start(t, s.dir)
		s.full(t, k.Key)
	}
	used, err = s.operator.Key(within(t), k.ID)
	if err != nil || used.Connections != 11 || used.Name != t.Name() || used.Plan != "starter" || used.LastUsedAt == nil {
		t.Fatalf("the key after: %+v, %v; want 11 connections", used, err)
	}
	s.refused(t, newsrankPath+revoked.Key, http.StatusForbidden)
	keys, err := s.operator.Keys(within(t))
	if err != nil || len(keys) != 2 || keys[0].ID != k.ID || keys[1].State != "revoked" {
		t.Fatalf("the keys after: %+v, %v", keys, err)
	}
}

// withPlan is a configuration file with one plan in it.
func withPlan(t *testing.T, plan string) (flag string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "birdwire.yaml")
	if err := os.WriteFile(file, []byte("plans:\n"+plan), 0o600); err != nil {
		t.Fatal(err)
	}
	return "--config=" + file
}

// TestCreditsAfterACrash: what a dead process had reserved and cannot have
// delivered comes back to the key, and no event beyond the quota is delivered. A
// key without credits hears why, may not come back, and makes no rules.
func TestCreditsAfterACrash(t *testing.T) {
	t.Parallel()
	config := withPlan(t, "  tiny:\n    credits: 100\n    newsrank_connections: 2\n")
	s := start(t, "", config)
	pusher, k := s.pusher(t), s.key(t, "tiny")
	rule := makeRule(t, s.owner(t, k), "t", "anything")
	subscribed := func() *socket {
		c := s.dial(t, newsrankPath+k.Key)
		c.send(newsrankSubscribe("{}"))
		c.expect(newsrankSubscribed)
		return c
	}
	c := subscribed()
	s.push(t, client.Articles, pusher, article("0", "a"))
	c.event()
	s.kill()

	s = start(t, s.dir, config)
	owner := s.owner(t, k)
	// One article, and two connections that the plan has: no more than two frames.
	var used *client.Billing
	var err error
	eventually(t, func() string {
		used, err = owner.Billing(within(t))
		if err != nil || used.CreditsLimit != 100 || used.CreditsUsed < 1 || used.CreditsUsed > 2 {
			return fmt.Sprintf("billing after a crash: %+v, %v; want 1 or 2 used of 100", used, err)
		}
		return ""
	})
	left := 110 - used.CreditsUsed // 110 % may be delivered
	c = subscribed()
	var articles []string
	for n := range left + 5 {
		articles = append(articles, article(fmt.Sprintf("after %d", n), "a"))
	}
	s.push(t, client.Articles, pusher, articles...)
	for n := range left {
		if e := c.event(); e.Data.Title != fmt.Sprintf("after %d", n) {
			t.Fatalf("then came %s, want the %dth of %d", e.what(), n, left)
		}
	}
	c.read("error", nil)
	c.closed(4402)

	s.refused(t, newsrankPath+k.Key, http.StatusForbidden)
	s.call(t, http.MethodPost, resourcesPath+"filter-rules", k.Key, `{"tag":"u","query":"q"}`).want(t, http.StatusPaymentRequired)
	s.call(t, http.MethodPost, resourcesPath+"monitors", k.Key, `{"name":"m","usernames":["ada"]}`).want(t, http.StatusPaymentRequired)
	s.call(t, http.MethodGet, resourcesPath+"filter-rules/"+rule, k.Key, "").want(t, http.StatusOK) // to look is free
	if used, err = owner.Billing(within(t)); err != nil || used.CreditsUsed != 110 {
		t.Fatalf("billing at the end: %+v, %v; want 110 of 100", used, err)
	}
}

// TestCreditsToTheLast: without a crash, every credit is an event.
func TestCreditsToTheLast(t *testing.T) {
	t.Parallel()
	s := start(t, "", withPlan(t, "  starter:\n    credits: 10\n"))
	pusher, k := s.pusher(t), s.key(t, "starter")
	c := s.dial(t, newsrankPath+k.Key)
	c.send(newsrankSubscribe("{}"))
	c.expect(newsrankSubscribed)
	c.send("no JSON") // errors and answers are free
	c.read("error", nil)
	var articles []string
	for n := range 12 {
		articles = append(articles, article(fmt.Sprint(n), "a"))
	}
	s.push(t, client.Articles, pusher, articles...)
	for n := range 11 { // 110 %
		if e := c.event(); e.Data.Title != fmt.Sprint(n) {
			t.Fatalf("event %d is %s", n, e.what())
		}
	}
	c.read("error", nil)
	c.closed(4402)
	used, err := s.owner(t, k).Billing(within(t))
	if err != nil || used.CreditsUsed != 11 || used.CreditsLimit != 10 {
		t.Fatalf("billing: %+v, %v; want 11 of 10", used, err)
	}

	// A larger plan needs no new key, and serves at once.
	s.refused(t, newsrankPath+k.Key, http.StatusForbidden)
	s.operate(t, http.MethodPatch, "/admin/v1/keys/"+k.ID, `{"plan":"pro"}`).want(t, http.StatusOK)
	c = s.dial(t, newsrankPath+k.Key)
	c.send(newsrankSubscribe("{}"))
	c.expect(newsrankSubscribed)
	s.push(t, client.Articles, pusher, article("more", "a"))
	if e := c.event(); e.Data.Title != "more" {
		t.Fatalf("after the plan has changed: %s", e.what())
	}
}

// TestStrangersTakeNoPlaces: clients without a key that hold on to the sockets
// on which they are refused take none of the node's connections.
func TestStrangersTakeNoPlaces(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--limits-connections", "3")
	k := s.key(t, "pro")
	for n := range 50 {
		path := "/v1/twitter/stream"
		if n%2 == 1 {
			path = twitterPath + "bw_aaaaaaaaaa_" + fmt.Sprintf("%043d", n)
		}
		if n%3 == 2 {
			path = "/sdk" + path
		}
		s.handshake(t, path) // upgraded and told why, or over HTTP; held either way
	}
	for range 3 {
		s.dial(t, kitePath+k.Key).expect(kiteConnected)
	}
	if r := s.refused(t, kitePath+k.Key, http.StatusServiceUnavailable); r.header.Get("Retry-After") == "" {
		t.Error("a full node says 503 without Retry-After")
	}
}

// TestTheLastCreditsGoToWhoNeedsThem: connections that hold credits and get no
// events give them back to one that does.
func TestTheLastCreditsGoToWhoNeedsThem(t *testing.T) {
	t.Parallel()
	s := start(t, "", withPlan(t, "  tiny:\n    credits: 100\n    newsrank_connections: 4\n"))
	pusher, k := s.pusher(t), s.key(t, "tiny")
	subscribed := func(category string) *socket {
		c := s.dial(t, newsrankPath+k.Key)
		c.send(newsrankSubscribe(`{"categories":["` + category + `"]}`))
		c.expect(newsrankSubscribed)
		return c
	}
	for i := range 3 { // each has one event, and holds what it was lent for more
		category := fmt.Sprint("idle", i)
		c := subscribed(category)
		s.push(t, client.Articles, pusher, article("of "+category, category))
		c.event()
	}
	busy := subscribed("busy")
	for n := range 110 - 3 {
		s.push(t, client.Articles, pusher, article(fmt.Sprint(n), "busy"))
		if e := busy.event(); e.Data.Title != fmt.Sprint(n) {
			t.Fatalf("event %d is %s", n, e.what())
		}
	}
	s.push(t, client.Articles, pusher, article("one too many", "busy"))
	busy.read("error", nil)
	busy.closed(4402)
}

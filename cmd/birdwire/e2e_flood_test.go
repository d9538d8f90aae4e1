package main_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// refusals counts the answers that ask to come back later.
type refusals struct{ atomic.Int64 }

// RoundTrip makes one request.
func (r *refusals) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && (res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusServiceUnavailable) {
		if res.Header.Get("Retry-After") == "" {
			return nil, fmt.Errorf("%s without Retry-After", res.Status)
		}
		r.Add(1)
	}
	return res, err
}

// TestFlood: more is pushed at once than the server takes. It says so, the SDK
// comes back, and in the end every post has come once.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--log-level", "info")
	k := s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "marker")
	c := s.dial(t, twitterPath+k.Key)
	c.read("connected", nil)

	const pushers, each, nth = 16, 3000, 50 // one post of 50 is a marker
	var refused refusals
	var pushing sync.WaitGroup
	for p := range pushers {
		sdk, err := client.New(client.Config{URL: s.public, Key: s.pusher(t), HTTP: &http.Client{Transport: &refused}})
		if err != nil {
			t.Fatal(err)
		}
		var body strings.Builder
		for i := range each {
			body.WriteString(post(fmt.Sprintf("%d.%d", p, i), "ada", []string{"marker", "filler"}[min(i%nth, 1)]) + "\n")
		}
		pushing.Add(1)
		background(t, func(ctx context.Context) error {
			defer pushing.Done()
			sum, err := sdk.Publish(ctx, client.Posts, strings.NewReader(body.String()), nil)
			if err == nil && (sum.Accepted != each || sum.Duplicates != 0 || len(sum.Rejected) != 0) {
				err = fmt.Errorf("pushed %+v, want %d accepted", sum, each)
			}
			return err
		})
	}
	seen := map[string]bool{}
	for range pushers * each / nth {
		e := c.event()
		if seen[e.TweetID] {
			t.Fatalf("%s came twice", e.TweetID)
		}
		seen[e.TweetID] = true
	}
	pushing.Wait()
	s.push(t, client.Posts, s.pusher(t), post("last", "ada", "marker"))
	if e := c.event(); e.TweetID != "last" {
		t.Fatalf("then came %s", e.TweetID)
	}
	t.Logf("%d bodies were refused at first", refused.Load())
}

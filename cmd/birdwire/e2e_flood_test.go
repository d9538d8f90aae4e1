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

// window is how far back the log knows that it holds an event.
const window = 131_072

// TestFlood: more is pushed at once than the server takes, and more in all than
// it can tell a repeat of. It says so, the SDK comes back for what was not taken,
// and in the end every post has come once: none is lost, none comes twice.
func TestFlood(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--log-level", "info")
	k := s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "from:ada")
	c := s.dial(t, twitterPath+k.Key+"&resume=new")
	c.read("connected", nil)
	from := c.begins()
	c.leave()

	const pushers, each = 64, (window + window/4) / 64
	var refused refusals
	var pushing sync.WaitGroup
	for p := range pushers {
		sdk, err := client.New(client.Config{URL: s.public, Key: s.pusher(t), HTTP: &http.Client{Transport: &refused}})
		if err != nil {
			t.Fatal(err)
		}
		var body strings.Builder
		for i := range each {
			body.WriteString(post(fmt.Sprintf("%d.%d", p, i), "ada", "flood") + "\n")
		}
		pushing.Add(1)
		background(t, func(ctx context.Context) error {
			defer pushing.Done()
			sum, err := sdk.Publish(ctx, client.Posts, strings.NewReader(body.String()), client.PublishOptions{})
			if err == nil && (sum.Accepted != each || sum.Duplicates != 0 || len(sum.Rejected) != 0) {
				err = fmt.Errorf("pushed %+v, want %d accepted", sum, each)
			}
			return err
		})
	}
	pushing.Wait()
	// Read at the reader's own pace: all of it live would be too much for one socket.
	c = s.dial(t, twitterPath+k.Key+"&resume="+from)
	c.read("connected", nil)
	var next [pushers]int // the posts of one pusher come in their order
	for range pushers * each {
		e := c.event()
		var p, i int
		if _, err := fmt.Sscanf(e.TweetID, "%d.%d", &p, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[p] {
			t.Fatalf("of pusher %d post %d came where %d was next", p, i, next[p])
		}
		next[p]++
	}
	s.push(t, client.Posts, s.pusher(t), post("last", "ada", "flood"))
	if e := c.event(); e.TweetID != "last" {
		t.Fatalf("then came %s", e.TweetID)
	}
	t.Logf("%d bodies were refused at first", refused.Load())
}

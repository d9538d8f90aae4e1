package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestStopDuringPushes: a server that is told to end while bodies are on their way
// says of each what it took. Sent again from there, to the next one, every post
// is in the log once.
func TestStopDuringPushes(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "from:ada")
	c := s.dial(t, twitterPath+k.Key+"&resume=new")
	c.read("connected", nil)
	from := c.begins()

	const pushers, each, sent = 4, 3000, 2000 // lines
	var lines [pushers][]string
	for p := range pushers {
		for i := range each {
			lines[p] = append(lines[p], post(fmt.Sprintf("%d.%d", p, i), "ada", "on its way"))
		}
	}
	type ending struct {
		p      int
		status int
		done   client.Pushed
	}
	ends := make(chan ending, pushers)
	for p := range pushers {
		read, write := io.Pipe()
		t.Cleanup(func() { _ = write.Close() })
		req, err := http.NewRequestWithContext(within(t), http.MethodPost, "http://"+s.public+"/v1/ingest/posts", read)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Api-Key", s.pusher(t))
		background(t, func(context.Context) error { // the last line never comes to its end
			_, _ = io.WriteString(write, strings.Join(lines[p][:sent], "\n")+"\n"+lines[p][sent][:20])
			return nil
		})
		background(t, func(context.Context) error {
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				ends <- ending{p: p}
				return err
			}
			defer res.Body.Close()
			end := ending{p: p, status: res.StatusCode}
			err = json.NewDecoder(res.Body).Decode(&end.done)
			ends <- end
			return err
		})
	}
	c.event() // something is taken
	c.leave()
	s.stop()
	for range pushers {
		e := <-ends
		if e.status != http.StatusServiceUnavailable || e.done.Next < 1 || e.done.Next > sent+1 || e.done.Accepted != e.done.Next-1 {
			t.Errorf("pusher %d: %d, %+v; want 503, with what was taken", e.p, e.status, e.done)
			continue
		}
		lines[e.p] = lines[e.p][e.done.Next-1:]
	}

	s = start(t, s.dir)
	pusher := s.owner(t, &client.MintedKey{Key: s.pusher(t)})
	for p := range pushers {
		done, err := pusher.Publish(within(t), client.Posts, strings.NewReader(strings.Join(lines[p], "\n")), client.PublishOptions{})
		if err != nil || done.Accepted != len(lines[p]) || done.Duplicates != 0 {
			t.Errorf("the rest of pusher %d, %d lines: %+v, %v", p, len(lines[p]), done, err)
		}
	}
	c = s.dial(t, twitterPath+k.Key+"&resume="+from)
	c.read("connected", nil)
	var next [pushers]int
	for range pushers * each {
		var p, i int
		if _, err := fmt.Sscanf(c.event().TweetID, "%d.%d", &p, &i); err != nil || i != next[p] {
			t.Fatalf("of pusher %d post %d came where %d was next", p, i, next[p])
		}
		next[p]++
	}
}

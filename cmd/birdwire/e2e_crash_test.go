package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// recording reads a connection to its end, beside the test.
type recording struct {
	events []*event
	seen   chan int // how many there are, the newest figure only
	over   chan struct{}
}

func record(t testing.TB, c *socket) *recording {
	r := &recording{seen: make(chan int, 1), over: make(chan struct{})}
	ctx := within(t)
	go func() { // ends with the connection
		defer close(r.over)
		for {
			_, frame, err := c.conn.Read(ctx)
			e := new(event)
			if err != nil || json.Unmarshal(frame, e) != nil {
				return
			}
			if e.TweetID == "" && e.Item.Title == "" && e.Data.Title == "" {
				continue
			}
			r.events = append(r.events, e)
			select {
			case <-r.seen:
			default:
			}
			r.seen <- len(r.events)
		}
	}()
	return r
}

// await waits until n events are there, or fails with the connection's end.
func (r *recording) await(t testing.TB, n int) {
	t.Helper()
	for {
		select {
		case have := <-r.seen:
			if have >= n {
				return
			}
		case <-r.over:
			t.Fatalf("the connection ended after %d events, want %d", len(r.events), n)
		}
	}
}

// end is all that came, once the connection has ended.
func (r *recording) end() []*event {
	<-r.over
	return r.events
}

// batches pushes numbered batches one after the other until one fails, and
// tells how many were answered.
func batches(t testing.TB, s *server, kind client.Kind, key string, batch func(n int) []string) (answered chan int) {
	answered = make(chan int, 1)
	background(t, func(ctx context.Context) error {
		n := 0
		defer func() { answered <- n }()
		for ; ; n++ {
			if _, err := s.tryPush(ctx, kind, key, batch(n)...); err != nil {
				return nil // the server was killed
			}
		}
	})
	return answered
}

// crash pushes to the server, kills it once the live client has had so many
// events, starts another on the same folder, pushes the batch that was not
// answered again, as a client does, and returns the new server.
func crash(t *testing.T, s *server, kind client.Kind, key string, live *recording, events int, batch func(n int) []string) (_ *server, pushed int) {
	t.Helper()
	answered := batches(t, s, kind, key, batch)
	live.await(t, events)
	s.kill()
	n := <-answered
	s = start(t, s.dir)
	done, err := s.tryPush(within(t), kind, key, batch(n)...)
	if err != nil || done.Accepted+done.Duplicates != len(batch(n)) {
		t.Fatalf("push the last batch again: %+v, %v", done, err)
	}
	return s, n + 1
}

// checkOnce holds what a replay brought against what was pushed, and against
// what was seen live, of which it is the continuation.
func checkOnce(t *testing.T, replayed, live []*event, want []string) {
	t.Helper()
	var got []string
	for _, e := range replayed {
		got = append(got, e.what())
	}
	if len(got) < len(live) {
		t.Fatalf("replayed %d events, less than the %d seen live", len(got), len(live))
	}
	for i, e := range live {
		if got[i] != e.what() || replayed[i].Cursor != e.Cursor {
			t.Fatalf("event %d is %s at %s, seen live was %s at %s", i, got[i], replayed[i].Cursor, e.what(), e.Cursor)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("replayed %d events, want %d, each once; the first that differs: %s", len(got), len(want), firstOdd(got, want))
	}
}

// firstOdd is the first element of either sorted list that the other has not
// as often.
func firstOdd(got, want []string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got) || i < len(want) && want[i] < got[i]:
			return want[i] + " is missing"
		case i >= len(want) || got[i] < want[i]:
			return got[i] + " is too many"
		}
	}
	return "none"
}

// TestKilledWhilePostsArePushed: nothing that was accepted is lost, nothing
// comes twice, and the order stays what it was.
func TestKilledWhilePostsArePushed(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	owner := s.owner(t, k)
	monitor := makeMonitor(t, owner, "ada", "ada")
	rule := makeRule(t, owner, "numbers", "number")

	c := s.dial(t, twitterPath+k.Key+"&resume=new")
	c.read("connected", nil)
	s.push(t, client.Posts, pusher, post("first", "grace", "number zero"))
	begin := c.event().Cursor
	live := record(t, c)

	const each = 7
	batch := func(n int) (posts []string) {
		for i := range each {
			posts = append(posts, post(fmt.Sprintf("%d.%d", n, i), "ada", fmt.Sprintf("number %d of %d", i, n)))
		}
		return posts
	}
	s, pushed := crash(t, s, client.Posts, pusher, live, 150, batch)
	s.push(t, client.Posts, pusher, post("last", "grace", "number last"))

	var want []string
	for n := range pushed {
		for i := range each {
			id := fmt.Sprintf("%d.%d", n, i)
			want = append(want, id+" for "+monitor, id+" for "+rule)
		}
	}
	want = append(want, "last for "+rule)
	c = s.dial(t, twitterPath+k.Key+"&resume="+begin)
	c.read("connected", nil)
	all := c.until("last")
	checkOnce(t, all, live.end(), want)

	// A cut between the two frames of one post loses and repeats neither.
	cut := slices.IndexFunc(all, func(e *event) bool { return e.MonitorID != "" }) // its rule's frame is next
	if all[cut+1].TweetID != all[cut].TweetID {
		t.Fatalf("the frames of one post are not together: %s, %s", all[cut].what(), all[cut+1].what())
	}
	c = s.dial(t, twitterPath+k.Key+"&resume="+all[cut].Cursor)
	c.read("connected", nil)
	checkOnce(t, c.until("last"), all[cut+1:], whats(all[cut+1:]))
}

func whats(all []*event) (list []string) {
	for _, e := range all {
		list = append(list, e.what())
	}
	return list
}

// TestKilledWhileArticlesArePushed: the same for both news APIs, with filters.
func TestKilledWhileArticlesArePushed(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro").Key
	const filters = `{"categories":["a"]}`
	resume := "&filters=" + url.QueryEscape(filters) + "&resume="

	kite, newsrank := s.dial(t, kitePath+k+resume+"new"), s.dial(t, newsrankPath+k+resume+"new")
	kite.expect(kiteConnected)
	kite.expect(`{"type":"subscribed","filters":` + filters + `}`)
	newsrank.expect(newsrankSubscribed)
	s.push(t, client.Articles, pusher, article("first", "a"))
	beginKite, beginNewsrank := kite.event().Cursor, newsrank.event().Cursor
	if beginKite != beginNewsrank {
		t.Fatalf("one article is at %s and at %s", beginKite, beginNewsrank)
	}
	live, liveNewsrank := record(t, kite), record(t, newsrank)

	const each = 5
	batch := func(n int) (articles []string) {
		for i := range each {
			articles = append(articles, article(fmt.Sprintf("%d.%d", n, i), "a"), article(fmt.Sprintf("not %d.%d", n, i), "b"))
		}
		return articles
	}
	s, pushed := crash(t, s, client.Articles, pusher, live, 50, batch)
	s.push(t, client.Articles, pusher, article("last", "a"))
	var wantKite, wantNewsrank []string
	for n := range pushed {
		for i := range each {
			wantKite = append(wantKite, fmt.Sprintf("create %d.%d", n, i))
			wantNewsrank = append(wantNewsrank, fmt.Sprintf("item.new %d.%d", n, i))
		}
	}
	wantKite, wantNewsrank = append(wantKite, "create last"), append(wantNewsrank, "item.new last")

	kite, newsrank = s.dial(t, kitePath+k+resume+beginKite), s.dial(t, newsrankPath+k+resume+beginNewsrank)
	kite.expect(kiteConnected)
	kite.expect(`{"type":"subscribed","filters":` + filters + `}`)
	newsrank.expect(newsrankSubscribed)
	checkOnce(t, kite.until("last"), live.end(), wantKite)
	checkOnce(t, newsrank.until("last"), liveNewsrank.end(), wantNewsrank)
}

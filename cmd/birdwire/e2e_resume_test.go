package main_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestResumeOverARestart: each API's client comes back with its cursor, the
// news clients with their subscribe, and goes on with what came in between.
func TestResumeOverARestart(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	makeRule(t, s.owner(t, k), "all", "post")
	subscribe := newsrankSubscribe(`{"categories":["a"]}`)
	const answered = `{"type":"subscribed","filters":{"categories":["a"]}}`

	twitter, kite, newsrank := s.dial(t, twitterPath+k.Key+"&resume=new"), s.dial(t, kitePath+k.Key+"&resume=new"), s.dial(t, newsrankPath+k.Key+"&resume=new")
	twitter.read("connected", nil)
	twitter.begins()
	kite.expect(kiteConnected)
	kite.begins()
	kite.send(subscribe)
	kite.expect(answered)
	newsrank.send(subscribe)
	newsrank.expect(newsrankSubscribed)
	newsrank.begins()
	s.push(t, client.Posts, pusher, post("1", "ada", "a post"))
	s.push(t, client.Articles, pusher, article("one", "a"))
	atTwitter, atKite, atNewsrank := twitter.event().Cursor, kite.event().Cursor, newsrank.event().Cursor
	s.push(t, client.Posts, pusher, post("2", "ada", "a post"), post("3", "ada", "a post"))
	s.push(t, client.Articles, pusher, article("two", "a"), article("other", "b"), article("three", "a"))
	for _, c := range []*socket{twitter, kite, newsrank} {
		_ = c.conn.CloseNow() // without a word, and with frames unread
	}
	s.stop()

	s = start(t, s.dir)
	s.push(t, client.Posts, pusher, post("4", "ada", "a post"))
	s.push(t, client.Articles, pusher, article("four", "a"))
	twitter, kite, newsrank = s.dial(t, twitterPath+k.Key+"&resume="+atTwitter), s.dial(t, kitePath+k.Key+"&resume="+atKite), s.dial(t, newsrankPath+k.Key+"&resume="+atNewsrank)
	twitter.read("connected", nil)
	kite.expect(kiteConnected)
	kite.send(subscribe) // from here on: without it everything would come
	kite.expect(answered)
	newsrank.send(subscribe)
	newsrank.expect(newsrankSubscribed)
	s.push(t, client.Posts, pusher, post("5", "ada", "a post"))
	s.push(t, client.Articles, pusher, article("five", "a"))
	for _, want := range []struct {
		c    *socket
		last string
		all  string
	}{
		{twitter, "5", "2 3 4 5"},
		{kite, "five", "two three four five"},
		{newsrank, "five", "two three four five"},
	} {
		var got []string
		for _, e := range want.c.until(want.last) {
			got = append(got, e.TweetID+e.Item.Title+e.Data.Title)
		}
		if strings.Join(got, " ") != want.all {
			t.Errorf("resumed with %v, want %s", got, want.all)
		}
	}
}

// TestResumeWithoutASubscribe: a kite client that says nothing gets everything
// after its cursor.
func TestResumeWithoutASubscribe(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro").Key
	c := s.dial(t, kitePath+k+"&resume=new")
	c.expect(kiteConnected)
	c.begins()
	c.send(`{"type":"unsubscribe"}`)
	c.expect(subscribedAll)
	s.push(t, client.Articles, pusher, article("one", "a"), article("two", "b"), article("three", "c"))
	cursor := c.event().Cursor
	c = s.dial(t, kitePath+k+"&resume="+cursor)
	c.expect(kiteConnected)
	if got := whats(c.until("three")); fmt.Sprint(got) != "[create two create three]" {
		t.Fatalf("resumed with %v", got)
	}
}

// TestAPlaceBeforeTheFirstEvent: a client that asks for cursors and stops
// before anything matched goes on from where it began.
func TestAPlaceBeforeTheFirstEvent(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "pro")
	makeRule(t, s.owner(t, k), "all", "post")
	subscribe := newsrankSubscribe(`{"categories":["a"]}`)
	twitter, kite, newsrank := s.dial(t, twitterPath+k.Key+"&resume=new"), s.dial(t, kitePath+k.Key+"&resume=new"), s.dial(t, newsrankPath+k.Key+"&resume=new")
	twitter.read("connected", nil)
	kite.expect(kiteConnected)
	newsrank.send(subscribe)
	newsrank.expect(newsrankSubscribed)
	var at []string
	for _, c := range []*socket{twitter, kite, newsrank} {
		at = append(at, c.begins())
		_ = c.conn.CloseNow()
	}
	s.push(t, client.Posts, pusher, post("1", "ada", "a post"))
	s.push(t, client.Articles, pusher, article("one", "a"))
	twitter, kite, newsrank = s.dial(t, twitterPath+k.Key+"&resume="+at[0]), s.dial(t, kitePath+k.Key+"&resume="+at[1]), s.dial(t, newsrankPath+k.Key+"&resume="+at[2])
	twitter.read("connected", nil)
	kite.expect(kiteConnected)
	newsrank.send(subscribe)
	newsrank.expect(newsrankSubscribed)
	if a, b, c := twitter.event(), kite.event(), newsrank.event(); a.TweetID != "1" || b.Item.Title != "one" || c.Data.Title != "one" {
		t.Fatalf("then came %s, %s and %s", a.what(), b.what(), c.what())
	}
}

var firstHeld = regexp.MustCompile(`the first position still held is (\d+)`)

// TestCursorsThatCannotBeServed: malformed ones are refused; those of another
// history or beyond what is kept are answered, and live events follow.
func TestCursorsThatCannotBeServed(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--retention-bytes", "16MiB")
	pusher, k := s.pusher(t), s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "post")
	for _, malformed := range []string{"", "x", "abc-1", "abc-01.0", "abc-1.-1", "-1.0", "abc-1.0.0", "abc-99999999999999999999.0"} {
		for _, path := range []string{twitterPath, newsrankPath, kitePath} {
			s.refused(t, path+k.Key+"&resume="+malformed, http.StatusBadRequest)
		}
	}

	c := s.dial(t, twitterPath+k.Key+"&resume=new")
	c.read("connected", nil)
	c.begins()
	s.push(t, client.Posts, pusher, post("first", "ada", "a post"))
	cursor := c.event().Cursor
	epoch, place, _ := strings.Cut(cursor, "-")
	check := func(name, cursor, want string) {
		t.Helper()
		c := s.dial(t, twitterPath+k.Key+"&resume="+cursor)
		c.read("connected", nil)
		var e struct{ Message string }
		c.read("error", &e)
		if !strings.Contains(e.Message, want) || !firstHeld.MatchString(e.Message) {
			t.Fatalf("%s: %q; want that it %s, and the first position still held", name, e.Message, want)
		}
		c.begins()
		id := "after-one-" + name
		s.push(t, client.Posts, pusher, post(id, "ada", "a post"))
		if e := c.event(); e.TweetID != id {
			t.Fatalf("%s: then came %s, want what is pushed now", name, e.TweetID)
		}
		c.leave()
	}
	check("foreign", "otherepoch-"+place, "is of another history")
	check("in-the-future", epoch+"-99999999999.0", "lies beyond the end")

	// What fills the log matches nothing; the oldest frames go.
	long := strings.Repeat("filler ", 3500)
	for n := range 16 {
		var bodies []string
		for i := range 60 {
			bodies = append(bodies, post(fmt.Sprintf("filler-%d.%d", n, i), "grace", long))
		}
		s.push(t, client.Posts, pusher, bodies...)
	}
	check("trimmed", cursor, "older than what is kept")

	// The news APIs say it in their own way, once they know what is asked for.
	kite, newsrank := s.dial(t, kitePath+k.Key+"&resume=other-1.0"), s.dial(t, newsrankPath+k.Key+"&resume="+cursor)
	kite.expect(kiteConnected)
	kite.read("error", nil)
	kite.begins()
	newsrank.send(newsrankSubscribe("{}"))
	newsrank.expect(newsrankSubscribed)
	newsrank.read("error", nil)
	newsrank.begins()
	kite.send(`{"type":"unsubscribe"}`)
	kite.expect(subscribedAll)
	s.push(t, client.Articles, pusher, article("now", "a"))
	if a, b := kite.event(), newsrank.event(); a.Item.Title != "now" || b.Data.Title != "now" || a.Cursor != b.Cursor || a.Cursor == "" {
		t.Fatalf("then came %+v and %+v", a, b)
	}
}

// TestResumeWhileEventsFlow: clients that come back in the middle of a stream
// get what they missed and what is new as one, without gap or repeat.
func TestResumeWhileEventsFlow(t *testing.T) {
	t.Parallel()
	s := start(t, "", "--limits-queue", "64MiB") // the test's own reading is not the question
	var keys []*client.MintedKey
	for range 4 { // of which each may have five connections
		keys = append(keys, s.key(t, "business"))
		makeRule(t, s.owner(t, keys[len(keys)-1]), "odd", "odd")
		makeRule(t, s.owner(t, keys[len(keys)-1]), "all", "post")
	}
	pusher := s.pusher(t)
	resumed := func(k *client.MintedKey, cursor string) *socket {
		c := s.dial(t, twitterPath+k.Key+"&resume="+cursor)
		c.read("connected", nil)
		return c
	}
	live := resumed(keys[0], "new")
	live.begins()

	stop := make(chan struct{})
	var pushing sync.WaitGroup
	push := func(ctx context.Context, p int) error {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return nil
			default:
			}
			var posts []string
			for i := range 5 {
				posts = append(posts, post(fmt.Sprintf("%d.%d.%d", p, n, i), "ada", []string{"odd post", "post"}[i%2]))
			}
			if _, err := s.tryPush(ctx, client.Posts, pusher, posts...); err != nil {
				return err
			}
		}
	}
	for p := range 2 {
		pushing.Add(1)
		background(t, func(ctx context.Context) error { defer pushing.Done(); return push(ctx, p) })
	}
	var seen []*event
	var from []int // where each client goes on: after seen[from]
	var clients []*listener
	for len(clients) < 19 {
		for range 50 {
			seen = append(seen, live.event())
		}
		at := (len(clients) * 7919) % len(seen)
		from = append(from, at)
		clients = append(clients, listen(t, resumed(keys[(len(clients)+1)%4], seen[at].Cursor)))
	}
	close(stop)
	pushing.Wait()
	s.push(t, client.Posts, pusher, post("last", "grace", "a post"))
	seen = append(seen, live.until("last")...)
	for i, c := range clients {
		<-c.over
		want := seen[from[i]+1:]
		if len(c.events) != len(want) {
			t.Fatalf("client %d got %d events, want %d", i, len(c.events), len(want))
		}
		for n, e := range c.events {
			// Another key's rules have other ids; positions and numbers are the same.
			if e.TweetID != want[n].TweetID || e.RuleTag != want[n].RuleTag || e.Cursor != want[n].Cursor {
				t.Fatalf("client %d, event %d: %s at %s, want %s at %s", i, n, e.what(), e.Cursor, want[n].what(), want[n].Cursor)
			}
		}
	}
}

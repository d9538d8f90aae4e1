package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// crashes is a server under load that is ended again and again, and what those
// who push and those who listen know.
type crashes struct {
	*server
	t     *testing.T
	kind  client.Kind
	key   string // of those who push
	batch func(pusher, n int) []string
	next  [3]int // of each pusher: its first batch that was not answered
}

// crashesOfPosts pushes the posts of postIDs, by ada.
func crashesOfPosts(t *testing.T, s *server) *crashes {
	return &crashes{server: s, t: t, kind: client.Posts, key: s.pusher(t), batch: func(p, n int) (posts []string) {
		for _, id := range postIDs(p, n) {
			posts = append(posts, post(id, "ada", "number "+id))
		}
		return posts
	}}
}

// postIDs are those of a pusher's nth batch.
func postIDs(p, n int) (list []string) {
	for i := range 7 {
		list = append(list, fmt.Sprintf("%d.%d.%d", p, n, i))
	}
	return list
}

// endWhile pushes until the listeners have had so many events more, ends the
// server, starts another on the same folder, and pushes again what was not
// answered, as clients do.
func (c *crashes) endWhile(events int, end func(*server), listeners ...*listener) {
	c.t.Helper()
	s := c.server
	ended := make(chan struct{}, len(c.next))
	for p := range c.next {
		background(c.t, func(ctx context.Context) error {
			defer func() { ended <- struct{}{} }()
			for {
				if _, err := s.tryPush(ctx, c.kind, c.key, c.batch(p, c.next[p])...); err != nil {
					return nil // the server has ended
				}
				c.next[p]++
			}
		})
	}
	for _, l := range listeners {
		l.await(c.t, events)
	}
	end(s)
	for range c.next {
		<-ended
	}
	for _, l := range listeners {
		<-l.over
	}
	c.server = start(c.t, s.dir)
	for p := range c.next {
		events := c.batch(p, c.next[p])
		done, err := c.tryPush(within(c.t), c.kind, c.key, events...)
		if err != nil || done.Accepted+done.Duplicates != len(events) {
			c.t.Fatalf("push again what was not answered: %+v, %v", done, err)
		}
		c.next[p]++
	}
}

func kill(s *server) { s.kill() }

// pushed is every event, by what of a batch's.
func (c *crashes) pushed(of func(pusher, n int) []string) (all []string) {
	for p, batches := range c.next {
		for n := range batches {
			all = append(all, of(p, n)...)
		}
	}
	return all
}

// listener reads a connection to its end, or to the post or article called
// last, while the test goes on.
type listener struct {
	events []*event      // to be looked at when it is over
	count  chan int      // how many there are: the newest figure
	over   chan struct{} // closed at the end
}

func listen(t testing.TB, c *socket) *listener {
	l := &listener{count: make(chan int, 1), over: make(chan struct{})}
	ctx := within(t)
	go func() { // ends with the connection
		defer close(l.over)
		for {
			_, frame, err := c.conn.Read(ctx)
			e := new(event)
			if err != nil || json.Unmarshal(frame, e) != nil {
				return
			}
			l.events = append(l.events, e)
			select {
			case <-l.count:
			default:
			}
			l.count <- len(l.events)
			if e.TweetID == "last" || e.Item.Title == "last" {
				return
			}
		}
	}()
	return l
}

// await waits until n events are there; the connection must last so long.
func (l *listener) await(t testing.TB, n int) {
	t.Helper()
	for {
		select {
		case have := <-l.count:
			if have >= n {
				return
			}
		case <-l.over:
			t.Fatalf("the connection ended after %d events, want %d", len(l.events), n)
		}
	}
}

// checkOnce holds what was replayed against what was pushed, and, in order,
// against what was seen live before.
func checkOnce(t *testing.T, replayed, live []*event, want []string) {
	t.Helper()
	got := whats(replayed)
	if len(got) < len(live) {
		t.Fatalf("replayed %d events, less than the %d seen live", len(got), len(live))
	}
	for i, e := range live {
		if got[i] != e.what() || replayed[i].Cursor != e.Cursor {
			t.Fatalf("event %d is %s at %s, seen live was %s at %s", i, got[i], replayed[i].Cursor, e.what(), e.Cursor)
		}
	}
	want = slices.Clone(want)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("replayed %d events, want %d, each once; the first that differs: %s", len(got), len(want), firstOdd(got, want))
	}
}

func whats(all []*event) (list []string) {
	for _, e := range all {
		list = append(list, e.what())
	}
	return list
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

// TestEndedWhilePostsArePushed: nothing that was accepted is lost, nothing
// comes twice, and the order stays what it was, whether a client follows with
// its cursor through every end or asks for all of it at the end.
func TestEndedWhilePostsArePushed(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business")
	monitor := makeMonitor(t, s.owner(t, k), "ada", "ada")
	rule := makeRule(t, s.owner(t, k), "numbers", "number")
	resumed := func(s *server, cursor string) *socket {
		c := s.dial(t, twitterPath+k.Key+"&resume="+cursor)
		c.read("connected", nil)
		return c
	}
	c := crashesOfPosts(t, s)
	socket := resumed(s, "new")
	socket.begins()
	s.push(t, client.Posts, c.key, post("first", "grace", "number zero"))
	begin := socket.event().Cursor

	var live []*event
	// A power cut, an orderly end, a power cut: no client can tell them apart.
	for _, end := range []func(*server){kill, (*server).stop, kill} {
		l := listen(t, socket)
		c.endWhile(600, end, l)
		live = append(live, l.events...)
		socket = resumed(c.server, live[len(live)-1].Cursor)
	}
	late := makeRule(t, c.owner(t, k), "late", "number")
	c.push(t, client.Posts, c.key, post("last", "grace", "number last"))
	live = append(live, socket.until("last")...)
	if e := socket.event(); e.what() != "last for "+late {
		t.Fatalf("then came %s", e.what())
	}

	want := []string{"last for " + rule}
	for _, id := range c.pushed(postIDs) {
		want = append(want, id+" for "+monitor, id+" for "+rule)
	}
	socket = resumed(c.server, begin)
	all := socket.until("last")
	checkOnce(t, all, live, want)
	// The rule of now has not matched the past; its number is its own.
	if e := socket.event(); e.what() != "last for "+late || e.Cursor == all[len(all)-1].Cursor {
		t.Fatalf("then came %s at %s", e.what(), e.Cursor)
	}

	// A cut between the two frames of one post loses and repeats neither.
	cut := slices.IndexFunc(all, func(e *event) bool { return e.MonitorID != "" }) // its rule's frame is next
	if all[cut+1].TweetID != all[cut].TweetID {
		t.Fatalf("the frames of one post are not together: %s, %s", all[cut].what(), all[cut+1].what())
	}
	rest := all[cut+1:]
	checkOnce(t, resumed(c.server, all[cut].Cursor).until("last"), rest, whats(rest))
}

// TestKilledWhileArticlesArePushed: the same for both news APIs, with filters.
func TestKilledWhileArticlesArePushed(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business").Key
	const filters = `{"categories":["a"]}`
	resumed := func(s *server, cursor string) (kite, newsrank *socket) {
		query := "&resume=" + cursor + "&filters="
		kite = s.dial(t, kitePath+k+query+url.QueryEscape(filters))
		newsrank = s.dial(t, newsrankPath+k+query+url.QueryEscape(`{"topics":["articles"],"categories":["a"]}`)) // the articles alone, as kite has them
		kite.expect(kiteConnected)
		kite.expect(`{"type":"subscribed","filters":` + filters + `}`)
		newsrank.expect(newsrankSubscribed)
		return kite, newsrank
	}
	titles := func(p, n int) (list []string) {
		for i := range 5 {
			list = append(list, fmt.Sprintf("%d.%d.%d", p, n, i))
		}
		return list
	}
	c := &crashes{server: s, t: t, kind: client.Articles, key: s.pusher(t), batch: func(p, n int) (articles []string) {
		for _, title := range titles(p, n) {
			articles = append(articles, article(title, "a"), article("not "+title, "b"))
		}
		return articles
	}}
	kite, newsrank := resumed(s, "new")
	kite.begins()
	newsrank.begins()
	s.push(t, client.Articles, c.key, article("first", "a"))
	begin := kite.event().Cursor
	if other := newsrank.event().Cursor; other != begin {
		t.Fatalf("one article is at %s and at %s", begin, other)
	}

	var live, liveNewsrank []*event
	for range 2 {
		one, other := listen(t, kite), listen(t, newsrank)
		c.endWhile(150, kill, one, other)
		live, liveNewsrank = append(live, one.events...), append(liveNewsrank, other.events...)
		kite, _ = resumed(c.server, live[len(live)-1].Cursor)
		_, newsrank = resumed(c.server, liveNewsrank[len(liveNewsrank)-1].Cursor)
	}
	c.push(t, client.Articles, c.key, article("last", "a"))
	live, liveNewsrank = append(live, kite.until("last")...), append(liveNewsrank, newsrank.until("last")...)

	kite, newsrank = resumed(c.server, begin)
	all := append(c.pushed(titles), "last")
	checkOnce(t, kite.until("last"), live, strings.Split("create "+strings.Join(all, "\ncreate "), "\n"))
	checkOnce(t, newsrank.until("last"), liveNewsrank, strings.Split("item.new "+strings.Join(all, "\nitem.new "), "\n"))
}

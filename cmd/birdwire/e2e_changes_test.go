package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
)

// hits is what a key's connection was sent: who was told of which post.
type hits struct {
	mu   sync.Mutex
	seen map[string]bool // "post for rule"
	news chan struct{}   // closed with the next frame, and made again
}

// listenFor collects what comes over the connection until the test ends.
func listenFor(t *testing.T, c *socket) *hits {
	h := &hits{seen: map[string]bool{}, news: make(chan struct{})}
	background(t, func(ctx context.Context) error {
		for {
			_, frame, err := c.conn.Read(ctx)
			if err != nil {
				if ctx.Err() != nil || errors.As(err, new(websocket.CloseError)) {
					return nil
				}
				return err
			}
			var e event
			if err := json.Unmarshal(frame, &e); err != nil {
				return fmt.Errorf("frame %s: %w", frame, err)
			}
			h.mu.Lock()
			h.seen[e.what()] = true
			close(h.news)
			h.news = make(chan struct{})
			h.mu.Unlock()
		}
	})
	return h
}

func (h *hits) has(post, of string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[post+" for "+of]
}

// await waits until the frame has come, and says whether it has.
func (h *hits) await(ctx context.Context, post, of string) bool {
	for {
		h.mu.Lock()
		there, news := h.seen[post+" for "+of], h.news
		h.mu.Unlock()
		if there {
			return true
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// TestEveryChangeUnderLoadIsInForce makes hundreds of changes of rules and
// monitors while posts flow that all of them match, several at once, and asks
// after each: what is pushed now, does it match? and what was pushed while the
// rule was paused or deleted, did it not?
func TestEveryChangeUnderLoadIsInForce(t *testing.T) {
	t.Parallel()
	const workers, rounds = 6, 8 // of five changes each
	s := start(t, "", "--limits-queue", "64MiB")
	pusher, k := s.pusher(t), s.key(t, "business")
	owner := s.owner(t, k)
	c := s.dial(t, twitterPath+k.Key)
	c.conn.SetReadLimit(1 << 20)
	c.read("connected", nil)
	seen := listenFor(t, c)

	for p := range 2 {
		background(t, func(ctx context.Context) error {
			for n := 0; ctx.Err() == nil; n++ {
				var load []string
				for i := range 3 {
					load = append(load, post(fmt.Sprintf("load-%d.%d.%d", p, n, i), fmt.Sprint("user", i), "hot news"))
				}
				if _, err := s.tryPush(ctx, client.Posts, pusher, load...); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}

	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			person := &changer{t: t, s: s, owner: owner, pusher: pusher, seen: seen, name: fmt.Sprint("w", w), monitor: w%3 == 2}
			for range rounds {
				person.round()
			}
		})
	}
	work.Wait()
}

// changer is one who changes a rule, or a monitor, again and again.
type changer struct {
	t       *testing.T
	s       *server
	owner   *client.Client
	pusher  string
	seen    *hits
	name    string
	monitor bool
	n       int
	id      string
	asks    string // the word, or the user, that it asks for now
}

// round creates, changes, pauses, activates and deletes.
func (p *changer) round() {
	p.ask()
	p.create()
	p.matches("created")
	p.ask()
	p.change()
	p.matches("changed")
	p.set("paused")
	paused := p.push()
	p.set("active")
	p.matches("activated")
	p.not(paused, "paused")
	p.set("paused") // and at once active again
	p.set("active")
	p.matches("paused and activated")
	id := p.id
	p.delete()
	deleted := p.push()
	p.create() // under the same tag
	p.matches("made again")
	if p.seen.has(deleted, id) || p.seen.has(deleted, p.id) {
		p.t.Errorf("%s matched what was pushed after its end", id)
	}
	p.delete()
}

func (p *changer) ask() {
	p.n++
	p.asks = fmt.Sprintf("%sask%d", p.name, p.n)
}

func (p *changer) must(err error) {
	if err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
}

func (p *changer) create() {
	if p.monitor {
		m, err := p.owner.CreateMonitor(within(p.t), client.MonitorChange{Name: &p.name, Usernames: []string{p.asks, "user1"}})
		p.must(err)
		p.id = m.ID
		return
	}
	query := "hot OR " + p.asks
	r, err := p.owner.CreateRule(within(p.t), client.RuleChange{Tag: &p.name, Query: &query})
	p.must(err)
	p.id = r.ID
}

func (p *changer) change() {
	var err error
	if p.monitor {
		_, err = p.owner.UpdateMonitor(within(p.t), p.id, client.MonitorChange{Usernames: []string{"user2", p.asks}})
	} else {
		query := p.asks + " OR news"
		_, err = p.owner.UpdateRule(within(p.t), p.id, client.RuleChange{Query: &query})
	}
	p.must(err)
}

func (p *changer) set(status string) {
	var err error
	if p.monitor {
		_, err = p.owner.UpdateMonitor(within(p.t), p.id, client.MonitorChange{Status: &status})
	} else {
		_, err = p.owner.UpdateRule(within(p.t), p.id, client.RuleChange{Status: &status})
	}
	p.must(err)
}

func (p *changer) delete() {
	if p.monitor {
		p.must(p.owner.DeleteMonitor(within(p.t), p.id))
		return
	}
	p.must(p.owner.DeleteRule(within(p.t), p.id))
}

// push pushes one post that only this rule or monitor asks for.
func (p *changer) push() (id string) {
	p.n++
	id = fmt.Sprintf("%s-%d", p.name, p.n)
	body := post(id, "nobody", p.asks)
	if p.monitor {
		body = post(id, p.asks, "nothing")
	}
	_, err := p.s.tryPush(within(p.t), client.Posts, p.pusher, body)
	p.must(err)
	return id
}

func (p *changer) matches(after string) {
	if id := p.push(); !p.seen.await(within(p.t), id, p.id) {
		p.t.Errorf("%s matches nothing after it was %s", p.id, after)
	}
}

func (p *changer) not(id, while string) {
	if p.seen.has(id, p.id) {
		p.t.Errorf("%s matched what was pushed while it was %s", p.id, while)
	}
}

// TestResumeGetsWhatAStayerGot: rules and monitors are changed in every way
// while one client is away and another stays. The one that comes back, before
// or after a restart of the server, is sent the very frames that the other was.
func TestResumeGetsWhatAStayerGot(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	pusher, k := s.pusher(t), s.key(t, "business")
	owner := s.owner(t, k)
	var rules []string
	for _, name := range []string{"steady", "changed", "renamed", "paused", "activated", "deleted", "twice"} {
		rules = append(rules, makeRule(t, owner, name, "news"))
	}
	monitor, gone := makeMonitor(t, owner, "watched", "ada"), makeMonitor(t, owner, "gone", "ada")
	ptr := func(s string) *string { return &s }
	rule := func(i int, change client.RuleChange) {
		t.Helper()
		if _, err := owner.UpdateRule(within(t), rules[i], change); err != nil {
			t.Fatal(err)
		}
	}
	rule(4, client.RuleChange{Status: ptr("paused")})

	stays, leaves := s.dial(t, twitterPath+k.Key+"&resume=new"), s.dial(t, twitterPath+k.Key+"&resume=new")
	stays.read("connected", nil)
	stays.begins()
	leaves.read("connected", nil)
	leaves.begins()
	s.push(t, client.Posts, pusher, post("before", "ada", "news"))
	var cursor string
	for range 8 { // six rules and two monitors
		cursor = leaves.event().Cursor
	}
	leaves.leave()

	n := 0
	flow := func() {
		t.Helper()
		n++
		s.push(t, client.Posts, pusher, post(fmt.Sprint("p", n), "ada", "news"), post(fmt.Sprint("q", n), "grace", "other news"))
	}
	flow()
	rule(1, client.RuleChange{Query: ptr("other")})
	flow()
	rule(2, client.RuleChange{Tag: ptr("renamed-since")})
	flow()
	rule(3, client.RuleChange{Status: ptr("paused")})
	flow()
	rule(4, client.RuleChange{Status: ptr("active")})
	flow()
	if err := owner.DeleteRule(within(t), rules[5]); err != nil {
		t.Fatal(err)
	}
	flow()
	for _, status := range []string{"paused", "active", "paused", "active"} {
		rule(6, client.RuleChange{Status: &status})
		flow()
	}
	if _, err := owner.UpdateMonitor(within(t), monitor, client.MonitorChange{Name: ptr("watched-since"), Usernames: []string{"grace"}}); err != nil {
		t.Fatal(err)
	}
	flow()
	if err := owner.DeleteMonitor(within(t), gone); err != nil {
		t.Fatal(err)
	}
	makeRule(t, owner, "deleted", "other") // the tag is free again
	flow()
	s.push(t, client.Posts, pusher, post("end", "nobody", "news"))
	ends := map[string]bool{"steady": true, "renamed-since": true, "activated": true, "twice": true}

	// frames are those up to the last rule's of the last post.
	frames := func(c *socket) (all []string) {
		t.Helper()
		for left := len(ends); left > 0; {
			raw := c.next()
			var e event
			if err := json.Unmarshal([]byte(raw), &e); err != nil {
				t.Fatal(err)
			}
			all = append(all, raw)
			if e.TweetID == "end" {
				if !ends[e.RuleTag] {
					t.Fatalf("the last post goes to %q", e.RuleTag)
				}
				left--
			}
		}
		return all
	}
	read := frames(stays)
	want := read[8:] // after what both had
	if len(want) < 80 {
		t.Fatalf("the client that stayed got %d frames", len(want))
	}
	compare := func(what string) {
		t.Helper()
		back := s.dial(t, twitterPath+k.Key+"&resume="+cursor)
		back.read("connected", nil)
		got := frames(back)
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Fatalf("%s: %d frames, and %d to one that stayed; the first that differs:\n%s\n%s", what, len(got), len(want),
					slices.Concat(got, []string{"none"})[min(i, len(got))], slices.Concat(want, []string{"none"})[min(i, len(want))])
			}
		}
		back.leave()
	}
	compare("back")
	stays.leave()
	s.stop()
	s = start(t, s.dir)
	compare("back after a restart")
	s.kill()
	s = start(t, s.dir)
	compare("back after a crash")
}

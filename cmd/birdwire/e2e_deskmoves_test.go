package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
)

// burst is how many stories the log has just got when the newsdesk's node is killed:
// more than it can have told of.
const burst = 120

// TestStoriesGoOnElsewhere: articles come all the while, and the node that has the
// newsdesk is killed in the middle of telling of them. Another one goes on with it: every
// story is announced once and in its place, clients of the two nodes that are left get
// the same bytes, and so does the killed node's client, which comes back with its cursor.
func TestStoriesGoOnElsewhere(t *testing.T) {
	t.Parallel()
	nodes := together(t, members(t, 3))
	wantCluster(t, nodes[0], "a core, b core, c core")
	pusher, k := nodes[0].pusher(t), nodes[0].key(t, "pro").Key
	follow := func(s *server, resume string) *follower {
		f := &follower{t: t, cursor: resume, dial: func(cursor string) *socket {
			c := s.dial(t, newsrankPath+k+"&resume="+cursor)
			c.send(newsrankSubscribe(`{"topics":["stories"]}`))
			c.expect(newsrankSubscribed)
			return c
		}}
		f.socket = f.dial(resume)
		return f
	}
	had := withDesk(t, nodes)
	left := slices.DeleteFunc(slices.Clone(nodes), func(s *server) bool { return s == had })
	one, two, lost := follow(left[0], "new"), follow(left[1], "new"), follow(had, "new")
	for _, c := range []*follower{one, two, lost} {
		c.cursor = c.socket.begins()
	}

	enough, pushed := make(chan struct{}), make(chan int, 1)
	background(t, func(ctx context.Context) error {
		for n := 0; ; n++ {
			for at := n; ; at++ { // what a killed node had taken and not said is pushed again
				done, err := nodes[at%3].tryPush(ctx, client.Articles, pusher, reports(n)...)
				if err == nil && done.Accepted+done.Duplicates == 2 {
					break
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
			select {
			case <-enough:
				pushed <- n + 1
				return nil
			case <-time.After(50 * time.Millisecond):
			}
		}
	})

	var frames []string
	var announced []uint64
	read := func(c *follower, frames []string, creates int) []string {
		until := time.Now().Add(2 * patience) // frames that do not matter come on and on
		for n := 0; n < creates; {
			if time.Now().After(until) {
				t.Fatalf("%d stories were announced, want %d", n, creates)
			}
			raw := c.next()
			frames = append(frames, raw)
			if id := createOf(t, raw); id != 0 {
				n++
				if c == one {
					announced = append(announced, id)
				}
			}
		}
		return frames
	}
	frames = read(one, frames, 20)
	seen := read(lost, nil, 10)
	var many []string
	for n := range burst {
		many = append(many, reports(late+n)...)
	}
	left[0].push(t, client.Articles, pusher, many...)
	had.kill()
	withDesk(t, left)
	frames = read(one, frames, burst)
	close(enough)
	stories := <-pushed + burst
	frames = read(one, frames, stories-len(announced))

	same(t, "the other node's client", two, nil, frames)
	same(t, "the killed node's client, which came back", follow(left[1], lost.cursor), seen, frames)

	titles := map[uint64]string{}
	for path := "/v1/news/stories?limit=20"; path != ""; {
		var page struct {
			Stories []struct {
				ID           uint64
				Title        string
				ArticleCount int `json:"article_count"`
			}
			Next string `json:"next_cursor"`
		}
		a := left[0].call(t, http.MethodGet, path, k, "")
		if err := json.Unmarshal([]byte(a.want(t, http.StatusOK).body), &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Stories {
			if titles[s.ID] != "" || s.ArticleCount != 2 {
				t.Errorf("story %q is listed twice, or has %d articles, want 2", s.Title, s.ArticleCount)
			}
			titles[s.ID] = s.Title
		}
		path = ""
		if page.Next != "" {
			path = "/v1/news/stories?limit=20&cursor=" + page.Next
		}
	}
	if len(titles) != stories {
		t.Errorf("%d stories are listed, want %d", len(titles), stories)
	}
	next := map[bool]int{true: late} // of both series
	for _, id := range announced {
		in := strings.HasPrefix(titles[id], first(next[true]))
		if !in && !strings.HasPrefix(titles[id], first(next[false])) {
			t.Fatalf("announced is %q, want the story of %s or of %s", titles[id], first(next[true]), first(next[false]))
		}
		next[in]++
	}
}

// follower is a client that resumes where its node lets it go: one that is too slow to
// renew its lease does.
type follower struct {
	t      *testing.T
	dial   func(cursor string) *socket
	socket *socket
	cursor string // of the last frame that came
}

func (f *follower) next() string {
	f.t.Helper()
	for {
		_, frame, err := f.socket.conn.Read(within(f.t))
		if websocket.CloseStatus(err) == websocket.StatusServiceRestart {
			f.socket = f.dial(f.cursor)
			continue
		}
		var e struct{ Cursor string }
		if err == nil {
			err = json.Unmarshal(frame, &e)
		}
		if err != nil || e.Cursor == "" {
			f.t.Fatalf("waiting for a frame: %s %v", frame, err)
		}
		f.cursor = e.Cursor
		return string(frame)
	}
}

// same reads as many frames as there are, of which the client has had some.
func same(t *testing.T, who string, c *follower, had, want []string) {
	t.Helper()
	for n, frame := range want {
		got := ""
		if n < len(had) {
			got = had[n]
		} else {
			got = c.next()
		}
		if got != frame {
			t.Fatalf("%s got as frame %d\n%s, the first one\n%s", who, n, got, frame)
		}
	}
}

// createOf is the story that the frame announces, 0 where it announces none.
func createOf(t *testing.T, raw string) uint64 {
	t.Helper()
	var e struct {
		Type string
		Data json.RawMessage
	}
	var change struct {
		Action    string
		ClusterID uint64 `json:"cluster_id"`
	}
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	if e.Type != "cluster.event" {
		return 0
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || change.Action != "create" {
		t.Fatalf("%s: want no other action than create (%v)", raw, err)
	}
	return change.ClusterID
}

// withDesk is the node that has the newsdesk, once one has.
func withDesk(t *testing.T, nodes []*server) (at *server) {
	t.Helper()
	eventually(t, func() string {
		for _, s := range nodes {
			h, err := s.operator.Health(within(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range h.Checks {
				if c.Name == "newsdesk" && c.OK && c.Detail != "not on this node" {
					at = s
					return ""
				}
			}
		}
		return "no node has the newsdesk"
	})
	return at
}

// late is where the numbers of the burst begin.
const late = 10_000

// first is how all that is said of the event begins.
func first(n int) string { return strings.Fields(reportTitle(n, 0))[0] + " " }

// reports are what two outlets say of one event, in words that no other is told in.
func reports(n int) (both []string) {
	for i := range 2 {
		both = append(both, fmt.Sprintf(`{"id":"r%d-%d","url":"https://s%d.example/%d","title":%q,"category":"world","source":{"id":"s%d","name":"S%d"}}`,
			n, i, i, n, reportTitle(n, i), i, i))
	}
	return both
}

func reportTitle(n, outlet int) string {
	var words []string
	for _, k := range []int{0, 1, 2, 3 + outlet} {
		sum := sha256.Sum256(fmt.Append(nil, n, " ", k))
		word := []byte{'A' + sum[0]%26}
		for _, b := range sum[1:9] {
			word = append(word, 'a'+b%26)
		}
		words = append(words, string(word))
	}
	return strings.Join(words, " ")
}

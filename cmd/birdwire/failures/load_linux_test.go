package failures_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// load is what is pushed to the nodes: by one pusher a node, each its own events one
// batch after the other, until they are known to be accepted. A pusher whose node
// does not take them goes on at the next, with the same events.
type load struct {
	key   string
	nodes []*node

	mu     sync.Mutex // protects what follows
	pushed map[string]time.Time
	posts  [][]string // of each pusher, in order
	news   [][]string
	rounds int
	worst  string // the last error, for failures
	up     string // what was given up
}

const (
	every   = 50 * time.Millisecond // between two batches of a pusher
	perPush = 3
	// answered is how long a pusher waits for an answer, before it tries another node.
	answered = 5 * time.Second
)

// framesASecond is what a client of a key is handed: a frame for its rule, and for
// posts of ada one more for its monitor.
func (l *load) framesASecond() int {
	return len(l.nodes) * int(time.Second/every) * (2*perPush - 1)
}

func newLoad(key string, nodes []*node) *load {
	return &load{key: key, nodes: nodes, pushed: map[string]time.Time{}, posts: make([][]string, len(nodes)), news: make([][]string, len(nodes))}
}

// begin pushes until stop is called, which returns once all is accepted.
func (l *load) begin() (stop func()) {
	l.rounds++
	ctx, cancel := context.WithCancel(context.Background())
	var pushers sync.WaitGroup
	for p := range l.nodes {
		pushers.Go(func() { l.push(ctx, p) })
	}
	return func() {
		cancel()
		pushers.Wait()
	}
}

func (l *load) push(ctx context.Context, p int) {
	again := time.NewTicker(every)
	defer again.Stop()
	at := p
	for n := 0; ; n++ {
		var posts, ids []string
		for i := range perPush {
			id := fmt.Sprintf("%d.%d.%d.%d", l.rounds, p, n, i)
			author := "ada"
			if i == 0 {
				author = "grace"
			}
			ids, posts = append(ids, id), append(posts, post(id, author))
		}
		at = l.one(at, client.Posts, ids, posts, &l.posts[p])
		if n%4 == 0 {
			id := fmt.Sprintf("article %d.%d.%d", l.rounds, p, n)
			at = l.one(at, client.Articles, []string{id}, []string{article(id)}, &l.news[p])
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// one pushes until the events are accepted, and returns the node that took them.
func (l *load) one(at int, kind client.Kind, ids, events []string, to *[]string) int {
	l.mu.Lock()
	for _, id := range ids {
		l.pushed[id] = time.Now()
	}
	l.mu.Unlock()
	body := strings.Join(events, "\n")
	for late := time.Now().Add(2 * patience); ; {
		n := l.nodes[at]
		ctx, cancel := context.WithTimeout(context.Background(), answered)
		done, err := n.sdk(l.key).Push(ctx, kind, strings.NewReader(body))
		cancel()
		if err == nil && done.Accepted+done.Duplicates == len(events) {
			break
		}
		l.mu.Lock()
		l.worst = fmt.Sprintf("at %s: %+v, %v", n.name, done, err)
		if time.Now().After(late) {
			l.up = fmt.Sprintf("%s: %s", body, l.worst)
			l.mu.Unlock()
			return at
		}
		l.mu.Unlock()
		at = (at + 1) % len(l.nodes)
		<-time.After(every)
	}
	l.mu.Lock()
	*to = append(*to, ids...)
	l.mu.Unlock()
	return at
}

// post matches the rule of every key, and of ada its monitor too.
func post(id, author string) string {
	return fmt.Sprintf(`{"id":%q,"text":"number %s","created_at":"2026-03-04T12:00:00Z","author":{"id":"9%d","username":%q}}`, id, id, len(author), author)
}

func article(title string) string {
	id := strings.ReplaceAll(title, " ", "-")
	return fmt.Sprintf(`{"id":%q,"url":"https://news.example/%s","title":%q,"category":"a","source":{"id":"example","name":"Example News"}}`, id, id, title)
}

// when is the moment from which on it was pushed; zero: it was not.
func (l *load) when(id string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pushed[id]
}

// refused is what was pushed until patience ended, and why it was not taken; "":
// nothing.
func (l *load) refused() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// trouble is why a push was not taken last.
func (l *load) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worst
}

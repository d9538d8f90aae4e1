package failures_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// feed is one that has a new item twice a second, on a host that no node is on.
type feed struct {
	server *http.Server
	over   chan struct{}
	ended  chan struct{}
	id     string

	mu     sync.Mutex // protects what follows
	titles []string
	reader string // the address of who read it last
}

// reads begins a feed, and returns the node that reads it.
func (c *scene) reads() (reader *node) {
	c.t.Helper()
	f := &feed{over: make(chan struct{}), ended: make(chan struct{})}
	var listener net.Listener
	var err error
	if failed := c.apart.inside(func() { listener, err = net.Listen("tcp", c.apart.ip+":80") }); failed != nil || err != nil {
		c.t.Fatal(failed, err)
	}
	f.server = &http.Server{Handler: f}
	go func() { _ = f.server.Serve(listener) }() // it ends with stop
	go f.grow(c.marks)
	c.feed = f
	url, category, interval := "http://"+c.apart.ip+"/", "f", 1.0
	eventually(c.t, func() string {
		made, err := c.nodes[0].operator().CreateFeed(c.t.Context(), client.FeedChange{URL: &url, Category: &category, IntervalSeconds: &interval})
		if err != nil {
			return err.Error()
		}
		f.id = made.ID
		return ""
	})
	first := f.last()
	eventually(c.t, func() string { // the trial was another node's, maybe
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.reader == "" || f.titles[len(f.titles)-1] == first {
			return "nobody reads the feed"
		}
		return ""
	})
	for _, n := range c.nodes {
		if n.ip == f.readBy() {
			reader = n
		}
	}
	return reader
}

func (f *feed) grow(scene int) {
	defer close(f.ended)
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for n := 0; ; n++ {
		f.mu.Lock()
		f.titles = append(f.titles, fmt.Sprintf("item %d of feed %d", n, scene))
		f.mu.Unlock()
		select {
		case <-again.C:
		case <-f.over:
			return
		}
	}
}

// ServeHTTP shows all items there ever were.
func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reader, _, _ = net.SplitHostPort(r.RemoteAddr)
	var b strings.Builder
	b.WriteString(`<rss version="2.0"><channel><title>Feed</title><link>https://feed.example/</link><description>d</description>`)
	for _, title := range f.titles {
		fmt.Fprintf(&b, "<item><guid>%s</guid><title>%s</title><link>https://feed.example/%s</link></item>", title, title, strings.ReplaceAll(title, " ", "-"))
	}
	b.WriteString("</channel></rss>")
	w.Header().Set("Content-Type", "application/rss+xml")
	_, _ = w.Write([]byte(b.String())) // whoever reads asks again
}

func (f *feed) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.titles) == 0 {
		return ""
	}
	return f.titles[len(f.titles)-1]
}

func (f *feed) readBy() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reader
}

// stop has no new item come, and returns the last one. The server goes on.
func (f *feed) stop() string {
	close(f.over)
	<-f.ended
	return f.last()
}

// judge: each item came once.
func (f *feed) judge(got []frame) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	times := map[string]int{}
	for _, g := range got {
		times[g.id]++
	}
	for _, title := range f.titles {
		if times[title] != 1 {
			return fmt.Errorf("%q of the feed came %d times, want once", title, times[title])
		}
	}
	return nil
}

// endFeed has nobody read the feed any more.
func (c *scene) endFeed() {
	c.t.Helper()
	eventually(c.t, func() string {
		if err := c.nodes[0].operator().DeleteFeed(c.t.Context(), c.feed.id); err != nil && !errors.Is(err, client.ErrNotFound) {
			return err.Error()
		}
		return ""
	})
	_ = c.feed.server.Close() // nobody is answered any more
}

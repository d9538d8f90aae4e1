package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// goroutines are those that there are, by number, with their stacks.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for n := runtime.Stack(buf, true); n == len(buf); n = runtime.Stack(buf, true) {
		buf = make([]byte, 2*len(buf))
	}
	found := map[string]string{}
	for _, stack := range strings.Split(string(bytes.TrimRight(buf, "\x00")), "\n\n") {
		if number := regexp.MustCompile(`^goroutine (\d+)`).FindStringSubmatch(stack); number != nil {
			found[number[1]] = stack
		}
	}
	return found
}

// A node that has closed has no goroutine any more: no flusher, pool or timer
// of an actor, no poll of a feed, nothing of the store's.
func TestCloseLeavesNothingRunning(t *testing.T) {
	for name, stopsWithClients := range map[string]bool{"after its clients": false, "with clients": true} {
		t.Run(name, func(t *testing.T) {
			feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprint(w, `<rss version="2.0"><channel><title>x</title><item><title>An item</title><link>https://example.com/1</link></item></channel></rss>`)
			}))
			defer feed.Close()
			before := goroutines()
			n, err := Start(context.Background(), Config{
				Dir: t.TempDir(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Drain: time.Millisecond,
				Sample: true, AllowPrivateFeeds: true, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := (sources{n}).CreateFeed(context.Background(), &messages.Feed{
				Id: "feed-1", Url: feed.URL, Name: "x", Category: "news", SourceId: "x", IntervalMs: 100,
			}); err != nil {
				t.Fatal(err)
			}
			key := mint(t, n, "business")
			for _, path := range []string{"/api/ws?key=", "/v1/twitter/stream?api_key=", "/ws?token="} {
				w, err := dial(n, path+key)
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				if !stopsWithClients {
					w.Close()
				}
			}
			if status, _ := pushBody(t, n, key, "articles", article("a")); status != http.StatusAccepted {
				t.Fatalf("push: %d", status)
			}
			http.DefaultClient.CloseIdleConnections()
			if err := n.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			feed.CloseClientConnections()
			// What a closed socket's other end does takes a moment.
			var left []string
			for limit := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
				left = left[:0]
				for number, stack := range goroutines() {
					if before[number] == "" && !strings.Contains(stack, "goroutines()") {
						left = append(left, stack)
					}
				}
				if len(left) == 0 || time.Now().After(limit) {
					break
				}
			}
			if len(left) > 0 {
				t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
			}
		})
	}
}

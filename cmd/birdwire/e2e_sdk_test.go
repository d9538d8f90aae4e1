package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// forwarder is an address that stays while its servers come and go.
type forwarder struct {
	net.Listener
	target atomic.Pointer[string] // host:port

	mu    sync.Mutex // protects conns
	conns []net.Conn
}

func forward(t *testing.T, target string) *forwarder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Listener: l}
	f.target.Store(&target)
	var serving sync.WaitGroup
	serving.Go(func() { // ends with the listener
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { f.serve(in) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		serving.Wait()
	})
	return f
}

// serve ends when either side does.
func (f *forwarder) serve(in net.Conn) {
	defer in.Close() //nolint:errcheck // one of the two has ended
	out, err := net.Dial("tcp", *f.target.Load())
	if err != nil {
		return
	}
	defer out.Close() //nolint:errcheck // as above
	f.mu.Lock()
	f.conns = append(f.conns, in, out)
	f.mu.Unlock()
	var copying sync.WaitGroup
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		copying.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = in.Close()
			_ = out.Close()
		})
	}
	copying.Wait()
}

// TestSDKFollowsThroughACrash: a program that uses the SDK sees every event
// once, in order, and has nothing to do about a server that is killed.
func TestSDKFollowsThroughACrash(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	f := forward(t, s.public)
	k, pusher := s.key(t, "pro"), s.pusher(t)
	makeRule(t, s.owner(t, k), "all", "post")
	sdk, err := client.New(client.Config{URL: f.Addr().String(), Key: k.Key})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lost := make(chan error, 16)
	options := client.Options{Resume: "new", Reconnecting: func(why error, _ time.Duration) { lost <- why }}
	twitter, err := sdk.Twitter(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	kite, err := sdk.Kite(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	newsrank, err := sdk.Newsrank(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := newsrank.Subscribe(ctx, client.NewsrankFilters{Categories: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if err := kite.Subscribe(ctx, client.KiteFilters{Categories: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	streams := []*client.Stream{twitter, kite.Stream, newsrank.Stream}
	answered(t, kite.Stream)
	answered(t, newsrank.Stream)

	push := func(n int) {
		t.Helper()
		s.push(t, client.Posts, pusher, post(fmt.Sprintf("post-%d", n), "ada", "a post"))
		s.push(t, client.Articles, pusher, article(fmt.Sprintf("article %d", n), "a"), article(fmt.Sprintf("other %d", n), "b"))
	}
	expect := func(n int) {
		t.Helper()
		for _, stream := range streams {
			if got, post, article := eventOf(t, stream), fmt.Sprintf("post-%d", n), fmt.Sprintf("article %d", n); got != post && got != article {
				t.Fatalf("got %s, want %s or %s", got, post, article)
			}
		}
	}
	push(0)
	expect(0)
	push(1) // seen before the crash, or resumed after it
	s.kill()
	s = start(t, s.dir)
	push(2) // while nobody is connected
	f.target.Store(&s.public)
	for range streams {
		<-lost
	}
	for n := 1; n <= 2; n++ {
		expect(n)
	}
	push(3)
	expect(3)
}

// answered reads up to the answer to a subscribe.
func answered(t *testing.T, stream *client.Stream) {
	t.Helper()
	for {
		m, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.Event.(*client.Subscribed); ok {
			return
		}
	}
}

// eventOf is the id or title of the next event, past what else is said.
func eventOf(t *testing.T, stream *client.Stream) string {
	t.Helper()
	for {
		m, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		switch e := m.Event.(type) {
		case *client.Tweet:
			return e.TweetID
		case *client.News:
			return e.Item.Title
		case *client.Item:
			return e.Data.Title
		case *client.Fault:
			t.Fatalf("the server says %s", e.Text)
		}
	}
}

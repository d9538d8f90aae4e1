package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/birdwire/birdwire/gateway/client"
)

// subscriber sends large subscribes, each with keywords of its own, as soon as
// the one before is answered.
type subscriber struct {
	conn           *websocket.Conn
	subscribe      func(keywords string) string
	taken, refused *atomic.Int64
	number         int
	endsWith       websocket.StatusCode // what it may be closed with; 0: it must not be
}

func (s *subscriber) run(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		words := make([]string, 900)
		for i := range words {
			words[i] = fmt.Sprintf("w%d.%d.%d", s.number, n, i)
		}
		keywords, err := json.Marshal(words)
		if err != nil {
			return err
		}
		if err := s.conn.Write(ctx, websocket.MessageText, []byte(s.subscribe(string(keywords)))); err != nil {
			return s.over(ctx, err)
		}
		_, frame, err := s.conn.Read(ctx)
		for err == nil && strings.HasPrefix(string(frame), `{"type":"news"`) { // of what it had before
			_, frame, err = s.conn.Read(ctx)
		}
		switch {
		case err != nil:
			return s.over(ctx, err)
		case strings.HasPrefix(string(frame), `{"type":"subscribed"`):
			s.taken.Add(1)
		case strings.Contains(string(frame), "try again in"):
			s.refused.Add(1)
		case s.endsWith != 0 && strings.Contains(string(frame), "too many invalid messages"): // and is closed
		default:
			return fmt.Errorf("a subscribe was answered with %.200s", frame)
		}
	}
	return nil
}

// over says whether the connection may end so.
func (s *subscriber) over(ctx context.Context, err error) error {
	var end websocket.CloseError
	if ctx.Err() != nil || s.endsWith != 0 && errors.As(err, &end) && end.Code == s.endsWith {
		return nil
	}
	return err
}

// TestOneKeyCannotStopOthers: ten connections of one key, and five of another
// API's, send subscribes of 900 keywords for six seconds, as fast as they are
// answered, and on a slow machine until their key's budget is spent. Another
// key's articles come as if there were none of that.
func TestOneKeyCannotStopOthers(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	greedy := s.key(t, "pro")
	reader := s.dial(t, kitePath+s.key(t, "starter").Key)
	reader.read("connected", nil)
	reader.send(`{"type":"subscribe","filters":{"keywords":["gold"]}}`)
	reader.read("subscribed", nil)
	pusher := s.pusher(t)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var taken, refused atomic.Int64
	for n := range 15 {
		sub := &subscriber{taken: &taken, refused: &refused, number: n}
		if n < 10 {
			c := s.dial(t, newsrankPath+greedy.Key)
			sub.conn, sub.endsWith = c.conn, websocket.StatusPolicyViolation // as newsrank has it: 20 messages that cannot be served
			sub.subscribe = func(keywords string) string { return newsrankSubscribe(`{"keywords":` + keywords + `}`) }
		} else {
			c := s.dial(t, kitePath+greedy.Key)
			c.read("connected", nil)
			sub.conn = c.conn
			sub.subscribe = func(keywords string) string {
				return `{"type":"subscribe","filters":{"keywords":` + keywords + `}}`
			}
		}
		background(t, func(life context.Context) error {
			defer context.AfterFunc(life, stop)()
			return sub.run(ctx)
		})
	}
	var slowest time.Duration
	started := time.Now()
	for n := 0; time.Since(started) < 6*time.Second || refused.Load() == 0 && time.Since(started) < 3*time.Minute; n++ {
		title := fmt.Sprint("gold ", n)
		begun := time.Now()
		s.push(t, client.Articles, pusher, article(title, "business"))
		if e := reader.event(); e.Item.Title != title {
			t.Fatalf("article %q came, want %q", e.Item.Title, title)
		}
		slowest = max(slowest, time.Since(begun))
	}
	stop()
	t.Logf("%d subscribes were taken and %d refused; an article took %v at most", taken.Load(), refused.Load(), slowest)
	if taken.Load() < 50 || refused.Load() == 0 {
		t.Errorf("%d subscribes were taken and %d refused: the test shows nothing", taken.Load(), refused.Load())
	}
	// Generous: the machine that runs this has other work too.
	if slowest > 3*time.Second {
		t.Errorf("an article took %v", slowest)
	}
	s.call(t, http.MethodGet, "/readyz", "", "").want(t, http.StatusOK)
}

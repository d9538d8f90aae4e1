//go:build unix

package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/birdwire/birdwire/gateway/client"
)

// TestPausedProcess: the whole process is stopped for four seconds under
// load, as a machine that is moved or a container that is stopped does. Pushes
// are taken again at once, and what was acknowledged is delivered once.
func TestPausedProcess(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	k := s.key(t, "business")
	makeRule(t, s.owner(t, k), "all", "marker")
	l := listen(t, s.dial(t, twitterPath+k.Key))
	pusher := s.pusher(t)

	const pushers, batch, pauses, enough = 4, 20, 2, 25
	var taken, resumed atomic.Int64 // resumed: how often the process has gone on
	var pushing sync.WaitGroup
	for p := range pushers {
		pushing.Add(1)
		background(t, func(ctx context.Context) error {
			defer pushing.Done()
			for n, since := 0, 0; since < enough; n++ {
				round := resumed.Load()
				events := make([]string, batch)
				for i := range events {
					events[i] = post(fmt.Sprintf("%d.%d.%d", p, n, i), "ada", "marker")
				}
				status, err := pushOnce(ctx, s, pusher, events)
				switch {
				case err != nil:
					return err
				case status == http.StatusAccepted:
					taken.Add(batch)
					if since++; round < pauses {
						since = 0
					}
				case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
					since = 0
					<-time.After(20 * time.Millisecond) // not as fast as possible: nobody is to be flooded
				default:
					return fmt.Errorf("a push was answered with %d", status)
				}
			}
			return nil
		})
	}
	for range pauses {
		l.await(t, int(taken.Load())+100) // the load flows
		signal(t, s, syscall.SIGSTOP)
		<-time.After(4 * time.Second) // what the test is about
		signal(t, s, syscall.SIGCONT)
		resumed.Add(1)
	}
	since := time.Now()
	pushing.Wait()
	if took := time.Since(since); took > 20*time.Second {
		t.Errorf("it took %v until pushes were taken again", took)
	}
	s.push(t, client.Posts, pusher, post("last", "ada", "marker"))
	<-l.over
	seen := map[string]bool{}
	for _, e := range l.events {
		if seen[e.TweetID] {
			t.Errorf("post %s came twice", e.TweetID)
		}
		seen[e.TweetID] = true
	}
	if n := int(taken.Load()) + 1; len(seen) < n || !seen["last"] {
		t.Errorf("%d posts came, %d were acknowledged", len(seen), n)
	}
	s.call(t, http.MethodGet, "/readyz", "", "").want(t, http.StatusOK)
}

func signal(t *testing.T, s *server, what syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(what); err != nil {
		t.Fatal(err)
	}
}

// pushOnce pushes once, and says how that was answered. A body of which a part
// was taken counts as refused: it is not pushed again.
func pushOnce(ctx context.Context, s *server, key string, events []string) (status int, err error) {
	_, err = s.tryPush(ctx, client.Posts, key, events...)
	var answered *client.Error
	if errors.As(err, &answered) {
		return answered.Status, nil
	}
	return http.StatusAccepted, err
}

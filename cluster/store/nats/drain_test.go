package nats

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Letting go of a watcher ends with its channel, or, where the connection closed
// and nobody is going to close the channel, a little after the last that came.
func TestLettingGoOfAWatcherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan jetstream.KeyValueEntry, 1)
		closed <- nil
		close(closed)
		drain(closed, func() bool { return false })

		open := make(chan jetstream.KeyValueEntry)
		wrote := 0
		go func() { // the client's own, which was at work when the connection closed
			for ; wrote < 3; wrote++ {
				<-time.After(drainLook / 2)
				open <- nil
			}
		}()
		drain(open, func() bool { return true })
		if wrote != 3 {
			t.Errorf("%d of 3 were read", wrote)
		}
	})
}

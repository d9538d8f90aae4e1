package nats

import (
	"sync/atomic"
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
		var wrote atomic.Int32
		go func() { // the client's own, which was at work when the connection closed
			for ; wrote.Load() < 3; wrote.Add(1) {
				<-time.After(drainLook / 2)
				open <- nil
			}
		}()
		drain(open, func() bool { return true })
		synctest.Wait() // the last is counted after it was read
		if n := wrote.Load(); n != 3 {
			t.Errorf("%d of 3 were read", n)
		}
	})
}

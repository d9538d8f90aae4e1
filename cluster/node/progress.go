package node

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/actors"
)

// stuckAfter is how far the router may be behind, or silent, before no traffic
// should come to this node.
const stuckAfter = 10 * time.Second

// progress is what the router last said of itself. A node that answers, and
// whose router makes no progress against the log's end, delivers nothing.
type progress struct {
	lag  atomic.Int64 // nanoseconds
	told atomic.Int64 // when, as an actors.Instant; 0: never yet
}

func (p *progress) tell(lag time.Duration, now actors.Instant) {
	p.lag.Store(int64(lag))
	p.told.Store(int64(now))
}

// behind is how far the router was when it last said so.
func (p *progress) behind() time.Duration { return time.Duration(p.lag.Load()) }

func (p *progress) check(now actors.Instant) error {
	lag, told := p.behind(), actors.Instant(p.told.Load())
	switch {
	case told == 0:
		return nil // the node has just started
	case lag > stuckAfter:
		return fmt.Errorf("the router is %v behind the log's end: deliveries are late", lag.Round(time.Second))
	case now-told > stuckAfter:
		return fmt.Errorf("the router has said nothing for %v: deliveries may have stopped", (now - told).Round(time.Second))
	}
	return nil
}

func (n *Node) routerLag(lag time.Duration) {
	n.metrics.behind.Set(lag.Seconds())
	n.behind.tell(lag, n.clock.Elapsed())
}

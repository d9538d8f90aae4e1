package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// The APIs' own advice: start with one second, double, up to thirty.
const (
	firstWait = time.Second
	longWait  = 30 * time.Second
)

// backoff is how long to wait before each try: up to a fifth is chance, so
// that the clients of a server that restarted do not come back as one.
type backoff struct {
	first, wait time.Duration
}

func newBackoff(first time.Duration) *backoff { return &backoff{first: first, wait: first} }

func (b *backoff) next() time.Duration {
	wait := b.wait
	b.wait = min(2*b.wait, longWait)
	return min(longWait, wait+rand.N(wait/5+1))
}

func (b *backoff) reset() { b.wait = b.first }

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

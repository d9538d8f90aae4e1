package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// WorkAgain comes back to an actor whose Worker's pool was full. Of is the
// instance that asked: a later one drops it.
type WorkAgain struct {
	Of any

	by      Worker
	timeout time.Duration
	work    func(ctx context.Context) any
}

// workRetry is how long an actor waits for a full pool.
const workRetry = 50 * time.Millisecond

// Work has work done by a Worker for the instance of an actor. Where the pool
// is full it is asked again, for as long as it takes: the actor passes every
// *WorkAgain of its own back to Again.
func Work(clock Clock, by Worker, to *actor.PID, of any, timeout time.Duration, work func(ctx context.Context) any) {
	if !by.Do(to, timeout, work) {
		clock.After(workRetry, to, &WorkAgain{of, by, timeout, work})
	}
}

// Again asks the Worker once more.
func (w *WorkAgain) Again(clock Clock, to *actor.PID) {
	Work(clock, w.by, to, w.Of, w.timeout, w.work)
}

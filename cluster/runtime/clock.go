package runtime

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// Clock is the machine's clock as actors take it.
type Clock struct{ timers *timers }

var _ actors.Clock = Clock{}

// Now is the wall clock's time.
func (c Clock) Now() time.Time { return time.Now() }

// Elapsed is the machine's monotonic clock.
func (c Clock) Elapsed() actors.Instant { return elapsed() }

func elapsed() actors.Instant { return century + time.Since(begun) }

// begun carries a monotonic reading, which time.Since takes.
var begun = time.Now()

const century = 100 * 365 * 24 * time.Hour

// After sends message to the actor once d has passed.
func (c Clock) After(d time.Duration, to *actor.PID, message any) func() {
	return c.timers.add(d, to, message)
}

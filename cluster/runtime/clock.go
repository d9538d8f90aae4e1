package runtime

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// Clock is the machine's clock as actors take it.
type Clock struct{ root *actor.RootContext }

var _ actors.Clock = Clock{}

// Now is the wall clock's time.
func (c Clock) Now() time.Time { return time.Now() }

// Elapsed is the machine's monotonic clock.
func (c Clock) Elapsed() actors.Instant { return century + time.Since(begun) }

// begun carries a monotonic reading, which time.Since takes.
var begun = time.Now()

const century = 100 * 365 * 24 * time.Hour

// After sends message to the actor once d has passed.
func (c Clock) After(d time.Duration, to *actor.PID, message any) func() {
	t := time.AfterFunc(d, func() { c.root.Send(to, message) })
	return func() { t.Stop() }
}

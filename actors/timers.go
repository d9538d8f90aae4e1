package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Timers are those of one instance of an actor, so that none of them outlives
// it: the actor calls Stop when it stops or restarts. Each has a name; setting
// it again replaces it.
type Timers struct {
	clock   Clock
	pending map[any]func() // by name; at most as many as there are names. nil: none was set yet
}

// NewTimers are an instance's, none of them set.
func NewTimers(clock Clock) Timers { return Timers{clock: clock} }

// Set has message sent to the actor once d has passed.
func (t *Timers) Set(name any, d time.Duration, to *actor.PID, message any) {
	t.Cancel(name)
	if t.pending == nil {
		t.pending = map[any]func(){}
	}
	t.pending[name] = t.clock.After(d, to, message)
}

// Cancel ends the timer, or forgets one that has fired.
func (t *Timers) Cancel(name any) {
	if cancel, ok := t.pending[name]; ok {
		cancel()
		delete(t.pending, name)
	}
}

// Stop ends all of them.
func (t *Timers) Stop() {
	for _, cancel := range t.pending {
		cancel()
	}
	clear(t.pending)
}

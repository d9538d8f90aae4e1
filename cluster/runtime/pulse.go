package runtime

import (
	"context"
	"errors"
	"sync"
)

// pulse is a turn that does nothing: that it came shows that the turns of
// actors come. All who wait at one time wait for the same turn, so that asking
// often fills no queue.
type pulse struct {
	mu   sync.Mutex    // protects next
	next chan struct{} // closed by the turn; nil: none is asked for
}

// process has the turn.
func (p *pulse) process() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.next)
	p.next = nil
}

// Runs is nil once a turn has come since the call: then no goroutine that runs
// actors is stuck for good. It is an error where ctx ends first.
func (s *System) Runs(ctx context.Context) error {
	p := &s.pulse
	p.mu.Lock()
	came := p.next
	if came == nil {
		came = make(chan struct{})
		p.next = came
		s.dispatcher.schedule(p)
	}
	p.mu.Unlock()
	select {
	case <-came:
		return nil
	case <-ctx.Done():
		return errors.New("the actors do not run: none has had a turn for as long as was waited")
	}
}

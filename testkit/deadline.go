package testkit

import (
	"context"
	"sync"
	"time"
)

// deadline is a job's context. Its time is wall time: it is there for jobs that wait
// for real sockets, where a hang should end the job and not the test binary. Most jobs
// wait for nothing, so that it sets a timer only once somebody asks for Done.
type deadline struct {
	context.Context           // values, of which there are none
	at              time.Time // zero: it has passed

	mu     sync.Mutex // protects the fields below: the goroutines of a job may ask
	ended  bool       // the job
	timed  context.Context
	cancel context.CancelFunc
}

// newDeadline is in so long; zero or less is a deadline that has passed.
func newDeadline(in time.Duration) *deadline {
	d := &deadline{Context: context.Background()}
	if in > 0 {
		d.at = time.Now().Add(in)
	}
	return d
}

func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.at)
	}
	if d.ended {
		d.cancel()
	}
	return d.timed.Done()
}

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.timed != nil:
		return d.timed.Err()
	case d.at.IsZero() || !time.Now().Before(d.at):
		return context.DeadlineExceeded
	case d.ended:
		return context.Canceled
	}
	return nil
}

// end is when the job has returned: whatever it has left behind ends too.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.cancel != nil {
		d.cancel()
	}
}

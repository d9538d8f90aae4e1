package testkit

import (
	"context"
	"sync"
	"time"
)

// deadline is a job's context. Whether it has passed is said by virtual time, in which a
// job takes none but where it Pauses: a machine that is slow, or a process that is suspended in the middle of
// a job, must not make another run of a seed. Who waits for real sockets asks for Done or
// for the time of it; from then on it is wall time, so that a hang ends the job and not
// the test binary.
type deadline struct {
	context.Context               // values, of which there are none
	in              time.Duration // after the job's begin; zero or less: it has passed
	began           time.Time     // wall time
	job             *job

	mu     sync.Mutex // protects the fields below: the goroutines of a job may ask
	ended  bool       // the job
	timed  context.Context
	cancel context.CancelFunc
}

func newDeadline(in time.Duration, of *job) *deadline {
	return &deadline{Context: context.Background(), in: in, began: time.Now(), job: of}
}

// Value is the job's for Pause, also through the contexts that are made of this one.
func (d *deadline) Value(key any) any {
	if key == pauses {
		return d.job
	}
	return d.Context.Value(key)
}

func (d *deadline) Deadline() (time.Time, bool) { return d.byWall().Deadline() }

func (d *deadline) Done() <-chan struct{} { return d.byWall().Done() }

func (d *deadline) byWall() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.cancel = context.WithDeadline(d.Context, d.began.Add(d.in))
	}
	if d.ended {
		d.cancel()
	}
	return d.timed
}

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.timed != nil:
		return d.timed.Err()
	case d.in <= 0:
		return context.DeadlineExceeded
	case d.ended:
		return context.Canceled
	case d.job.late():
		return context.DeadlineExceeded
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

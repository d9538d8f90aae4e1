package testkit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Worker does what would block an actor. Its jobs are events of the kit: each
// runs after the message that asked for it, on the test's goroutine, in no
// virtual time, unless it Pauses. Hold keeps them back until the test lets them go; one
// that was kept past its deadline finds it passed.
type Worker struct {
	// Panicked makes the answer of a job that panicked. nil: the panic fails the
	// test, as an actor's does, and nobody is answered.
	Panicked func(reason any) any
	// Tells is Lane.Tells for its jobs.
	Tells bool
	// Pauses: the jobs that begin from now on may Pause. It costs each a microsecond.
	Pauses bool

	host     *Host
	schedule *schedule

	mu      sync.Mutex // protects all fields below
	holding bool
	refuse  bool
	held    []*job // first asked, first released; bounded by the test's own length
	done    int
}

// Do makes work an event, or holds it, or refuses it. A nil answer is not sent.
func (w *Worker) Do(to *actor.PID, timeout time.Duration, work func(ctx context.Context) any) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse {
		return false
	}
	j := &job{worker: w, to: to, timeout: timeout, until: w.schedule.time.elapsed() + timeout, work: work, cause: w.schedule.comesOf()}
	if w.schedule.explored != nil {
		j.self = w.schedule.named("job of " + to.GetId())
	}
	if w.holding {
		w.held = append(w.held, j)
		return true
	}
	w.start(j)
	return true
}

// Hold keeps every later job back until Release, ReleaseNext or Expire.
func (w *Worker) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = true
}

// Release lets all held jobs go, and holds no more. They run at the next Settle.
func (w *Worker) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.holding = false
	for _, j := range w.held {
		w.start(j)
	}
	w.held = nil
}

// ReleaseNext lets the oldest held job go; false when none is held.
func (w *Worker) ReleaseNext() bool { return w.releaseFirst(false) }

// Expire lets the oldest held job go with a context whose deadline has
// passed; false when none is held.
func (w *Worker) Expire() bool { return w.releaseFirst(true) }

func (w *Worker) releaseFirst(expired bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) == 0 {
		return false
	}
	j := w.held[0]
	w.held = w.held[1:]
	j.expired = expired
	w.start(j)
	return true
}

// Refuse makes Do return false, as a full pool does, until Refuse(false).
func (w *Worker) Refuse(refuse bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = refuse
}

// Held is how many jobs are kept back.
func (w *Worker) Held() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held)
}

// Done is how many jobs have run.
func (w *Worker) Done() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done
}

func (w *Worker) start(j *job) {
	w.schedule.mu.Lock()
	defer w.schedule.mu.Unlock()
	w.schedule.add(j)
}

type job struct {
	worker  *Worker
	self    string // as process; "" where nobody asks
	to      *actor.PID
	timeout time.Duration
	until   time.Duration // of the kit's clock
	work    func(ctx context.Context) any
	expired bool
	cause   int // the step that asked for it
	paused  *paused
}

// jobOf is how the names of jobs begin.
const jobOf = "a job of "

func (j *job) String() string { return jobOf + j.to.GetId() }

func (j *job) label() string { return whose(j) }

func (j *job) of() *Host { return j.worker.host }

func (j *job) process() string { return j.self }

func (j *job) step() (more bool) {
	if j.worker.host.ended {
		j.abandon()
		return false
	}
	s := j.worker.schedule
	j.touches()
	if s.history != nil {
		s.history.add(Step{N: s.comesOf(), At: s.time.elapsed() - century, Host: hostOf(j), Lane: j.String(), Cause: j.cause})
	}
	answer, ended := j.goOn()
	if !ended {
		return false
	}
	j.worker.mu.Lock()
	j.worker.done++
	j.worker.mu.Unlock()
	if answer != nil {
		j.worker.host.System.Root.Send(j.to, answer)
	}
	return false
}

// touches is what its step always touches.
func (j *job) touches() {
	s := j.worker.schedule
	if s.explored == nil {
		return
	}
	s.comes(j.cause)
	s.touch(hostThing(j.worker.host), false)
	if !j.worker.Tells {
		s.touch(elsewhere, true)
	}
}

func (j *job) late() bool { return j.timeout > 0 && j.worker.schedule.time.elapsed() >= j.until }

func (j *job) run() (answer any) {
	timeout := j.timeout
	if j.expired || j.late() {
		timeout = 0
	}
	ctx := newDeadline(timeout, j)
	defer ctx.end()
	defer func() {
		reason := recover()
		switch {
		case reason == nil, reason == errAbandoned:
		case j.worker.Panicked != nil:
			answer = j.worker.Panicked(reason)
		default:
			j.worker.schedule.panicked(fmt.Sprintf("%s: %v", j, reason))
		}
	}()
	return j.work(ctx)
}

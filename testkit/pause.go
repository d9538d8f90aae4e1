package testkit

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"
)

// Pause has the job that ctx is of take d of virtual time here: what else is due
// happens meanwhile, and the deadline of the job comes nearer. It is what a fake of
// something slow calls, as a store or another process. It returns at once where ctx is
// no job's, or that of a Worker that does not say that its jobs Pause.
//
// A job that is paused when its host ends goes no further: its deferred calls are made,
// and nobody is answered.
func Pause(ctx context.Context, d time.Duration) {
	j, ok := ctx.Value(pauses).(*job)
	if !ok || j.paused == nil || d <= 0 {
		return
	}
	if !j.paused.yield(d) {
		panic(errAbandoned)
	}
}

// pauses is the key of a job in its context.
const pauses = pauseKey(0)

type pauseKey int

var errAbandoned = errors.New("testkit: the host of a job that was paused has ended")

// paused is a job that may pause. It is a coroutine of whoever steps it: one of the two
// runs at a time.
type paused struct {
	next  func() (time.Duration, bool)
	stop  func()
	yield func(time.Duration) bool
}

// goOn runs the job to its end, or to where it pauses.
func (j *job) goOn() (answer any, ended bool) {
	if j.paused == nil && !j.worker.Pauses {
		return j.run(), true
	}
	s := j.worker.schedule
	if j.paused == nil {
		j.paused = &paused{}
		j.paused.next, j.paused.stop = iter.Pull(func(yield func(time.Duration) bool) {
			j.paused.yield = yield
			answer := j.run()
			j.work = func(context.Context) any { return answer }
		})
	}
	d, pauses := j.paused.next()
	if !pauses {
		s.resumed(j)
		return j.work(nil), true
	}
	if !slices.Contains(s.paused, j) {
		s.paused = append(s.paused, j)
	}
	s.time.add(d, &timer{run: func() { j.worker.start(j) }, cause: s.comesOf()})
	return nil, false
}

// abandon ends the job where it is paused.
func (j *job) abandon() {
	if j.paused != nil {
		j.paused.stop()
		j.worker.schedule.resumed(j)
	}
}

// resumed: the job is not paused any more.
func (s *schedule) resumed(j *job) {
	s.paused = slices.DeleteFunc(s.paused, func(o *job) bool { return o == j })
}

// abandon ends all jobs that are paused, with the run.
func (s *schedule) abandon() {
	for len(s.paused) > 0 {
		s.paused[0].abandon()
	}
}

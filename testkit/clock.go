package testkit

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Start is when every kit's time begins.
var Start = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

// Clock is the clock of one host. It does not move until Kit.Advance moves it.
// Its wall time can be set apart from its monotonic time, by Step.
type Clock struct {
	line *timeline
	host *Host
	// Protected by line.mu.
	wall   time.Time     // when the clock was at 0
	beside time.Duration // what the clock was ahead of the line when it was set to drift
	from   time.Duration // when that was
	drift  time.Duration // what it gains in a second since
}

// timeline is the time of all hosts, and the timers that wait for it.
type timeline struct {
	mu     sync.Mutex // protects all fields below; workers may ask for the time
	now    time.Duration
	timers timers
	made   uint64
}

// century keeps the zero of Elapsed before all that happens.
const century = 100 * 365 * 24 * time.Hour

// Now is virtual wall time.
func (c *Clock) Now() time.Time {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return c.wall.Add(c.elapsed())
}

// Elapsed is virtual monotonic time.
func (c *Clock) Elapsed() time.Duration {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return c.elapsed()
}

// elapsed is for whoever has line.mu.
func (c *Clock) elapsed() time.Duration {
	since := c.line.now - c.from
	return c.line.now + c.beside + since/time.Second*c.drift + since%time.Second*c.drift/time.Second
}

// Drift has the clock gain so much in every second, or lose, as one with a bad
// crystal does: what it measures, and its wall time. Timers that are asked for from
// now on are as much earlier or later.
func (c *Clock) Drift(perSecond time.Duration) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	c.beside = c.elapsed() - c.line.now
	c.from, c.drift = c.line.now, perSecond
}

// onLine is how long it takes until the clock has gone on by d.
func (c *Clock) onLine(d time.Duration) time.Duration {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if c.drift == 0 || d <= 0 {
		return d
	}
	rate := float64(time.Second+c.drift) / float64(time.Second)
	return time.Duration(float64(d)/rate) + time.Microsecond // never too early
}

// Step sets the wall clock forwards by d, or back, as an operator or a time
// server does. Timers and Elapsed know nothing of it.
func (c *Clock) Step(d time.Duration) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// After is sent by the Advance that reaches it; of the same instant, in the
// order in which they were asked for. A d of zero or less is due at once, in the
// Advance that runs or the next one (of any length, zero too).
func (c *Clock) After(d time.Duration, to *actor.PID, message any) (cancel func()) {
	if s := c.host.kit.schedule; s.explored != nil { // of two for one actor at one instant the first fires first
		s.touch(fmt.Sprintf("timers of %v at %v", to, s.time.elapsed()+c.onLine(d)), true)
	}
	return c.line.add(c.onLine(d), &timer{host: c.host, to: to, message: message, cause: c.host.kit.schedule.comesOf()})
}

func (l *timeline) add(d time.Duration, t *timer) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made++
	t.number = l.made
	l.timers.push(due{l.now + max(d, 0), t})
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.index >= 0 {
			l.timers.remove(t.index)
		}
	}
}

// Timers is how many of the host have neither fired nor been cancelled.
func (c *Clock) Timers() int { return len(c.left()) }

// Pending are those timers, the next one first: what they send, to whom, and
// in how long.
func (c *Clock) Pending() []string {
	left := c.left()
	list := make([]string, len(left))
	for i, t := range left {
		list[i] = fmt.Sprintf("%v in %v", t.timer, t.at-c.line.elapsed())
	}
	return list
}

// Next is how long it is until the host's next timer; false when there is none.
func (c *Clock) Next() (time.Duration, bool) {
	left := c.left()
	if len(left) == 0 {
		return 0, false
	}
	return left[0].at - c.line.elapsed(), true
}

// left are the host's timers, the next one first.
func (c *Clock) left() (own []due) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	for _, t := range c.line.timers {
		if t.host == c.host {
			own = append(own, t)
		}
	}
	slices.SortFunc(own, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.number, b.number))
	})
	return own
}

// fireNext fires the first timer that is due by target, if any.
func (s *schedule) fireNext(target time.Duration) bool {
	l := s.time
	l.mu.Lock()
	if len(l.timers) == 0 || l.timers[0].at > target {
		l.mu.Unlock()
		return false
	}
	first := l.timers.pop()
	l.now = first.at
	var others []*timer
	for s.together && len(l.timers) > 0 && l.timers[0].at == first.at {
		others = append(others, l.timers.pop().timer)
	}
	l.mu.Unlock()
	s.fired = first.timer
	s.fire(first.timer)
	for _, t := range others {
		s.fire(t)
	}
	return true
}

func (s *schedule) fire(t *timer) {
	s.cause.Store(int64(t.cause))
	defer s.cause.Store(0)
	if t.run != nil {
		t.run()
	} else {
		t.host.System.Root.Send(t.to, t.message)
	}
}

// forget ends the timers of a host.
func (l *timeline) forget(h *Host) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timers = l.timers.without(h)
}

func (l *timeline) elapsed() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *timeline) set(now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = now
}

package testkit

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Start is when every kit's time begins.
var Start = time.Date(2026, time.March, 4, 12, 0, 0, 0, time.UTC)

// Clock is a clock that does not move until Kit.Advance moves it. Its
// wall time can be set apart from its monotonic time, by Step.
type Clock struct {
	mu     sync.Mutex // protects all fields below; workers may ask for the time
	now    time.Duration
	wall   time.Time // when now was 0
	timers timers
	made   uint64
	system *actor.ActorSystem
}

// century keeps the zero of Elapsed before all that happens.
const century = 100 * 365 * 24 * time.Hour

// Now is virtual wall time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall.Add(c.now)
}

// Elapsed is virtual monotonic time.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Step sets the wall clock forwards by d, or back, as an operator or a time
// server does. Timers and Elapsed know nothing of it.
func (c *Clock) Step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// After is sent by the Advance that reaches it; of the same instant, in the
// order in which they were asked for. A d of zero or less is due at once, at
// the next Advance (of any length, zero too).
func (c *Clock) After(d time.Duration, to *actor.PID, message any) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	t := &timer{at: c.now + max(d, 0), number: c.made, to: to, message: message}
	heap.Push(&c.timers, t)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if t.index >= 0 {
			heap.Remove(&c.timers, t.index)
		}
	}
}

// Timers is how many have neither fired nor been cancelled.
func (c *Clock) Timers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.timers)
}

// Pending are those timers, the next one first: what they send, to whom, and
// in how long.
func (c *Clock) Pending() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.SortedFunc(slices.Values(c.timers), func(a, b *timer) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.number, b.number))
	})
	list := make([]string, len(left))
	for i, t := range left {
		list[i] = fmt.Sprintf("%T to %s in %v", t.message, t.to.GetId(), t.at-c.now)
	}
	return list
}

// Next is how long it is until the next timer; false when there is none.
func (c *Clock) Next() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.timers) == 0 {
		return 0, false
	}
	return c.timers[0].at - c.now, true
}

// fireNext fires the first timer that is due by target, if any.
func (c *Clock) fireNext(target time.Duration) bool {
	c.mu.Lock()
	if len(c.timers) == 0 || c.timers[0].at > target {
		c.mu.Unlock()
		return false
	}
	t := heap.Pop(&c.timers).(*timer)
	c.now = t.at
	c.mu.Unlock()
	c.system.Root.Send(t.to, t.message)
	return true
}

func (c *Clock) set(now time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

type timer struct {
	at      time.Duration // of Elapsed
	number  uint64
	to      *actor.PID
	message any
	index   int // in the heap; -1 once fired or cancelled
}

// timers is a heap by time, then by age.
type timers []*timer

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if t[i].at != t[j].at {
		return t[i].at < t[j].at
	}
	return t[i].number < t[j].number
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

func (t *timers) Push(x any) {
	added := x.(*timer)
	added.index = len(*t)
	*t = append(*t, added)
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	gone := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	gone.index = -1
	return gone
}

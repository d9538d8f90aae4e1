package runtime

import (
	"container/heap"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// timers are those of all actors, on one timer of the machine's: one of those
// for each, with what it calls, takes 200 bytes, and every connection has one
// running. Those that are due together fire in order of their time, and of the
// order in which they were set.
//
// Its goroutine is the machine timer's own, which ends once nothing is due.
type timers struct {
	root *actor.RootContext

	mu    sync.Mutex // protects what follows
	queue timerQueue
	set   uint64         // so far
	alarm *time.Timer    // nil before the first
	rings actors.Instant // when the alarm does; late where it does not
	ended bool
}

// timer is a message that is due.
type timer struct {
	due     actors.Instant
	order   uint64
	to      *actor.PID
	message any
	at      int // in the queue; below 0: not in it
}

const late actors.Instant = 1<<63 - 1

func (s *timers) add(d time.Duration, to *actor.PID, message any) (cancel func()) {
	t := &timer{due: elapsed() + max(d, 0), to: to, message: message}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return func() {}
	}
	s.set++
	t.order = s.set
	heap.Push(&s.queue, t)
	s.arm()
	return func() { s.cancel(t) }
}

func (s *timers) cancel(t *timer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.at >= 0 {
		heap.Remove(&s.queue, t.at)
	}
}

// arm has the alarm ring for the first of the queue. One that would ring
// sooner is left as it is: it finds nothing due and is set again.
func (s *timers) arm() {
	if len(s.queue) == 0 || s.rings <= s.queue[0].due {
		return
	}
	s.rings = s.queue[0].due
	wait := max(s.rings-elapsed(), 0)
	if s.alarm == nil {
		s.alarm = time.AfterFunc(wait, s.fire)
		return
	}
	s.alarm.Reset(wait)
}

// fire sends what is due. It may run twice at once, where sending takes longer
// than it is to the next; each timer is still fired once.
func (s *timers) fire() {
	s.mu.Lock()
	s.rings = late
	now := elapsed()
	var due []*timer
	for len(s.queue) > 0 && s.queue[0].due <= now {
		due = append(due, heap.Pop(&s.queue).(*timer))
	}
	s.arm()
	s.mu.Unlock()
	for _, t := range due {
		s.root.Send(t.to, t.message)
	}
}

// end forgets all timers. Those that are set later never fire.
func (s *timers) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.alarm != nil {
		s.alarm.Stop()
	}
	for len(s.queue) > 0 {
		heap.Pop(&s.queue)
	}
}

// timerQueue is a heap.Interface.
type timerQueue []*timer

func (q timerQueue) Len() int { return len(q) }

func (q timerQueue) Less(i, j int) bool {
	return q[i].due < q[j].due || q[i].due == q[j].due && q[i].order < q[j].order
}

func (q timerQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

func (q *timerQueue) Push(x any) {
	t := x.(*timer)
	t.at = len(*q)
	*q = append(*q, t)
}

func (q *timerQueue) Pop() any {
	all := *q
	last := all[len(all)-1]
	all[len(all)-1] = nil
	last.at = -1
	*q = all[:len(all)-1]
	return last
}

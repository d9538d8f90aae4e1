package runtime

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// dispatcher runs actors on goroutines that it keeps: one that is made for
// every burst of messages, as the library's own does, grows its stack each
// time, which was a tenth of what a delivery cost.
//
// An actor with work left keeps its goroutine only as long as no other waits
// for one, or until its share is used up: then it goes to the back of the
// queue. A goroutine that stayed with its actor would, as soon as as many
// actors are busy as there are goroutines, leave all others unserved.
//
// The queue holds each actor at most once, which bounds it.
type dispatcher struct {
	kept    sync.WaitGroup
	waiting atomic.Int32 // len of queue, read without mu

	mu     sync.Mutex // protects what follows
	queue  []process  // a ring; its length is a power of two
	head   int
	idle   int       // goroutines that wait for work
	work   sync.Cond // there is some, or it is closed
	closed bool
	made   int       // goroutines made after the end that have not ended themselves
	none   sync.Cond // made is 0
}

// process has a turn.
type process interface{ process() }

// The share of one turn, where others wait: so many messages, or so much time
// after the second of them, whichever ends first.
const (
	dispatchThroughput = 300
	dispatchTime       = 2 * time.Millisecond
)

// dispatchKeep is how many places an empty queue keeps.
const dispatchKeep = 4096

// newDispatcher starts the goroutines; close ends them.
func newDispatcher() *dispatcher {
	d := &dispatcher{queue: make([]process, 64)}
	d.work.L, d.none.L = &d.mu, &d.mu
	for range 2 * runtime.GOMAXPROCS(0) {
		d.kept.Go(d.run)
	}
	return d
}

// schedule puts p at the back of the queue. After the end it has a goroutine of
// its own, which ends with the turn.
func (d *dispatcher) schedule(p process) {
	d.mu.Lock()
	if d.closed {
		d.made++
		d.mu.Unlock()
		go d.late(p)
		return
	}
	waiting := int(d.waiting.Load())
	if waiting == len(d.queue) {
		larger := make([]process, 2*waiting)
		n := copy(larger, d.queue[d.head:])
		copy(larger[n:], d.queue[:d.head])
		d.queue, d.head = larger, 0
	}
	d.queue[(d.head+waiting)&(len(d.queue)-1)] = p
	d.waiting.Store(int32(waiting + 1))
	wake := d.idle > 0
	if wake {
		d.idle--
	}
	d.mu.Unlock()
	if wake {
		d.work.Signal()
	}
}

func (d *dispatcher) late(p process) {
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.made--; d.made == 0 {
			d.none.Broadcast()
		}
	}()
	p.process()
}

// take waits for the front of the queue. False: it is empty for good.
func (d *dispatcher) take() (p process, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	waiting := d.waiting.Load()
	for ; waiting == 0; waiting = d.waiting.Load() {
		if d.closed {
			return nil, false
		}
		d.idle++
		d.work.Wait() // whoever wakes it has counted it out of idle
	}
	p, d.queue[d.head] = d.queue[d.head], nil
	d.head = (d.head + 1) & (len(d.queue) - 1)
	if d.waiting.Store(waiting - 1); waiting == 1 && len(d.queue) > dispatchKeep {
		d.queue, d.head = make([]process, 64), 0
	}
	return p, true
}

// turn is what one actor has used of its share.
type turn struct {
	messages int
	since    time.Time // of the first look at the clock; zero before it
}

// over says, after each message, whether the actor has to give its goroutine
// to another. Most turns are of one message, which need no look at the clock.
func (d *dispatcher) over(t *turn) bool {
	t.messages++
	if t.messages == 1 {
		return false
	}
	if d.waiting.Load() == 0 {
		if t.messages >= dispatchThroughput {
			*t = turn{}
			runtime.Gosched() // to goroutines that run no actor
		}
		return false
	}
	if t.messages >= dispatchThroughput {
		return true
	}
	if t.since.IsZero() {
		t.since = time.Now()
		return false
	}
	return time.Since(t.since) >= dispatchTime
}

func (d *dispatcher) run() {
	for {
		p, ok := d.take()
		if !ok {
			return
		}
		p.process()
	}
}

// close ends all goroutines once they are through with what waits. What is
// scheduled later runs on one of its own.
func (d *dispatcher) close() {
	d.mu.Lock()
	d.closed = true
	d.work.Broadcast()
	d.mu.Unlock()
	d.kept.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.made > 0 {
		d.none.Wait()
	}
}

package runtime

import (
	"runtime"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
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
// Bound: dispatchWaiting actors may wait for a kept goroutine; past it one is
// made for the occasion.
type dispatcher struct {
	ready chan func()
	stop  chan struct{}
	kept  sync.WaitGroup

	mu   sync.Mutex // protects made
	made int        // goroutines made for the occasion that have not ended
	none *sync.Cond // made is 0
}

var _ actor.Dispatcher = (*dispatcher)(nil)

// The share of one turn, where others wait: so many messages, or so much time
// after the first of them, whichever ends first.
const (
	dispatchWaiting    = 4096
	dispatchThroughput = 300
	dispatchTime       = 2 * time.Millisecond
)

// newDispatcher starts the goroutines; close ends them.
func newDispatcher() *dispatcher {
	d := &dispatcher{ready: make(chan func(), dispatchWaiting), stop: make(chan struct{})}
	d.none = sync.NewCond(&d.mu)
	for range 2 * runtime.GOMAXPROCS(0) {
		d.kept.Go(d.run)
	}
	return d
}

// Schedule puts run at the back of the queue.
func (d *dispatcher) Schedule(run func()) {
	select {
	case <-d.stop:
		d.occasion(run)
		return
	default:
	}
	select {
	case d.ready <- run:
	default:
		d.occasion(run)
	}
}

// occasion makes a goroutine that ends with the turn.
func (d *dispatcher) occasion(run func()) {
	d.mu.Lock()
	d.made++
	d.mu.Unlock()
	go func() {
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.made--; d.made == 0 {
				d.none.Broadcast()
			}
		}()
		run()
	}()
}

func (d *dispatcher) Throughput() int { return dispatchThroughput }

// turn is what one actor has used of its share.
type turn struct {
	messages int
	since    time.Time // of the first look at the clock; zero before it
}

// over says, after each message, whether the actor has to give its goroutine
// to another. Most turns are of one message, which need no look at the clock.
func (d *dispatcher) over(t *turn) bool {
	t.messages++
	if len(d.ready) == 0 {
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
		select {
		case run := <-d.ready:
			run()
		case <-d.stop:
			for { // what was scheduled before is run
				select {
				case run := <-d.ready:
					run()
				default:
					return
				}
			}
		}
	}
}

// close ends all goroutines once they are through with what waits. What is
// scheduled later runs on one of its own.
func (d *dispatcher) close() {
	close(d.stop)
	d.kept.Wait()
	for more := true; more; {
		select {
		case run := <-d.ready: // came in between
			run()
		default:
			more = false
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.made > 0 {
		d.none.Wait()
	}
}

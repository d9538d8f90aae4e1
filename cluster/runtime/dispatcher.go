package runtime

import (
	"runtime"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// dispatcher runs actors on goroutines that it keeps: one that is made for
// every burst of messages, as the library's own does, grows its stack anew
// each time, which was a tenth of what a delivery cost.
//
// Bound: so many actors may wait for a kept goroutine; past it one is made for
// the occasion, so that nothing ever waits for an actor that is slow.
type dispatcher struct {
	ready chan func()
	stop  chan struct{}
	done  sync.WaitGroup
}

var _ actor.Dispatcher = (*dispatcher)(nil)

const (
	dispatchWaiting    = 4096
	dispatchThroughput = 300 // messages of one actor before others get a turn
)

// newDispatcher starts the goroutines; close ends them.
func newDispatcher() *dispatcher {
	d := &dispatcher{ready: make(chan func(), dispatchWaiting), stop: make(chan struct{})}
	for range 2 * runtime.GOMAXPROCS(0) {
		d.done.Go(d.run)
	}
	return d
}

func (d *dispatcher) Schedule(run func()) {
	select {
	case <-d.stop:
		go run()
		return
	default:
	}
	select {
	case d.ready <- run:
	default:
		go run() // ends with the burst that it was made for
	}
}

func (d *dispatcher) Throughput() int { return dispatchThroughput }

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

// close ends the kept goroutines once they are through with what waits. What
// is scheduled later runs on one of its own.
func (d *dispatcher) close() {
	close(d.stop)
	d.done.Wait()
	for {
		select {
		case run := <-d.ready: // came in between
			run()
		default:
			return
		}
	}
}

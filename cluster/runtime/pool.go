package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// Pool is an actors.Worker: a fixed number of goroutines, owned by the node and
// ended by Close, and a bounded queue. Past the queue Do answers false, and the
// actor asks again. The node has several, so that a slow feed never delays
// the journal.
type Pool struct {
	name     string
	root     *actor.RootContext
	log      *slog.Logger
	jobs     chan job
	stop     context.Context
	end      context.CancelFunc
	done     sync.WaitGroup
	panicked func()
	busy     atomic.Int64 // queued or running
}

type job struct {
	to      *actor.PID
	timeout time.Duration
	work    func(context.Context) any
}

var _ actors.Worker = (*Pool)(nil)

// NewPool starts so many goroutines; queue is how many jobs may wait for one.
func (s *System) NewPool(name string, workers, queue int) *Pool {
	p := &Pool{name: name, root: s.Root, log: s.cfg.Logger, jobs: make(chan job, queue), panicked: s.cfg.WorkPanicked}
	p.stop, p.end = context.WithCancel(context.Background())
	p.done.Add(workers)
	for range workers {
		go p.run()
	}
	return p
}

// Do queues the work, see actors.Worker.
func (p *Pool) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	p.busy.Add(1)
	select {
	case p.jobs <- job{to, timeout, work}:
		return true
	default:
		p.busy.Add(-1)
		return false
	}
}

func (p *Pool) run() {
	defer p.done.Done()
	for {
		select {
		case <-p.stop.Done():
			return
		case j := <-p.jobs:
			if answer := p.one(j); answer != nil {
				p.root.Send(j.to, answer)
			}
			p.busy.Add(-1)
		}
	}
}

func (p *Pool) one(j job) (answer any) {
	ctx, cancel := context.WithTimeout(p.stop, j.timeout)
	defer cancel()
	defer func() {
		if reason := recover(); reason != nil {
			p.panicked()
			p.log.Error("work panicked", "pool", p.name, "for", j.to.GetId(), "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
			answer = &actors.WorkPanicked{Reason: reason}
		}
	}()
	return j.work(ctx)
}

// Settle waits until there has been no work for a while, as when what one
// answer made its actor ask for has been done too; at most for the time given.
func (p *Pool) Settle(atMost time.Duration) {
	const look, quiet = 5 * time.Millisecond, 10
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for still, looks := 0, int(atMost/look); looks > 0 && still < quiet; looks-- {
		<-ticker.C
		if still++; p.busy.Load() > 0 {
			still = 0
		}
	}
}

// Close ends running work by its context and waits for it.
func (p *Pool) Close() {
	p.end()
	p.done.Wait()
}

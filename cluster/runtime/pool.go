package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// Pool is an actors.Worker: a fixed number of goroutines, owned by the node and
// ended by Close, and a bounded line of jobs. Past that Do answers false, and
// the actor asks again. The node has several, so that a slow feed never delays
// the journal; one whose work clients cause is shared out by owner (For).
type Pool struct {
	name     string
	root     *actor.RootContext
	log      *slog.Logger
	stop     context.Context
	end      context.CancelFunc
	done     sync.WaitGroup
	panicked func()

	mu    sync.Mutex // protects line
	line  *line[job]
	ready sync.Cond // of mu: a job may have its turn, or the pool ends
}

type job struct {
	to      *actor.PID
	timeout time.Duration
	work    func(context.Context) any
}

var _ actors.Worker = (*Pool)(nil)

// NewPool starts so many goroutines; queue is how many jobs may wait for one.
// All of them have one owner.
func (s *System) NewPool(name string, workers, queue int) *Pool {
	return s.NewSharedPool(name, Share{Places: workers, PlacesEach: workers, Waiting: queue, WaitingEach: queue})
}

// NewSharedPool starts as many goroutines as there are places. Its jobs take
// turns by owner.
func (s *System) NewSharedPool(name string, share Share) *Pool {
	p := &Pool{name: name, root: s.Root, log: s.cfg.Logger, panicked: s.cfg.WorkPanicked, line: newLine[job](share)}
	p.ready.L = &p.mu
	p.stop, p.end = context.WithCancel(context.Background())
	p.done.Add(share.Places)
	for range share.Places {
		go p.run()
	}
	return p
}

// Do queues the work of nobody in particular, see actors.Worker.
func (p *Pool) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	return p.add("", job{to, timeout, work})
}

// For is the pool as one owner's actors use it: their jobs take turns with
// those of other owners, however many they are.
func (p *Pool) For(owner string) actors.Worker { return ownerWorker{p, owner} }

type ownerWorker struct {
	pool  *Pool
	owner string
}

func (w ownerWorker) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	return w.pool.add(w.owner, job{to, timeout, work})
}

func (p *Pool) add(owner string, j job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.line.add(owner, j) {
		return false
	}
	p.ready.Signal()
	return true
}

func (p *Pool) run() {
	defer p.done.Done()
	for {
		owner, j, ok := p.take()
		if !ok {
			return
		}
		if answer := p.one(j); answer != nil {
			p.root.Send(j.to, answer)
		}
		p.give(owner)
	}
}

// take waits for a job whose turn it is. False: the pool has ended.
func (p *Pool) take() (owner string, j job, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stop.Err() == nil {
		if owner, j, ok = p.line.next(); ok {
			return owner, j, true
		}
		p.ready.Wait()
	}
	return "", j, false
}

func (p *Pool) give(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.done(owner) // at most one job has its turn by this: the giver looks for it next
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

// Close ends running work by its context and waits for it.
func (p *Pool) Close() {
	p.mu.Lock() // else the word could come between a look and a wait
	p.end()
	p.ready.Broadcast()
	p.mu.Unlock()
	p.done.Wait()
}

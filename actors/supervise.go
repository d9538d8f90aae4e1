package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Budget is how often one child may fail before its parent stops it: more than
// Most times within Within. It counts by the node's clock, where protoactor's
// own strategies count by the wall's.
type Budget struct {
	Most   int
	Within time.Duration

	failures []Instant // within Within; at most Most and one
}

// Apply restarts the child, or stops it when the budget is spent, and says
// which. It is for a parent's own HandleFailure.
func (b *Budget) Apply(now Instant, system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, reason any) (stopped bool) {
	kept := b.failures[:0]
	for _, at := range b.failures {
		if now-at < b.Within {
			kept = append(kept, at)
		}
	}
	b.failures = append(kept, now)
	event := &actor.SupervisorEvent{Child: child, Reason: reason, Directive: actor.RestartDirective}
	if stopped = len(b.failures) > b.Most; stopped {
		event.Directive = actor.StopDirective
		supervisor.StopChildren(child)
	} else {
		supervisor.RestartChildren(child)
	}
	system.EventStream.Publish(event)
	return stopped
}

// Pause is how long a child that failed waits before it works again: First
// after one failure, twice as long after each further one, at most Most; First
// again once it has worked for longer than Most.
type Pause struct {
	First, Most time.Duration

	wait   time.Duration
	failed Instant // when it failed last
}

// Next is the pause after one more failure.
func (p *Pause) Next(now Instant) time.Duration {
	if now-p.failed > p.wait+p.Most {
		p.wait = 0
	}
	p.failed = now
	p.wait = min(max(2*p.wait, p.First), p.Most)
	return p.wait
}

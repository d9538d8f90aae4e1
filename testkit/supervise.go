package testkit

import (
	"reflect"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// byClock has a strategy of the library that counts restarts within a time count them
// by the host's clock. Any other is left as it is.
func (h *Host) byClock(s actor.SupervisorStrategy) actor.SupervisorStrategy {
	v := reflect.Indirect(reflect.ValueOf(s))
	if v.Kind() != reflect.Struct || v.Type().PkgPath() != reflect.TypeFor[actor.PID]().PkgPath() {
		return s
	}
	if strings.HasPrefix(v.Type().Name(), "exponentialBackoff") {
		return &backoff{s, h.kit.schedule}
	}
	within := v.FieldByName("withinDuration")
	if !within.IsValid() || within.Kind() != reflect.Int64 {
		return s
	}
	return &counted{s, time.Duration(within.Int()), h.Clock, map[string][]time.Duration{}}
}

// counted is a strategy of the library that is told of those failures alone which lie
// within its time as the clock has it.
type counted struct {
	actor.SupervisorStrategy
	within time.Duration
	clock  *Clock
	failed map[string][]time.Duration // of each child, when; at most as many as it may be restarted
}

func (c *counted) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, message any) {
	now, stats := c.clock.Elapsed(), actor.NewRestartStatistics()
	var recent []time.Duration
	for _, at := range c.failed[child.GetId()] {
		if c.within == 0 || now-at < c.within {
			recent = append(recent, at)
			stats.Fail()
		}
	}
	before := stats.FailureCount()
	c.SupervisorStrategy.HandleFailure(system, supervisor, child, stats, reason, message)
	if stats.FailureCount() > before {
		recent = append(recent, now)
	}
	if stats.FailureCount() == 0 { // it was stopped
		recent = nil
	}
	c.failed[child.GetId()] = recent
}

// backoff tells of a strategy that waits by the machine's clock.
type backoff struct {
	actor.SupervisorStrategy
	schedule *schedule
}

func (b *backoff) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, stats *actor.RestartStatistics, reason, message any) {
	b.schedule.backoff = true
	b.SupervisorStrategy.HandleFailure(system, supervisor, child, stats, reason, message)
}

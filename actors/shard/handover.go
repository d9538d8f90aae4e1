package shard

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// taking is how far an activation is with a shard that another process holds.
type taking struct {
	holder *actor.PID     // who was asked to give it up; nil: nobody is
	since  actors.Instant // when it was asked first
	force  bool           // it has had its time, or cannot be reached
}

type handTime struct{ of *shard }

// askHolder asks the shard's actor in another process, and again until it has
// answered or its time is up. What the answer says is found in the record.
func (s *shard) askHolder(ctx actor.Context, holder *actor.PID) {
	if s.taking.since == 0 {
		s.taking.since = s.cfg.Clock.Elapsed()
	}
	s.taking.holder = holder
	ctx.Request(holder, &messages.Deactivate{Shard: uint32(s.number)})
	s.timers.Set(handTime{}, s.cfg.PutAgain, ctx.Self(), &handTime{s})
}

func (s *shard) handDue(ctx actor.Context) {
	switch t := &s.taking; {
	case t.holder == nil:
	case s.cfg.Clock.Elapsed()-t.since >= s.cfg.HandOver:
		s.log.Warn("another process has not given the shard up in time; it is taken", "holder", t.holder.GetAddress())
		s.takeOver(ctx, true)
	default:
		s.askHolder(ctx, t.holder)
	}
}

// handed: the holder has given it up, or is not there to do so.
func (s *shard) handed(ctx actor.Context, answer any) {
	if s.taking.holder == nil {
		return
	}
	switch m := answer.(type) {
	case *messages.Deactivated:
		if int(m.GetShard()) == s.number {
			s.takeOver(ctx, false)
		}
	case *actor.DeadLetterResponse:
		s.takeOver(ctx, true)
	}
}

func (s *shard) takeOver(ctx actor.Context, force bool) {
	s.timers.Cancel(handTime{})
	if force {
		s.cfg.Sometimes.Reached(actors.ShardTakenAnyway)
	} else {
		s.cfg.Sometimes.Reached(actors.ShardHandedOver)
	}
	s.taking.holder, s.taking.force = nil, force
	s.load(ctx)
}

package shard

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// taking is how far an activation is with a shard that another process holds.
//
// A holder that is not reached from here may be there for its connections, and it
// delivers for as long as its lease lives, by what it knows: a shard that is taken
// from it before has two owners. So it is waited for until its record names it no
// more, or its lease has run out as others see it, when it has no actor: see
// Config.Holder. One that lives and does not answer has its time, and no longer.
type taking struct {
	holder *actor.PID     // who was asked to give it up; nil: nobody is
	since  actors.Instant // when it was asked first
	force  bool           // it has had its time
}

// notReached is how long until the record is looked at again of a holder that is
// out of reach.
const notReached = 500 * time.Millisecond

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
	t := &s.taking
	if t.holder == nil {
		return
	}
	force := s.cfg.Clock.Elapsed()-t.since >= s.cfg.HandOver
	if force {
		s.cfg.Sometimes.Reached(actors.ShardTakenAnyway)
		s.log().Warn("another process has not given the shard up in time; it is taken", "holder", t.holder.GetAddress())
	}
	s.takeOver(ctx, force)
}

// handed: the holder has given it up, or cannot be asked.
func (s *shard) handed(ctx actor.Context, answer any) {
	if s.taking.holder == nil {
		return
	}
	switch m := answer.(type) {
	case *messages.Deactivated:
		if int(m.GetShard()) == s.number {
			s.cfg.Sometimes.Reached(actors.ShardHandedOver)
			s.takeOver(ctx, false)
		}
	case *actor.DeadLetterResponse:
		s.timers.Set(handTime{}, notReached, ctx.Self(), &handTime{s})
	}
}

// takeOver reads the record again, and takes the shard or asks its holder again.
func (s *shard) takeOver(ctx actor.Context, force bool) {
	s.timers.Cancel(handTime{})
	s.taking.holder, s.taking.force = nil, force
	s.load(ctx)
}

package shard

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// leave is how far a shard is in giving itself up.
type leave struct {
	begun    bool
	found    bool // it is known which term is given up
	dropped  bool // the router has none of its queries any more
	released bool // the record names no owner
}

type (
	// found is a worker's word of the record.
	found struct {
		of       *shard
		record   *messages.Shard
		revision uint64
		err      error
	}
	// released is a worker's word that the record was written without an owner,
	// or of what is there instead.
	released struct {
		of *shard
		*committed
	}
	leaveTime struct{ of *shard }
)

// inactive owns nothing.
func (s *shard) inactive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Activate:
		s.wanted = true
		s.ask(ctx, true)
		s.activate(ctx)
	case *messages.Deactivate:
		s.wanted = false
		if from := ctx.Sender(); from != nil && from.GetAddress() != ctx.Self().GetAddress() {
			// Who asks from elsewhere has read that this process is the owner. A taking
			// that was begun here and given up may have happened later than its answer.
			s.ask(ctx, false)
			s.deactivate(ctx)
			return
		}
		s.behavior.Become(s.inactive)
		s.answer(ctx, &messages.Deactivated{Shard: uint32(s.number), Term: s.newest})
	case *messages.TakeSlot, *messages.FreeSlot, *messages.AskKey, *messages.KeyIdle: // of a key that is being stopped
	case *messages.Deactivated, *handTime:
	default:
		s.notOwner(ctx, m, ctx.Sender())
	}
}

// stepDown: another term in the record decides. Its slots are its own; whatever
// placed this shard here says what comes next.
func (s *shard) stepDown(ctx actor.Context, other *messages.Shard) {
	s.log().Error("another owner has taken the shard; this one stops serving it",
		"term", s.term, "other_term", other.GetTerm(), "other_node", cmp.Or(other.GetNode(), "unknown"))
	s.cfg.Count("shard_fenced")
	s.cfg.Sometimes.Reached(actors.OwnerSteppedDown)
	s.wanted = false
	s.stopServing(ctx)
	s.stopKeys(ctx)
	s.newest = max(s.newest, other.GetTerm())
	s.leave = leave{begun: true, found: true, released: true}
	s.behavior.Become(s.leaving)
	s.drop(ctx)
}

// keysTime is how long keys may take to settle what they owe.
const keysTime = 5 * time.Second

type keysLate struct{ of *shard }

// deactivate gives the shard up: its queries leave the router, its keys settle
// and stop, and then its record is released.
func (s *shard) deactivate(ctx actor.Context) {
	s.stopServing(ctx)
	for _, id := range slices.Sorted(maps.Keys(s.children)) {
		ctx.Send(s.children[id].pid, &messages.EndKey{})
	}
	s.timers.Set(keysLate{}, keysTime, ctx.Self(), &keysLate{s})
	// An instance that has taken no term may follow one that had, and failed:
	// the record says so.
	s.leave = leave{begun: true, found: s.term != 0}
	s.behavior.Become(s.leaving)
	if s.leave.found {
		s.drop(ctx)
		return
	}
	s.find(ctx)
}

// stopKeys stops those that are left, whatever they owe.
func (s *shard) stopKeys(ctx actor.Context) {
	for _, id := range slices.Sorted(maps.Keys(s.children)) {
		ctx.Stop(s.children[id].pid)
	}
}

// stopServing refuses who waits.
func (s *shard) stopServing(ctx actor.Context) {
	s.timers.Stop()
	s.timed, s.dirty, s.puts, s.left, s.taking = false, false, nil, 0, taking{}
	for _, h := range s.held.Take() {
		s.notOwner(ctx, h.Message, h.Sender)
	}
	for _, e := range append(s.batch, s.fresh...) {
		s.refuseSlot(ctx, e, detailMoved)
		if !e.gone {
			s.slots.remove(e)
		}
	}
	s.batch, s.fresh = nil, nil
	s.freed, s.freeing = nil, nil // they ask the next owner
	clear(s.cooling)
}

// leaving is until nothing of the term is left.
func (s *shard) leaving(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Activate:
		s.wanted = true
		s.ask(ctx, true)
	case *messages.Deactivate:
		s.wanted = false
		s.ask(ctx, false)
	case *messages.ShardDropped:
		if m.GetTerm() == s.term {
			s.leave.dropped = true
			s.leaveOn(ctx)
		}
	case *found:
		s.found(ctx, m)
	case *committed:
		s.lastWrite(ctx, m)
	case *released:
		s.released(ctx, m)
	case *leaveTime:
		s.leaveDue(ctx, m)
	case *keysLate:
		if m.of == s {
			s.stopKeys(ctx)
		}
	case *messages.TakeSlot:
		s.answer(ctx, &messages.SlotRefused{ConnectionId: m.GetSlot().GetConnectionId(), Detail: detailMoved, Retry: true})
	case *messages.FreeSlot: // its connection has ended: the record need not keep it
		s.forgetSlot(m.GetConnectionId())
	case *messages.Release: // as above; a key that settles wants to know
		if !s.forward(ctx, m.GetKeyId()) {
			s.forgetSlot(m.GetConnectionId())
		}
	case *messages.ReportCredit:
		s.forward(ctx, m.GetKeyId())
	case *messages.QueriesPut, *messages.Through, *messages.AskKey, *messages.KeyIdle, *activated, *messages.Deactivated, *handTime:
	default:
		s.notOwner(ctx, m, ctx.Sender())
	}
}

func (s *shard) forgetSlot(connection string) {
	if e := s.slots.byConnection[connection]; e != nil {
		s.slots.remove(e)
	}
}

// leaveOn comes with every answer: the record is released once the router has
// none of its queries and no key is left.
func (s *shard) leaveOn(ctx actor.Context) {
	switch {
	case !s.leave.dropped || len(s.children) > 0 || s.writing:
	case !s.leave.released:
		s.release(ctx)
	default:
		s.gone(ctx)
	}
}

// drop asks the router, and again until it has answered.
func (s *shard) drop(ctx actor.Context) {
	ctx.Request(s.cfg.Router, &messages.DropShard{Shard: uint32(s.number), Term: s.term})
	s.leaveAfter(ctx, s.cfg.PutAgain)
}

// leaveDue: there was no answer, or the store has failed.
func (s *shard) leaveDue(ctx actor.Context, m *leaveTime) {
	switch {
	case m.of != s:
	case !s.leave.found:
		s.find(ctx)
	case !s.leave.dropped:
		s.drop(ctx)
	default:
		s.leaveOn(ctx)
	}
}

func (s *shard) leaveAfter(ctx actor.Context, wait time.Duration) {
	s.timers.Set(leaveTime{}, wait, ctx.Self(), &leaveTime{s})
}

// find reads which term is given up.
func (s *shard) find(ctx actor.Context) {
	records, name := s.cfg.Records, actors.ShardRecord(s.number)
	s.work(ctx, func(work context.Context) any {
		f := &found{of: s, record: &messages.Shard{}}
		kept, err := records.Get(work, name)
		if f.revision = kept.Revision; err == nil {
			f.err = proto.Unmarshal(kept.Data, f.record)
		} else if !errors.Is(err, messages.ErrNotFound) {
			f.err = err
		}
		return f
	})
}

func (s *shard) found(ctx actor.Context, f *found) {
	switch {
	case f.of != s || s.leave.found:
		return
	case f.err != nil:
		wait := s.store.Failed()
		s.log().Warn("reading the shard's record failed; it is read again", "in", wait, "error", f.err)
		s.leaveAfter(ctx, wait)
		return
	case s.cfg.holds(f.record):
		s.term, s.revision = f.record.GetTerm(), f.revision
		s.slots.load(f.record)
		s.leave.found = true
		s.drop(ctx)
		return
	default: // somebody else's, or nobody's
		s.newest = max(s.newest, f.record.GetTerm())
		s.leave = leave{begun: true, found: true, dropped: true, released: true}
	}
	s.leaveOn(ctx)
}

// lastWrite is the end of the write that was under way.
func (s *shard) lastWrite(ctx actor.Context, c *committed) {
	if c.of != s {
		return
	}
	s.writing = false
	switch {
	case c.err == nil && c.there == nil, c.err == nil && c.there.GetTerm() == s.term:
		s.revision = c.revision
	case c.err == nil:
		s.leave.released = true // by another owner
	}
	s.leaveOn(ctx)
}

// release writes a record that names no owner. Its slots stay: their
// connections do.
func (s *shard) release(ctx actor.Context) {
	s.writing = true
	record := &messages.Shard{Term: s.term, Slots: list(s.slots.all)}
	records, name, revision := s.cfg.Records, actors.ShardRecord(s.number), s.revision
	s.work(ctx, func(work context.Context) any {
		return &released{s, write(work, records, name, record, revision)}
	})
}

func (s *shard) released(ctx actor.Context, r *released) {
	if r.of != s {
		return
	}
	s.writing = false
	switch {
	case r.err != nil:
		wait := s.store.Failed()
		s.log().Warn("releasing the shard's record failed; it is written again", "in", wait, "error", r.err)
		s.leaveAfter(ctx, wait)
		return
	case r.there != nil && r.there.GetTerm() == s.term && r.there.GetNode() != "":
		s.revision = r.revision // an earlier write, thought lost, had happened
	default:
		s.leave.released = true
	}
	s.leaveOn(ctx)
}

// gone: nothing of the term is left.
func (s *shard) gone(ctx actor.Context) {
	s.timers.Stop()
	s.store.Succeeded()
	s.slots = slots{}
	if s.term != 0 {
		s.says("a term is given up")
	}
	s.newest, s.term, s.leave = max(s.newest, s.term), 0, leave{}
	s.behavior.Become(s.inactive)
	s.tellAskers(ctx, false, &messages.Deactivated{Shard: uint32(s.number), Term: s.newest})
	if s.wanted {
		s.activate(ctx)
		return
	}
	s.tellAskers(ctx, true, &messages.Deactivated{Shard: uint32(s.number), Term: s.newest})
	s.cfg.Left(s.number)
}

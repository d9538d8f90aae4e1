package shard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// take counts the slot and has it written; committed answers.
//
// It counts what should be there, not what is: a slot given back makes room for
// another at once, since the write that holds the new one no longer holds the
// old one.
func (s *shard) take(ctx actor.Context, m *messages.TakeSlot) {
	slot := m.GetSlot()
	if e := s.slots.byConnection[slot.GetConnectionId()]; e != nil {
		if e.waiting == nil {
			s.tell(ctx, ctx.Sender(), &messages.SlotTaken{ConnectionId: slot.GetConnectionId()})
			return
		}
		e.waiting = ctx.Sender()
		return
	}
	refused := &messages.SlotRefused{ConnectionId: slot.GetConnectionId()}
	if s.slots.count(slot.GetKeyId(), slot.GetApi()) >= int(m.GetLimit()) {
		for _, e := range s.slots.which(slot.GetKeyId(), slot.GetApi(), s.cfg.Dead) {
			s.cfg.Sometimes.Reached(actors.DeadSlotsFreed)
			s.remove(ctx, e)
		}
	}
	full := s.slots.count(slot.GetKeyId(), slot.GetApi()) - int(m.GetLimit())
	switch {
	case s.cfg.Dead(slot): // it would be freed at any moment, as one that nobody holds
		refused.Detail, refused.Retry = "the connection's node is not known to be there yet: try again", true
	case full >= 0 && full >= len(s.slots.which(slot.GetKeyId(), slot.GetApi(), s.cfg.Doubtful)):
		s.cfg.Sometimes.Reached(actors.KeyFull)
		refused.Detail = fmt.Sprintf("all %d connections that the key may have are open", m.GetLimit())
	case full >= 0:
		refused.Detail, refused.Retry = "connections of a node that may have failed are not free yet: try again", true
	case s.full != "": // its write would fail after the wait that the last one has begun
		refused.Detail, refused.Retry = s.full, true
	case len(s.fresh)+len(s.batch) >= s.cfg.WaitersMost:
		refused.Detail, refused.Retry = "too many connections at once: try again", true
	default:
		e := s.slots.add(slot)
		e.waiting = ctx.Sender()
		s.fresh = append(s.fresh, e)
		s.changed(ctx, s.cfg.CommitAfter)
		return
	}
	s.tell(ctx, ctx.Sender(), refused)
}

// freed is whoever waits for the connection's slot to be gone from the record.
type freed struct {
	connection string
	asker      *actor.PID
}

// free answers once the record holds the slot no more: whoever is answered asks no
// more, and a process that ends before that write would leave the slot to a next
// owner, for whom it is a connection that may come still. Past its bound nobody is
// answered, and asks again.
func (s *shard) free(ctx actor.Context, connectionID string) {
	if e := s.slots.byConnection[connectionID]; e != nil {
		s.remove(ctx, e)
	}
	switch asker := ctx.Sender(); {
	case asker == nil:
	case !s.dirty && !s.writing:
		ctx.Send(asker, &messages.Released{ConnectionId: connectionID})
	case len(s.freed)+len(s.freeing) < s.cfg.WaitersMost:
		s.freed = append(s.freed, freed{connectionID, asker})
	}
}

// freedDurably tells those who wait for what the last write has made certain.
func (s *shard) freedDurably(ctx actor.Context) {
	if !s.dirty {
		s.freeing = append(s.freeing, s.freed...)
		s.freed = nil
	}
	for _, f := range s.freeing {
		ctx.Send(f.asker, &messages.Released{ConnectionId: f.connection})
	}
	s.freeing = nil
}

func (s *shard) remove(ctx actor.Context, e *entry) {
	s.slots.remove(e)
	s.changed(ctx, s.cfg.CommitAfter)
}

// changed has the record written, after wait or when the write under way ends.
func (s *shard) changed(ctx actor.Context, wait time.Duration) {
	s.dirty = true
	if s.writing || s.timed {
		return
	}
	s.timed = true
	s.timers.Set(commitTime{}, wait, ctx.Self(), &commitTime{s})
}

func (s *shard) commitDue(ctx actor.Context, m *commitTime) {
	if m.of != s {
		return
	}
	s.timed = false
	if s.dirty && !s.writing {
		s.commit(ctx)
	}
}

// committed is a worker's answer: written, or what is there instead, or err.
type committed struct {
	of       *shard
	revision uint64
	there    *messages.Shard // another revision than the one written against
	err      error
}

func (s *shard) commit(ctx actor.Context) {
	s.writing, s.dirty = true, false
	s.batch, s.fresh = s.fresh, nil
	s.freeing, s.freed = append(s.freeing, s.freed...), nil
	record := &messages.Shard{Term: s.term, Node: s.cfg.Node, Incarnation: s.cfg.Incarnation, Slots: list(s.slots.all)}
	records, name, revision := s.cfg.Records, actors.ShardRecord(s.number), s.revision
	s.work(ctx, func(work context.Context) any {
		c := write(work, records, name, record, revision)
		c.of = s
		return c
	})
}

// write asks until the answer is certain, for as long as the store takes to
// give the same uncertain one three times.
func write(ctx context.Context, records actors.Records, name string, record *messages.Shard, revision uint64) *committed {
	data, err := proto.Marshal(record)
	if err != nil {
		return &committed{err: err}
	}
	for range 3 {
		written, err := records.CAS(ctx, name, data, revision)
		if err == nil {
			return &committed{revision: written}
		}
		if errors.Is(err, messages.ErrFull) {
			return &committed{err: err}
		}
		c := reread(ctx, records, name)
		if c.err == nil && c.revision != revision {
			return c
		}
	}
	return &committed{err: fmt.Errorf("write %s: %w", name, messages.ErrAmbiguous)}
}

// reread finds what is there. A record that is gone was nobody's to delete: it
// reads as term 0, which is not ours.
func reread(ctx context.Context, records actors.Records, name string) *committed {
	c := &committed{there: &messages.Shard{}}
	kept, err := records.Get(ctx, name)
	if errors.Is(err, messages.ErrNotFound) {
		return c
	}
	if c.revision, c.err = kept.Revision, err; err == nil {
		c.err = proto.Unmarshal(kept.Data, c.there)
	}
	return c
}

func (s *shard) committed(ctx actor.Context, c *committed) {
	if c.of != s {
		return
	}
	s.writing = false
	switch {
	case c.err != nil:
		s.commitFailed(ctx, c.err)
		return
	case c.there == nil:
		for _, e := range s.batch {
			s.durable(ctx, e)
		}
		s.batch = nil
		s.freedDurably(ctx)
	case c.there.GetTerm() != s.term:
		s.stepDown(ctx, c.there)
		return
	default:
		s.adopt(ctx, c.there)
	}
	s.revision, s.full = c.revision, ""
	s.store.Succeeded()
	if s.dirty {
		s.commit(ctx)
	}
}

// adopt: an earlier write of this term, thought lost, had happened. What it
// holds is durable; the rest is written again.
func (s *shard) adopt(ctx actor.Context, record *messages.Shard) {
	there := map[string]bool{}
	for _, slot := range record.GetSlots() {
		there[slot.GetConnectionId()] = true
	}
	batch := s.batch
	s.batch = nil
	for _, e := range batch {
		if there[e.slot.GetConnectionId()] {
			s.durable(ctx, e)
		} else {
			s.fresh = append(s.fresh, e)
		}
	}
	s.dirty = true
}

// commitFailed refuses those that waited. Their slots may be in the record
// all the same, so it is written again until it is known to hold none of them.
func (s *shard) commitFailed(ctx actor.Context, err error) {
	wait := s.store.Failed()
	if s.full = ""; errors.Is(err, messages.ErrFull) {
		s.full = actors.StoreDetail(err)
	}
	s.log().Warn("writing the shard's record failed; it is written again", "in", wait, "error", err)
	for _, e := range s.batch {
		s.refuseSlot(ctx, e, actors.StoreDetail(err))
		if !e.gone {
			s.slots.remove(e)
		}
	}
	s.batch = nil
	s.changed(ctx, wait)
}

// durable: the entry is in the record, unless it was freed in between.
func (s *shard) durable(ctx actor.Context, e *entry) {
	if e.gone {
		s.refuseSlot(ctx, e, "the connection has ended")
		return
	}
	s.tell(ctx, e.waiting, &messages.SlotTaken{ConnectionId: e.slot.GetConnectionId()})
	e.waiting = nil
}

func (s *shard) refuseSlot(ctx actor.Context, e *entry, detail string) {
	s.tell(ctx, e.waiting, &messages.SlotRefused{ConnectionId: e.slot.GetConnectionId(), Detail: detail, Retry: true})
	e.waiting = nil
}

// tell answers a child, which then is not idle.
func (s *shard) tell(ctx actor.Context, to *actor.PID, message any) {
	if to == nil {
		return
	}
	if c := s.byPID[to.GetId()]; c != nil {
		c.asked = 0
	}
	ctx.Send(to, message)
}

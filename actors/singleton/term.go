package singleton

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

// This file is the record: taking a term, giving it back, and being fenced.

const (
	// takeAgain is how long one that was given up is left to whoever wanted it.
	takeAgain = time.Second
	// notReached is how long until the record is looked at again of a holder that
	// is out of reach: it may run by what it knows until its lease has run out.
	notReached = 500 * time.Millisecond
)

// answered is a worker's word of the record.
type answered struct {
	of     *singleton
	step   uint64
	do     state // what was to be done: taking, running (to verify), releasing
	tenure *messages.Tenure
	holder *actor.PID // who has it and is to give it up first; nothing was taken
	former *actor.PID // who had it and did not give it up
	err    error
}

func (s *singleton) work(ctx actor.Context, do state, work func(ctx context.Context, a *answered)) {
	s.step++
	a := &answered{of: s, step: s.step, do: do}
	actors.Work(s.cfg.Clock, s.cfg.Worker, ctx.Self(), s, s.cfg.StoreTimeout, func(ctx context.Context) any {
		work(ctx, a)
		return a
	})
}

func (s *singleton) begin(ctx actor.Context, what state) {
	s.timers.Stop()
	if s.state = what; what == releasing {
		s.release(ctx)
	}
}

func (s *singleton) take(ctx actor.Context, force bool) {
	cfg, newest := s.cfg, s.newest
	s.work(ctx, taking, func(ctx context.Context, a *answered) { a.err = take(ctx, cfg, newest, force, a) })
}

func take(ctx context.Context, cfg Config, newest uint64, force bool, a *answered) error {
	name := actors.SingletonRecord(cfg.Name)
	old, revision, err := read(ctx, cfg.Records, name)
	damaged := errors.Is(err, messages.ErrDamaged)
	if err != nil && !damaged {
		return err
	}
	if old.GetNode() != "" && (old.GetNode() != cfg.Node || old.GetIncarnation() != cfg.Incarnation) {
		if a.former, err = cfg.Holder(ctx, old.GetNode(), old.GetIncarnation()); err != nil {
			return fmt.Errorf("take %s: %w", name, err)
		}
		if a.former != nil && !force {
			a.holder = a.former
			return nil
		}
	}
	tenure := &messages.Tenure{Term: max(old.GetTerm(), newest) + 1, Node: cfg.Node, Incarnation: cfg.Incarnation}
	if damaged { // above every term that it can have had
		tenure.Term = max(newest, cfg.Incarnation<<10) + 1
	}
	data, err := proto.Marshal(tenure)
	if err != nil {
		return fmt.Errorf("take %s: %w", name, err)
	}
	if damaged {
		_, err = cfg.Records.Mend(ctx, name, data)
	} else {
		_, err = cfg.Records.CAS(ctx, name, data, revision)
	}
	if err != nil { // also where it may have happened: the next term is higher than either
		return fmt.Errorf("take %s: %w", name, err)
	}
	a.tenure = tenure
	return nil
}

// read is the record; empty where there is none. messages.ErrDamaged where it
// cannot be read.
func read(ctx context.Context, records actors.Records, name string) (*messages.Tenure, uint64, error) {
	tenure := &messages.Tenure{}
	kept, err := records.Get(ctx, name)
	switch {
	case errors.Is(err, messages.ErrNotFound):
		return tenure, 0, nil
	case err != nil:
		return tenure, 0, fmt.Errorf("read %s: %w", name, err)
	}
	if err := proto.Unmarshal(kept.Data, tenure); err != nil {
		return &messages.Tenure{}, 0, fmt.Errorf("read %s: %w", name, messages.ErrDamaged)
	}
	return tenure, kept.Revision, nil
}

// release writes a record that names nobody, where it names this process.
func (s *singleton) release(ctx actor.Context) {
	cfg := s.cfg
	s.work(ctx, releasing, func(ctx context.Context, a *answered) {
		name := actors.SingletonRecord(cfg.Name)
		var revision uint64
		if a.tenure, revision, a.err = read(ctx, cfg.Records, name); errors.Is(a.err, messages.ErrDamaged) {
			a.err = nil // whoever takes it writes it again
			return
		}
		if a.err != nil || a.tenure.GetNode() != cfg.Node || a.tenure.GetIncarnation() != cfg.Incarnation {
			return
		}
		data, err := proto.Marshal(&messages.Tenure{Term: a.tenure.GetTerm()})
		if err == nil {
			_, err = cfg.Records.CAS(ctx, name, data, revision)
		}
		a.err = err
	})
}

// verify finds out whether the term is still its own, after placement has changed.
func (s *singleton) verify(ctx actor.Context) {
	cfg := s.cfg
	s.work(ctx, running, func(ctx context.Context, a *answered) {
		a.tenure, _, a.err = read(ctx, cfg.Records, actors.SingletonRecord(cfg.Name))
	})
}

func (s *singleton) answered(ctx actor.Context, a *answered) {
	if a.err != nil {
		if a.do == running {
			return // the next view asks again, and every write is fenced
		}
		wait := s.store.Failed()
		s.cfg.Logger.Warn("the record of a singleton cannot be read or written; it is tried again", "name", s.cfg.Name, "in", wait, "error", a.err)
		s.timers.Set(storeTime{}, wait, ctx.Self(), &storeTime{s})
		return
	}
	s.store.Succeeded()
	switch a.do {
	case taking:
		s.tookOrAsk(ctx, a)
	case running:
		if a.tenure.GetTerm() != s.term {
			s.taken(ctx, a.tenure.GetTerm())
		}
	case releasing:
		s.newest = max(s.newest, a.tenure.GetTerm())
		s.gone(ctx)
	}
}

func (s *singleton) storeDue(ctx actor.Context) {
	switch {
	case s.state == releasing:
		s.release(ctx)
	case s.state == taking:
		s.take(ctx, false)
	}
}

func (s *singleton) tookOrAsk(ctx actor.Context, a *answered) {
	if a.holder != nil {
		s.ask(ctx, a.holder)
		return
	}
	s.timers.Stop()
	s.state, s.holder, s.term = running, nil, a.tenure.GetTerm()
	s.newest = s.term
	if a.former != nil {
		ctx.Send(a.former, &messages.SingletonTaken{Name: s.cfg.Name, Term: s.term})
	}
	s.child = ctx.Spawn(s.cfg.Child(s.term, &fenced{s.cfg.Records, s.cfg.Name, s.cfg.Lease, s.term}))
	s.look(ctx) // its place may be elsewhere by now
}

// ask has the holder give it up, and again until it has answered or had its time.
// What the answer says is found in the record.
func (s *singleton) ask(ctx actor.Context, holder *actor.PID) {
	if s.since == 0 {
		s.since = s.cfg.Clock.Elapsed()
	}
	s.holder = holder
	ctx.Request(holder, &messages.LeaveSingleton{Name: s.cfg.Name})
	s.timers.Set(askTime{}, s.cfg.AskAgain, ctx.Self(), &askTime{s})
}

func (s *singleton) askDue(ctx actor.Context) {
	if s.state != taking || s.holder == nil {
		return
	}
	force := s.cfg.Clock.Elapsed()-s.since >= s.cfg.HandOver
	if force {
		s.cfg.Logger.Warn("another process has not given it up in time; it is taken", "name", s.cfg.Name, "holder", s.holder.GetAddress())
	}
	s.holder = nil
	s.take(ctx, force)
}

// handed: the holder has given it up, or cannot be asked.
func (s *singleton) handed(ctx actor.Context, m any) {
	if s.state != taking || s.holder == nil {
		return
	}
	if _, left := m.(*messages.SingletonLeft); !left {
		s.timers.Set(askTime{}, notReached, ctx.Self(), &askTime{s})
		return
	}
	s.holder = nil
	s.timers.Stop()
	s.take(ctx, false)
}

// fenced are records that only the present term may write. Between the look at the
// record and the write another may take the term: what is written then was true
// under the term before, and the next one reads it or writes over it by revision.
type fenced struct {
	actors.Records
	name  string
	lease actors.Lease
	term  uint64
}

func (f *fenced) check(ctx context.Context) error {
	if !f.lease.Live() {
		return fmt.Errorf("write for %s: %w: the node's lease is not live", f.name, messages.ErrFenced)
	}
	tenure, _, err := read(ctx, f.Records, actors.SingletonRecord(f.name))
	if err != nil {
		return fmt.Errorf("write for %s: %w", f.name, err)
	}
	if tenure.GetTerm() != f.term {
		return fmt.Errorf("write for %s: %w: the term is %d, ours was %d", f.name, messages.ErrFenced, tenure.GetTerm(), f.term)
	}
	return nil
}

func (f *fenced) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	return f.Records.CAS(ctx, key, data, revision)
}

func (f *fenced) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	return f.Records.Mend(ctx, key, data)
}

func (f *fenced) Delete(ctx context.Context, key string, revision uint64) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	return f.Records.Delete(ctx, key, revision)
}

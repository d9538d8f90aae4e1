// Package source is one upstream as an actor: it reads it through an Adapter,
// asks the item table what is new, changed or withdrawn, and offers that to
// its node's journal.
//
//	starting --mark read--> idle --timer--> polling --drafts--> appending --all--> marking
//	   |                     ^                 |                    |                 |
//	   +--failed: later------+----- failed: backoff, for ever ------+                 |
//	                         +--------------------------------------------------------+
//
// It never stops for ever: an upstream that fails is asked again, after a time
// that doubles up to an hour, and what went wrong last can be asked for.
//
// Bounds: one poll at a time, one batch of MaxOffer drafts in the appender,
// one offer unacknowledged. While the journal refuses, the source waits and
// reads nothing; what its upstream drops in that time is lost, and memory is not.
//
// A restart means: the same actor again from its saved mark. What was offered
// and not acknowledged is offered again under the same ids, which the log
// knows. Two nodes that hold the same source for a while do the same to each
// other: it costs work, and delivers nothing twice.
//
// PushProps is the other kind: the one source of its node that reads nothing
// and is told what to append (intake.go).
//
// The package never decides who gets an event, and never writes the table
// before the log holds the event.
package source

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/source/item"
	"github.com/birdwire/birdwire/messages"
)

type state uint8

const (
	starting state = iota
	idle
	polling
	appending
	marking
)

// source is the actor.
type source struct {
	cfg      Config
	ids      *ids
	appender appender
	state    state
	figures  figures

	step     uint64 // names the one job or timer under way
	cancel   func()
	mark     []byte
	revision uint64 // of the mark's record
	next     []byte // the mark once drafts are durable; nil: keep the old one
	after    time.Duration
	drafts   []*messages.Event // of the last poll, not yet begun
	failed   error             // of the last poll, where it left a mark to save all the same
	retries  int               // of reading the mark
}

type (
	due      struct{ step uint64 }
	markRead struct {
		step     uint64
		mark     []byte
		revision uint64
		err      error
	}
	markSaved struct {
		step     uint64
		revision uint64
		err      error
	}
	polled struct {
		step   uint64
		drafts []*messages.Event
		next   []byte
		after  time.Duration
		took   time.Duration
		err    error
	}
)

// Props describes a source that polls.
func Props(cfg Config) *actor.Props {
	cfg = cfg.withDefaults()
	return cfg.Props("source", func() actor.Actor { return newSource(cfg) }, noChildren())
}

func noChildren() actor.SupervisorStrategy {
	return actor.NewOneForOneStrategy(0, 0, actor.DefaultDecider)
}

func newSource(cfg Config) *source {
	s := &source{cfg: cfg, ids: newIDs(cfg.Rand)}
	s.appender = appender{cfg: &s.cfg, ids: s.ids, patient: true, done: s.batchDone}
	return s
}

func (s *source) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.readMark(ctx)
	case *actor.Restarting, *actor.Stopping:
		s.rest()
		s.appender.stop()
	case *markRead:
		if m.step == s.step {
			s.markRead(ctx, m)
		}
	case *due:
		if m.step == s.step {
			s.due(ctx)
		}
	case *polled:
		if m.step == s.step {
			s.polled(ctx, m)
		}
	case *markSaved:
		if m.step == s.step {
			s.markSaved(ctx, m)
		}
	case *actors.WorkPanicked:
		s.panicked(ctx)
	case *messages.DescribeSource:
		ctx.Respond(s.describe())
	default:
		s.appender.receive(ctx)
	}
}

// readMark never gives up: without the mark everything would be read again,
// and a record that cannot be read now cannot be written later either. One that
// is damaged will not come back: then everything is read again.
func (s *source) readMark(ctx actor.Context) {
	s.state = starting
	step, records, key := s.begun(), s.cfg.Records, actors.MarkRecord(s.cfg.ID)
	if !s.cfg.Worker.Do(ctx.Self(), s.cfg.TableTimeout, func(c context.Context) any {
		kept, err := records.Get(c, key)
		if errors.Is(err, messages.ErrNotFound) || errors.Is(err, messages.ErrDamaged) {
			return &markRead{step: step}
		}
		return &markRead{step: step, mark: kept.Data, revision: kept.Revision, err: err}
	}) {
		s.later(ctx, jitter(s.cfg.Rand, poolRetry))
	}
}

func (s *source) markRead(ctx actor.Context, m *markRead) {
	if m.err != nil {
		s.figures.failure(s.cfg, "read mark", m.err)
		s.retries++
		s.later(ctx, s.backoff(s.retries))
		return
	}
	s.mark, s.revision = m.mark, m.revision
	if r, ok := s.cfg.Adapter.(Remembering); ok {
		s.figures.warning = r.Remembered(s.mark)
	}
	s.state = idle
	if s.mark == nil { // a new source: somebody waits for its first words
		s.later(ctx, 0)
		return
	}
	spread := min(s.cfg.Interval, spreadMost)
	s.later(ctx, time.Duration(s.cfg.Rand.Uint64N(uint64(spread)+1)))
}

func (s *source) due(ctx actor.Context) {
	if s.state == starting {
		s.readMark(ctx)
		return
	}
	s.poll(ctx)
}

func (s *source) poll(ctx actor.Context) {
	step, adapter, mark, clock := s.begun(), s.cfg.Adapter, s.mark, s.cfg.Clock
	if !s.cfg.Polls.Do(ctx.Self(), s.cfg.PollTimeout, func(c context.Context) any {
		began := clock.Elapsed()
		drafts, next, after, err := adapter.Poll(c, mark)
		return &polled{step: step, drafts: drafts, next: next, after: after, took: clock.Elapsed() - began, err: err}
	}) {
		s.later(ctx, jitter(s.cfg.Rand, poolRetry))
		return
	}
	s.state = polling
}

func (s *source) polled(ctx actor.Context, m *polled) {
	s.after = clamp(m.after, 0, maxAfter)
	if m.err == nil && m.next == nil {
		s.state = idle
		s.later(ctx, max(s.after, poolRetry))
		return
	}
	var warned Warning
	if errors.As(m.err, &warned) {
		m.err = nil
	}
	s.cfg.Observe(Observation{Source: s.cfg.ID, Kind: s.cfg.Kind, Polled: true, Took: m.took, Err: m.err})
	s.next, s.failed = m.next, m.err
	if m.err != nil {
		s.figures.failure(s.cfg, "poll", m.err)
		s.saveMark(ctx)
		return
	}
	warning := ""
	if warned != nil {
		warning = warned.Warning()
	}
	s.figures.warned(s.cfg, warning)
	s.drafts = lastOfEach(m.drafts)
	s.state = appending
	s.nextBatch(ctx)
}

// lastOfEach drops all but the last draft of an identity: an upstream that
// lists one twice would otherwise change it back and forth with every poll.
func lastOfEach(drafts []*messages.Event) []*messages.Event {
	last := make(map[string]int, len(drafts))
	for i, d := range drafts {
		if a := d.GetArticle().GetArticle(); a != nil {
			last[item.Identity(a)] = i
		}
	}
	kept := make([]*messages.Event, 0, len(drafts))
	for i, d := range drafts {
		a := d.GetArticle().GetArticle()
		if a == nil || last[item.Identity(a)] == i {
			kept = append(kept, d)
		}
	}
	return kept
}

func (s *source) nextBatch(ctx actor.Context) {
	if len(s.drafts) == 0 {
		s.drafts = nil
		s.figures.success(s.cfg)
		s.saveMark(ctx)
		return
	}
	n := min(MaxOffer, len(s.drafts))
	batch := s.drafts[:n]
	s.drafts = s.drafts[n:]
	s.appender.begin(ctx, batch)
}

func (s *source) batchDone(ctx actor.Context) {
	s.figures.count(s.cfg, s.appender.drafts, s.appender.fates, s.appender.err)
	err := s.appender.err
	if err == nil {
		err = s.appender.logErr
	}
	s.appender.release()
	if err != nil { // the mark stays where it was: everything is read again
		s.drafts, s.next = nil, nil
		s.figures.failure(s.cfg, "append", err)
		s.failed = err
		s.saveMark(ctx)
		return
	}
	s.nextBatch(ctx)
}

func (s *source) saveMark(ctx actor.Context) {
	if s.next == nil || bytes.Equal(s.next, s.mark) {
		s.sleep(ctx)
		return
	}
	s.mark = s.next
	step, records, key := s.begun(), s.cfg.Records, actors.MarkRecord(s.cfg.ID)
	mark, revision := s.mark, s.revision
	s.state = marking
	if !s.cfg.Worker.Do(ctx.Self(), s.cfg.TableTimeout, func(c context.Context) any {
		written, err := records.CAS(c, key, mark, revision)
		if errors.Is(err, messages.ErrDamaged) { // what it said is lost, and only saves reading
			written, err = records.Mend(c, key, mark)
		}
		if errors.Is(err, messages.ErrConflict) {
			// Another node holds this source too. Neither mark is wrong: the
			// later one saves reading.
			var kept messages.KeptRecord
			if kept, err = records.Get(c, key); err == nil || errors.Is(err, messages.ErrNotFound) {
				written, err = records.CAS(c, key, mark, kept.Revision)
			}
		}
		return &markSaved{step: step, revision: written, err: err}
	}) {
		s.sleep(ctx) // the next poll's mark will be saved with what this one knew
	}
}

// markSaved goes on without the record: it is only what a restart saves reading.
func (s *source) markSaved(ctx actor.Context, m *markSaved) {
	if m.err != nil {
		s.cfg.Logger.Warn("mark not saved; a restart would read more again than it had to", "error", m.err)
	} else {
		s.revision = m.revision
	}
	s.sleep(ctx)
}

// sleep waits for the next poll: no sooner than the interval or the backoff,
// and no sooner than the upstream asked for.
func (s *source) sleep(ctx actor.Context) {
	s.state = idle
	wait := s.cfg.Interval*9/10 + time.Duration(s.cfg.Rand.Uint64N(uint64(s.cfg.Interval/5)+1))
	if s.failed != nil {
		wait = s.backoff(int(s.figures.failures))
		s.failed = nil
	}
	s.later(ctx, max(wait, s.after))
}

// backoff doubles from the interval, or ten seconds where that is shorter.
func (s *source) backoff(failures int) time.Duration {
	d := max(min(s.cfg.Interval, backoffFirst), time.Second)
	for range min(failures-1, 20) {
		d = min(2*d, s.cfg.BackoffMost)
	}
	return jitter(s.cfg.Rand, d)
}

// panicked is an error like any other. The pool has counted it; which job it
// was follows from the state, as there is only one at a time.
func (s *source) panicked(ctx actor.Context) {
	switch s.state {
	case starting:
		s.markRead(ctx, &markRead{err: errPanicked})
	case polling:
		s.polled(ctx, &polled{err: errPanicked})
	case appending:
		s.appender.panicked(ctx)
	case marking:
		s.markSaved(ctx, &markSaved{err: errPanicked})
	case idle: // a job of before a restart
	}
}

func (s *source) later(ctx actor.Context, d time.Duration) {
	step := s.begun()
	s.figures.next = s.cfg.Clock.Now().Add(d)
	s.cancel = s.cfg.Clock.After(d, ctx.Self(), &due{step})
}

// begun names a new step and so ends the last one.
func (s *source) begun() uint64 {
	s.rest()
	s.step = s.ids.next()
	return s.step
}

func (s *source) rest() {
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
	s.figures.next = time.Time{}
}

package enricher

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// lane is one part of the articles.
type lane struct {
	ours  bool              // and its mark is known
	seen  messages.Position // everything at or before it was taken in
	saved messages.Position // the mark in the store
	at    uint64            // its record's revision
}

// marksRead is what the store says of lanes that have become ours.
type marksRead struct {
	asked  uint64
	lanes  []int
	marks  []mark
	epoch  string
	before messages.Position // the log's first
	err    error
}

type mark struct {
	position messages.Position
	revision uint64
}

// look takes the lanes that have become ours, and lets go of those that are not
// any more.
func (e *enricher) look(ctx actor.Context) {
	e.set(ctx, lookTime{}, e.cfg.LookEvery)
	var wanted []int
	for i := range e.lanes {
		switch ours := e.cfg.Owns(i); {
		case ours && !e.lanes[i].ours:
			wanted = append(wanted, i)
		case !ours && e.lanes[i].ours:
			e.lanes[i] = lane{}
			e.forgetLane(i)
		}
	}
	if len(wanted) == 0 || e.marks != 0 {
		return
	}
	e.marks = e.question()
	asked, records, replays := e.marks, e.cfg.Records, e.cfg.Replays
	e.work(ctx, e.cfg.Worker, func(c context.Context) any {
		m := &marksRead{asked: asked, lanes: wanted}
		if m.epoch, m.before, m.err = replays.Begin(c); m.err == nil {
			m.marks, m.err = readMarks(c, records, wanted, m.epoch, m.before)
		}
		return m
	})
}

// readMarks reads those of the lanes. One that is not there, that is damaged or
// that speaks of another log begins at the log's first position: what was
// enriched before is there, too, and is not done again.
func readMarks(c context.Context, records actors.Records, lanes []int, epoch string, before messages.Position) ([]mark, error) {
	marks := make([]mark, len(lanes))
	for i, l := range lanes {
		marks[i].position = before
		kept, err := records.Get(c, actors.EnrichRecord(l))
		switch {
		case errors.Is(err, messages.ErrNotFound), errors.Is(err, messages.ErrDamaged):
			continue
		case err != nil:
			return nil, err
		}
		marks[i].revision = kept.Revision
		var m messages.EnrichMark
		if proto.Unmarshal(kept.Data, &m) == nil && m.GetEpoch() == epoch {
			marks[i].position = max(before, messages.Position(m.GetPosition()))
		}
	}
	return marks, nil
}

// marksRead begins with the lanes at their marks. Where the log was read past
// one of them already it is read again from there, for that lane alone.
func (e *enricher) marksRead(ctx actor.Context, m *marksRead) {
	if m.asked != e.marks {
		return
	}
	e.marks = 0
	if m.err != nil {
		e.cfg.Logger.Warn("articles are not enriched yet: how far they are cannot be read", "error", m.err)
		return // looked for again in a moment
	}
	e.epoch = m.epoch
	from := e.follower.Place().Position
	for i, l := range m.lanes {
		p := m.marks[i].position
		e.lanes[l] = lane{ours: true, seen: p, saved: p, at: m.marks[i].revision}
		if from == 0 || p < from {
			from = p
		}
	}
	if place := e.follower.Place().Position; !e.began && !e.apart || from < place {
		for i := range e.lanes {
			if e.lanes[i].ours && !slices.Contains(m.lanes, i) {
				e.lanes[i].seen = max(e.lanes[i].seen, place)
			}
		}
		e.follow(ctx, follow.End(from))
	}
}

// marksSaved is the store's answer.
type marksSaved struct {
	asked uint64
	lanes []int
	marks []mark
	err   error
}

// save writes the marks that have moved. A mark that another node has written
// meanwhile is as true as ours: the higher one stays.
func (e *enricher) save(ctx actor.Context) {
	if e.marks != 0 || !e.began && !e.apart {
		return
	}
	reached := e.reached()
	var lanes []int
	var to []mark
	for i, l := range e.lanes {
		if l.ours && reached[i] > l.saved {
			lanes, to = append(lanes, i), append(to, mark{reached[i], l.at})
		}
	}
	if len(lanes) == 0 {
		return
	}
	e.marks = e.question()
	asked, records, epoch := e.marks, e.cfg.Records, e.epoch
	e.work(ctx, e.cfg.Worker, func(c context.Context) any {
		m := &marksSaved{asked: asked, lanes: lanes, marks: to}
		for i := range to {
			if m.err = to[i].save(c, records, actors.EnrichRecord(lanes[i]), epoch); m.err != nil {
				m.lanes, m.marks = lanes[:i], to[:i]
				break
			}
		}
		return m
	})
}

func (m *mark) save(c context.Context, records actors.Records, key, epoch string) error {
	data, err := proto.Marshal(&messages.EnrichMark{Epoch: epoch, Position: uint64(m.position)})
	if err != nil {
		return err
	}
	revision, err := records.CAS(c, key, data, m.revision)
	if errors.Is(err, messages.ErrDamaged) {
		revision, err = records.Mend(c, key, data)
	}
	if errors.Is(err, messages.ErrConflict) {
		kept, err := records.Get(c, key)
		if err != nil {
			return err
		}
		var stored messages.EnrichMark
		m.revision = kept.Revision
		if proto.Unmarshal(kept.Data, &stored) == nil && stored.GetEpoch() == epoch && stored.GetPosition() >= uint64(m.position) {
			m.position = messages.Position(stored.GetPosition())
			return nil
		}
		if m.revision, err = records.CAS(c, key, data, kept.Revision); errors.Is(err, messages.ErrConflict) {
			return nil // written by another once more: it is tried again with the next one
		}
		return err
	}
	m.revision = revision
	return err
}

func (e *enricher) marksSaved(m *marksSaved) {
	if m.asked != e.marks {
		return
	}
	e.marks = 0
	if m.err != nil {
		e.cfg.Logger.Warn("how far articles are enriched was not saved: a restart would do more again than it had to", "error", m.err)
	}
	for i, l := range m.lanes {
		if e.lanes[l].ours {
			e.lanes[l].saved, e.lanes[l].at = m.marks[i].position, m.marks[i].revision
		}
	}
}

// reached is up to where each lane is done: before the oldest thing that is
// not, or as far as the log was followed.
func (e *enricher) reached() (to [Lanes]messages.Position) {
	place := e.follower.Place().Position
	for i, l := range e.lanes {
		to[i] = max(place, l.seen)
	}
	for _, j := range e.jobs {
		to[j.lane] = min(to[j.lane], j.position-1)
	}
	for _, w := range e.writes {
		l := LaneOf(w.article.GetNumber())
		to[l] = min(to[l], w.position-1)
	}
	return to
}

func (e *enricher) set(ctx actor.Context, timer any, d time.Duration) {
	e.timers.Set(timer, d, ctx.Self(), timer)
}

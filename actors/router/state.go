package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// voidsMost bounds the repeats that are remembered by position; a replay from
// before the oldest of them reads the log's window instead.
const voidsMost = 262_144

// State is what must survive a restart of the actor: where it is in the
// log and what is asked of it. One actor uses it at a time.
type State struct {
	next   uint64 // the sequence that is handled next
	done   int    // how many of its events are handled already
	window *repeat.Window
	voids  voids

	index         *index.Index
	subscriptions subscriptions
	unowned       map[index.ID]bool // put for changes that are not committed yet
	trying        uint64            // the sequence being handled; a panic in it leaves it set
}

// Begin reads the newest stretch of the log, so that the first live event is
// judged as every other router judges it, and so that the repeats of the
// newest repeat.Size events are known by position.
func Begin(ctx context.Context, log replay.Log, cfg index.Config) (*State, error) {
	first, last, err := log.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("begin router: bounds: %w", err)
	}
	s := &State{next: last + 1, index: index.New(cfg), subscriptions: newSubscriptions(), unowned: map[index.ID]bool{}}
	from, err := twoWindowsBefore(ctx, log, last+1, first)
	if err != nil {
		return nil, err
	}
	if err := s.read(ctx, log, from, first, last); err != nil {
		return nil, fmt.Errorf("begin router: %w", err)
	}
	return s, nil
}

// twoWindowsBefore returns a sequence from which at least 2*repeat.Size events
// are read to the end, or the first one held.
func twoWindowsBefore(ctx context.Context, log replay.Log, end, first uint64) (uint64, error) {
	for span := uint64(2 * repeat.Size / 256); ; span *= 4 {
		if end <= max(first, 1)+span {
			return max(first, 1), nil
		}
		events, err := count(ctx, log, end-span, end)
		if err != nil || events >= 2*repeat.Size {
			return end - span, err
		}
	}
}

func count(ctx context.Context, log replay.Log, from, end uint64) (events int, err error) {
	err = each(ctx, log, from, end, func(_ uint64, f *messages.Frame) { events += len(f.GetEvents()) })
	return events, err
}

// read fills the window, and the voids of all but the warming first window.
func (s *State) read(ctx context.Context, log replay.Log, from, first, last uint64) error {
	s.window = repeat.NewPlaced()
	seen := 0
	if from > max(first, 1) {
		s.voids.since = messages.EndOf(last)
	}
	warm := from <= max(first, 1)
	return each(ctx, log, from, last+1, func(sequence uint64, f *messages.Frame) {
		for i, e := range f.GetEvents() {
			if seen++; !warm && seen > repeat.Size {
				warm, s.voids.since = true, messages.At(sequence, i)-1
			}
			if s.window.AddAt(e.GetId(), messages.At(sequence, i)) && warm {
				s.voids.add(messages.At(sequence, i))
			}
		}
	})
}

func each(ctx context.Context, log replay.Log, from, end uint64, do func(uint64, *messages.Frame)) error {
	if from >= end {
		return nil
	}
	frames, err := log.Read(ctx, from)
	if err != nil {
		return fmt.Errorf("read from %d: %w", from, err)
	}
	defer frames.Close()
	for {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) || err == nil && entry.Sequence >= end {
			return nil
		}
		if err != nil {
			return err
		}
		do(entry.Sequence, entry.Frame)
	}
}

// Fork is another router's state at the same place of the log, with nobody
// subscribed: the log's newest stretch is read once for both.
func (s *State) Fork(cfg index.Config) *State {
	return &State{
		next: s.next, window: s.window.Clone(), voids: voids{since: s.voids.since, positions: slices.Clone(s.voids.positions)},
		index: index.New(cfg), subscriptions: newSubscriptions(), unowned: map[index.ID]bool{},
	}
}

// Window returns a copy of the repeat window, for the journal of the same node.
func (s *State) Window() *repeat.Window { return s.window.Clone() }

// through is the position up to which everything has been matched and sent.
func (s *State) through() messages.Position {
	switch {
	case s.done > 0:
		return messages.At(s.next, s.done-1)
	case s.next <= 1:
		return 0
	}
	return messages.EndOf(s.next - 1)
}

// voids are the positions found to be repeats.
type voids struct {
	since     messages.Position // nothing is known at or before it
	positions []uint64          // ascending; at most voidsMost
}

func (v *voids) add(p messages.Position) {
	if len(v.positions) == voidsMost {
		half := voidsMost / 2
		v.since = messages.Position(v.positions[half-1])
		v.positions = append(make([]uint64, 0, voidsMost), v.positions[half:]...)
	}
	v.positions = append(v.positions, uint64(p))
}

// after returns those after p. The slice is shared with messages: positions
// are only ever appended to it.
func (v *voids) after(p messages.Position) []uint64 {
	i, _ := slices.BinarySearch(v.positions, uint64(p)+1)
	return v.positions[i:len(v.positions):len(v.positions)]
}

package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/messages"
)

// Memory is what replays of one node have found out about the log's repeats.
// Which position is a repeat is a property of the log alone, so whoever reads a
// part first has found it out for everybody. Only what is older than the
// router's own memory is asked for.
type Memory interface {
	// Known is the repeats in the frames from sequence on, and the last frame
	// up to which they are known; 0: nothing is known of the first.
	Known(sequence uint64) (voids []uint64, through uint64)
	// Learn takes the repeats in the frames from and through, both included.
	Learn(from, through uint64, voids []uint64)
	// Take gives a window away, as it was before a frame that is not after
	// sequence and not far before it; nil: there is none.
	Take(sequence uint64) (w *repeat.Window, before uint64)
	// Keep takes a window that nobody uses any more.
	Keep(before uint64, w *repeat.Window)
}

const (
	windowsMost = 4       // of 3 MB; past it the one that was kept first goes
	windowsNear = 512     // frames that a window is moved on rather than read again
	voidsMost   = 1 << 20 // remembered, 8 MB; past it the part that was not asked for the longest goes
	spansMost   = 1024
	learnAhead  = repeat.Size // events: what is read before them is as much
)

// Voids is a Memory for one goroutine.
//
// Invariant: spans are in order, neither overlap nor touch.
type Voids struct {
	spans   []*span
	windows []kept // in the order of keeping; at most windowsMost
	count   int    // of voids in spans
	tick    uint64
}

type span struct {
	from, through uint64
	voids         []uint64 // only ever appended to: it is shared
	used          uint64
}

type kept struct {
	before uint64
	window *repeat.Window
}

// NewVoids knows nothing.
func NewVoids() *Voids { return &Voids{} }

// Known is Memory.
func (v *Voids) Known(sequence uint64) (voids []uint64, through uint64) {
	i := v.after(sequence)
	if i == 0 || v.spans[i-1].through < sequence {
		return nil, 0
	}
	s := v.spans[i-1]
	v.tick++
	s.used = v.tick
	n, _ := slices.BinarySearch(s.voids, uint64(messages.At(sequence, 0)))
	return s.voids[n:len(s.voids):len(s.voids)], s.through
}

// after is the place of the first span that begins after the sequence.
func (v *Voids) after(sequence uint64) int {
	return sort.Search(len(v.spans), func(i int) bool { return v.spans[i].from > sequence })
}

// Learn is Memory. What is known already is not learnt again.
func (v *Voids) Learn(from, through uint64, voids []uint64) {
	if i := v.after(from); i > 0 && v.spans[i-1].through >= from {
		from = v.spans[i-1].through + 1
	}
	i := v.after(from)
	for i < len(v.spans) && v.spans[i].through <= through { // a part that lies within
		v.count -= len(v.spans[i].voids)
		v.spans = slices.Delete(v.spans, i, i+1)
	}
	if i < len(v.spans) {
		through = min(through, v.spans[i].from-1)
	}
	if from > through {
		return
	}
	first, _ := slices.BinarySearch(voids, uint64(messages.At(from, 0)))
	last, _ := slices.BinarySearch(voids, uint64(messages.EndOf(through))+1)
	voids = voids[first:last]
	v.count += len(voids)
	v.tick++
	if i > 0 && v.spans[i-1].through+1 == from {
		s := v.spans[i-1]
		s.through, s.voids, s.used = through, append(s.voids, voids...), v.tick
		i--
	} else {
		v.spans = slices.Insert(v.spans, i, &span{from, through, slices.Clone(voids), v.tick})
	}
	if i+1 < len(v.spans) && v.spans[i+1].from == through+1 {
		s, next := v.spans[i], v.spans[i+1]
		s.through, s.voids = next.through, append(s.voids, next.voids...)
		v.spans = slices.Delete(v.spans, i+1, i+2)
	}
	v.forget()
}

// forget keeps the bounds.
func (v *Voids) forget() {
	for len(v.spans) > 1 && (v.count > voidsMost || len(v.spans) > spansMost) {
		oldest := 0
		for i, s := range v.spans {
			if s.used < v.spans[oldest].used {
				oldest = i
			}
		}
		v.count -= len(v.spans[oldest].voids)
		v.spans = slices.Delete(v.spans, oldest, oldest+1)
	}
	if s := v.spans[0]; v.count > voidsMost { // the one that is left: its older half
		half := len(s.voids) / 2
		s.from = messages.Position(s.voids[half]).Sequence() + 1
		s.voids = slices.DeleteFunc(slices.Clone(s.voids[half:]), func(p uint64) bool { return messages.Position(p).Sequence() < s.from })
		v.count = len(s.voids)
		if s.from > s.through {
			v.spans, v.count = nil, 0
		}
	}
}

// Take is Memory.
func (v *Voids) Take(sequence uint64) (w *repeat.Window, before uint64) {
	best := -1
	for i, k := range v.windows {
		if k.before <= sequence && sequence-k.before <= windowsNear && (best < 0 || k.before > v.windows[best].before) {
			best = i
		}
	}
	if best < 0 {
		return nil, 0
	}
	k := v.windows[best]
	v.windows = slices.Delete(v.windows, best, best+1)
	return k.window, k.before
}

// Keep is Memory.
func (v *Voids) Keep(before uint64, w *repeat.Window) {
	if len(v.windows) == windowsMost {
		v.windows = slices.Delete(v.windows, 0, 1)
	}
	v.windows = append(v.windows, kept{before, w})
}

// voids are the repeats that one reading meets.
type voids struct {
	before []uint64          // at or before since
	since  messages.Position // from the router after it
	after  []uint64
}

func (v *voids) repeat(p messages.Position) bool {
	known := v.after
	if p <= v.since {
		known = v.before
	}
	_, found := slices.BinarySearch(known, uint64(p))
	return found
}

// learn says what repeats in the frames from sequence on, at most up to last,
// and up to which frame it says so. Where nobody has read that part, it reads
// the window before it and goes on for as much again, so that a replay reads
// twice what it has to and not a window for each of its stretches.
func learn(ctx context.Context, log Log, memory Memory, sequence, last, first uint64) (voids []uint64, through uint64, err error) {
	if voids, through := memory.Known(sequence); through != 0 {
		return voids, through, nil
	}
	window, before := memory.Take(sequence)
	if window == nil {
		window, err = WindowBefore(ctx, log, sequence, first)
	} else {
		_, err = fill(ctx, log, window, before, sequence)
	}
	if err != nil {
		return nil, 0, err
	}
	frames, err := log.Read(ctx, sequence)
	if err != nil {
		return nil, 0, fmt.Errorf("replay: read repeats from %d: %w", sequence, err)
	}
	defer frames.Close()
	through = sequence - 1
	for events := 0; events < learnAhead && through < last; {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("replay: read repeats: %w", err)
		}
		for i, e := range entry.Frame.GetEvents() {
			if window.Add(e.GetId()) {
				voids = append(voids, uint64(messages.At(entry.Sequence, i)))
			}
			events++
		}
		through = entry.Sequence
	}
	if through < sequence {
		return nil, sequence, nil // there is nothing to read
	}
	memory.Learn(sequence, through, voids)
	memory.Keep(through+1, window)
	return voids, through, nil
}

package router

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// This file is how frames come: by message or from the log, into one buffer
// from which they are handled in sequence (turn.go).

// held is one frame that waits for its turn, or word that some are gone.
type held struct {
	frame   *messages.Frame
	sizes   []uint32
	bytes   int
	fromLog bool
	gone    uint64        // frame is nil: all sequences from here to before this one will never be read
	loss    messages.Loss // and why
}

// buffer is the frames that wait: those that come next, and later ones after a
// hole.
//
// Bounds: frames and bytes. What comes by message past either is dropped: it is
// in the log, and read from there. What was read from the log is always taken:
// one reading of a quarter of the bytes is under way at a time, and only while
// less than half is full or nothing can be done before it.
//
// Invariant: every sequence from the next one to before upTo is in frames, or
// known to be gone.
type buffer struct {
	frames map[uint64]*held
	bytes  int
	upTo   uint64 // the first sequence that is missing
}

func (b *buffer) add(sequence uint64, h *held) {
	b.frames[sequence] = h
	b.bytes += h.bytes
	b.extend()
}

func (b *buffer) extend() {
	for h := b.frames[b.upTo]; h != nil; h = b.frames[b.upTo] {
		b.upTo = max(b.upTo+1, h.gone)
	}
}

func (b *buffer) remove(sequence uint64) {
	if h := b.frames[sequence]; h != nil {
		delete(b.frames, sequence)
		b.bytes -= h.bytes
	}
}

// end forgets frames after the sequence.
func (b *buffer) end(sequence uint64) {
	for s := range b.frames {
		if s > sequence {
			b.remove(s)
		}
	}
	b.upTo = min(b.upTo, sequence+1)
}

// beyond says whether a frame is held after a hole.
func (b *buffer) beyond() bool {
	for s := range b.frames {
		if s > b.upTo {
			return true
		}
	}
	return false
}

// within is the first frame held after from and before to; 0: none.
func (b *buffer) within(from, to uint64) (first uint64) {
	for s := range b.frames {
		if s > from && s < to && (first == 0 || s < first) {
			first = s
		}
	}
	return first
}

// appended takes a frame that a journal has made durable. One that no journal
// would make is not believed; if there is a frame of that sequence, the log has it.
func (r *router) appended(ctx actor.Context, m *messages.FrameAppended) {
	n := len(m.GetFrame().GetEvents())
	if m.GetSequence() < r.state.next || n == 0 || n > maxFrameEvents {
		return
	}
	r.pace.heard(m.GetSequence(), r.cfg.Clock.Elapsed())
	h := &held{frame: m.GetFrame(), sizes: m.GetSizes()}
	if len(h.sizes) != n {
		h.sizes = sizesOf(m.GetFrame())
	}
	for _, size := range h.sizes {
		h.bytes += int(size)
	}
	if r.buffer.frames[m.GetSequence()] != nil || len(r.buffer.frames) >= r.cfg.HeldMost || r.buffer.bytes+h.bytes > r.cfg.HeldBytes {
		return
	}
	r.buffer.add(m.GetSequence(), h)
	r.cfg.Queues.Grown(gauge.Queue{Name: "router: frames that came", Items: len(r.buffer.frames), Bytes: r.buffer.bytes, MostItems: r.cfg.HeldMost, MostBytes: r.cfg.HeldBytes})
	if m.GetSequence() > r.buffer.upTo {
		r.awaitHole(ctx)
	}
	r.goOn(ctx)
}

func sizesOf(f *messages.Frame) []uint32 {
	sizes := make([]uint32, len(f.GetEvents()))
	for i, e := range f.GetEvents() {
		sizes[i] = uint32(proto.Size(e))
	}
	return sizes
}

func (r *router) awaitHole(ctx actor.Context) {
	if r.waiting || r.reading {
		return
	}
	r.waiting = true
	r.timers.Set(holeOver{}, r.cfg.HoleWait, ctx.Self(), &holeOver{r.buffer.upTo})
}

func (r *router) holeOver(ctx actor.Context, m *holeOver) {
	r.waiting = false
	switch {
	case !r.buffer.beyond():
	case m.at == r.buffer.upTo:
		r.cfg.Sometimes.Reached(actors.GapRead)
		r.read(ctx)
	default:
		r.awaitHole(ctx) // that hole was filled; this is another
	}
}

func (r *router) tail(ctx actor.Context) {
	r.timers.Set(tailTime{}, r.cfg.TailEvery, ctx.Self(), &tailTime{})
	r.read(ctx)
	r.keepPace(ctx)
	r.cfg.Handled(r.state.next)
	r.cfg.Lagging(r.pace.lag(r.state.next, r.cfg.Clock.Elapsed()))
}

// read asks a worker for what the log holds from the first missing frame on. A
// worker that was not heard of again long after its deadline is not waited for.
func (r *router) read(ctx actor.Context) {
	ahead := r.buffer.upTo > r.state.next // there is something else to do
	now := r.cfg.Clock.Elapsed()
	if r.reading && now-r.readAt < 2*readTimeout || ahead && (r.buffer.bytes > r.cfg.HeldBytes/2 || len(r.buffer.frames) > r.cfg.HeldMost/2) {
		return
	}
	log, from, most, bytes := r.cfg.Log, r.buffer.upTo, r.cfg.ReadMost, r.cfg.HeldBytes/4
	known := r.pace.end
	r.readAt = now
	r.reading = r.cfg.Worker.Do(ctx.Self(), readTimeout, func(work context.Context) any {
		back := readLog(work, log, from, most, bytes)
		back.known = known
		return back
	})
}

const readTimeout = 5 * time.Second

func readLog(ctx context.Context, log replay.Log, from uint64, most, bytes int) *readBack {
	_, last, err := log.Bounds(ctx)
	if err != nil || last < from {
		return &readBack{err: err, through: last}
	}
	frames, err := log.Read(ctx, from)
	if err != nil {
		return &readBack{err: err}
	}
	defer frames.Close()
	back := &readBack{through: last}
	for len(back.frames) < most && bytes > 0 {
		entry, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			return back
		}
		if err != nil {
			back.err = err
			return back
		}
		f := readFrame{Entry: entry, sizes: sizesOf(entry.Frame)}
		for _, size := range f.sizes {
			f.bytes += int(size)
		}
		bytes -= f.bytes
		back.frames = append(back.frames, f)
	}
	return back
}

// readBack takes what a worker has read: without a hole, except for what the log
// says will never be read.
func (r *router) readBack(ctx actor.Context, m *readBack) {
	r.reading = false
	r.readFailed(m.err)
	if m.err == nil {
		r.ends(m.through, m.known)
	}
	for _, f := range m.frames {
		if f.Sequence > m.known {
			r.cfg.Sometimes.Reached(actors.LastFrameFound)
		}
		switch {
		case f.Frame == nil:
			r.buffer.gone(f.From, f.Sequence+1, f.Loss)
		case f.Sequence >= r.state.next && r.buffer.frames[f.Sequence] == nil:
			r.buffer.add(f.Sequence, &held{frame: f.Frame, sizes: f.sizes, bytes: f.bytes, fromLog: true})
		}
	}
	r.again = m.err == nil && len(m.frames) > 0 && m.through >= r.buffer.upTo
	r.goOn(ctx)
	if r.buffer.beyond() {
		r.awaitHole(ctx)
	}
}

// ends takes the log's word on where it ended when it was read. A later frame
// that was heard of before is none: no journal has written it.
func (r *router) ends(last, known uint64) {
	if last < known && r.pace.end == known && last+1 >= r.state.next {
		r.cfg.Logger.Error("the log does not hold frames that were announced; they are forgotten", "announced", known, "log_ends_at", last)
		r.pace.forget(last)
		r.buffer.end(last)
		return
	}
	r.pace.heard(last, r.cfg.Clock.Elapsed())
}

// gone notes that the log has said that the sequences from at to before end
// will never be read. A frame of them that came by message is there all the same.
func (b *buffer) gone(at, end uint64, loss messages.Loss) {
	for at = max(at, b.upTo); at < end; {
		next := b.within(at, end)
		if next == 0 {
			next = end
		}
		if b.frames[at] == nil {
			b.add(at, &held{gone: next, loss: loss})
		}
		at = next
	}
}

func (r *router) readFailed(err error) {
	now := r.cfg.Clock.Elapsed()
	if err == nil || r.complained != 0 && now-r.complained < complainEvery {
		return
	}
	r.complained = now
	r.cfg.Logger.Warn("reading the log failed; it is read again", "from", r.buffer.upTo, "error", err)
}

// complainEvery is how often a log that cannot be read is complained of.
const complainEvery = actors.Instant(10 * time.Second)

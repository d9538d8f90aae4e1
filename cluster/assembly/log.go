package assembly

import (
	"context"
	"errors"

	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Log is the store's journal as the actors take it.
type Log struct{ Journal store.Journal }

var (
	_ replay.Log  = Log{}
	_ source.Log  = Log{}
	_ journal.Log = Log{}
)

// Append is the journal's.
func (l Log) Append(ctx context.Context, f *messages.Frame) (uint64, error) {
	sequence, err := l.Journal.Append(ctx, f)
	return sequence, err
}

// Bounds is the journal's.
func (l Log) Bounds(ctx context.Context) (first, last uint64, err error) {
	return l.Journal.Bounds(ctx)
}

// Read is the journal's, past what retention took.
func (l Log) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f := &frames{journal: l.Journal, next: max(from, 1)}
	return f, f.open(ctx)
}

// Events returns the event at each position, nil where the log does not hold it
// any more.
func (l Log) Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error) {
	return replay.Events(ctx, l, positions)
}

// frames is a reading that goes on where retention has overtaken it, and says
// what it missed.
type frames struct {
	journal store.Journal
	cursor  store.Cursor // reads from reads on; nil: to be opened
	reads   uint64
	next    uint64 // what was not handed out yet; before reads where retention took what lies between
}

// open reads from next on, or from the first frame held after it.
func (f *frames) open(ctx context.Context) error {
	f.reads = max(f.reads, f.next)
	for {
		cursor, err := f.journal.Read(ctx, f.reads)
		var trimmed *messages.TrimmedError
		if errors.As(err, &trimmed) && trimmed.First > f.reads {
			f.reads = trimmed.First
			continue
		}
		if err == nil {
			f.cursor = cursor
		}
		return err
	}
}

func (f *frames) Next(ctx context.Context) (replay.Entry, error) {
	if f.cursor == nil {
		if err := f.open(ctx); err != nil {
			return replay.Entry{}, err
		}
	}
	if f.next < f.reads {
		e := replay.Entry{From: f.next, Sequence: f.reads - 1, Loss: messages.Trimmed}
		f.next = f.reads
		return e, nil
	}
	e, err := f.cursor.Next(ctx)
	var trimmed *messages.TrimmedError
	if errors.As(err, &trimmed) {
		err = f.cursor.Close()
		if f.cursor, f.reads = nil, trimmed.First; err == nil {
			return f.Next(ctx)
		}
	}
	return f.entry(e, err)
}

// losses are the store's reasons in the actors' words.
var losses = map[store.SkipReason]messages.Loss{store.NeverWritten: messages.NotLost, store.Damaged: messages.Damaged}

func (f *frames) entry(e store.Entry, err error) (replay.Entry, error) {
	if err != nil {
		return replay.Entry{}, err
	}
	out := replay.Entry{From: e.Sequence, Sequence: e.Sequence, Frame: e.Frame}
	if s := e.Skipped; s != nil {
		out.From, out.Sequence, out.Loss = s.From, s.To, losses[s.Reason]
	}
	f.next = out.Sequence + 1
	f.reads = f.next
	return out, nil
}

func (f *frames) Close() error {
	if f.cursor == nil {
		return nil
	}
	return f.cursor.Close()
}

// replays is the log as connections read it. What one of them finds out about
// repeats, the others are spared.
type replays struct {
	log    Log
	memory replay.Memory
}

var _ connection.Replays = replays{}

func (r replays) Replay(ctx context.Context, q follow.Request) (follow.Result, error) {
	return replay.Run(ctx, r.log, r.memory, q)
}

func (r replays) Held(ctx context.Context) (connection.Held, error) {
	first, last, err := r.log.Bounds(ctx)
	return connection.Held{Epoch: r.log.Journal.Epoch(), First: first, Last: last}, err
}

package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/connection"
	"github.com/birdwire/birdwire/actors/journal"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// log is the store's journal as the actors take it.
type log struct{ journal store.Journal }

var (
	_ replay.Log  = log{}
	_ source.Log  = log{}
	_ journal.Log = log{}
)

func (l log) Append(ctx context.Context, f *messages.Frame) (uint64, error) {
	sequence, err := l.journal.Append(ctx, f)
	return sequence, portError(err)
}

func (l log) Bounds(ctx context.Context) (first, last uint64, err error) {
	return l.journal.Bounds(ctx)
}

func (l log) Read(ctx context.Context, from uint64) (replay.Frames, error) {
	f := &frames{journal: l.journal, next: max(from, 1)}
	return f, f.open(ctx)
}

// Events returns the event at each position, nil where the log does not hold it
// any more.
func (l log) Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error) {
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
		var trimmed *store.TrimmedError
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
	var trimmed *store.TrimmedError
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

// replays is the log as connections read it.
type replays struct{ log log }

var _ connection.Replays = replays{}

func (r replays) Replay(ctx context.Context, q connection.ReplayRequest) (connection.ReplayResult, error) {
	result, err := replay.Run(ctx, r.log, replay.Request(q))
	var trimmed *replay.TrimmedError
	if errors.As(err, &trimmed) {
		return connection.ReplayResult{}, &connection.TrimmedError{First: trimmed.First}
	}
	return connection.ReplayResult(result), err
}

// portError says in the actors' words what the store said in its own.
func portError(err error) error {
	for theirs, ours := range map[error]error{
		store.ErrNotFound: actors.ErrNotFound, store.ErrConflict: actors.ErrConflict,
		store.ErrFull: actors.ErrFull, store.ErrAmbiguous: actors.ErrAmbiguous,
	} {
		if errors.Is(err, theirs) {
			return fmt.Errorf("%w: %w", ours, err)
		}
	}
	return err
}

// records is the control store as the actors take it.
type records struct{ control store.Control }

var _ actors.Records = records{}

func (r records) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	v, err := r.control.Get(ctx, key)
	return v.Data, v.Revision, portError(err)
}

func (r records) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	revision, err := r.control.CAS(ctx, key, data, revision)
	return revision, portError(err)
}

func (r records) Delete(ctx context.Context, key string, revision uint64) error {
	return portError(r.control.Delete(ctx, key, revision))
}

func (r records) List(ctx context.Context, prefix string) ([]actors.Record, error) {
	values, err := r.control.List(ctx, prefix)
	if err != nil {
		return nil, portError(err)
	}
	list := make([]actors.Record, len(values))
	for i, v := range values {
		list[i] = actors.Record{Key: v.Key, Data: v.Data, Revision: v.Revision}
	}
	return list, nil
}

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
	cursor, err := l.journal.Read(ctx, from)
	var trimmed *store.TrimmedError
	if errors.As(err, &trimmed) {
		cursor, err = l.journal.Read(ctx, trimmed.First)
	}
	if err != nil {
		return nil, err
	}
	return frames{cursor}, nil
}

// Events returns the event at each position, nil where the log does not hold it
// any more.
func (l log) Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error) {
	return replay.Events(ctx, l, positions)
}

type frames struct{ store.Cursor }

func (f frames) Next(ctx context.Context) (uint64, *messages.Frame, error) {
	entry, err := f.Cursor.Next(ctx)
	if err != nil {
		return 0, nil, err
	}
	if entry.Skipped != nil {
		return entry.Skipped.To, nil, nil
	}
	return entry.Sequence, entry.Frame, nil
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

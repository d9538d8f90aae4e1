// Package storetest is the one suite that every store.Store passes: what the
// contracts promise, and nothing about how it is kept.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Subject is a store under test. Trim, Hole and Damage go past the
// contracts, as retention and a bad disk do.
type Subject struct {
	// Open returns an empty store; the suite closes it.
	Open func(t *testing.T) store.Store
	// Reopen closes the store and returns one on the same data.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Trim takes away the frames before first.
	Trim func(t *testing.T, s store.Store, first uint64)
	// Hole takes frames out of the middle of the log, as the reason says. nil: the
	// store lets nobody do that, and its tests are skipped.
	Hole func(t *testing.T, s store.Store, from, to uint64, why store.SkipReason)
	// Damage makes a control record unreadable and returns the store, which may
	// be another on the same data; the suite closes it.
	Damage func(t *testing.T, s store.Store, key string) store.Store
	// Window is how long the store itself knows a frame again; 0: for ever.
	Window time.Duration
}

// Run runs the whole suite.
func Run(t *testing.T, subject Subject) {
	for name, tests := range map[string]map[string]func(*testing.T, Subject){
		"journal":   journalTests,
		"cursor":    cursorTests,
		"control":   controlTests,
		"watch":     watchTests,
		"counters":  counterTests,
		"items":     itemTests,
		"snapshots": snapshotTests,
		"damage":    damageTests,
		"store":     storeTests,
	} {
		t.Run(name, func(t *testing.T) {
			for name, test := range tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel() // each has a store of its own, and waits for its disk
					test(t, subject)
				})
			}
		})
	}
}

// patience is how long the suite waits for what must come; reaching it is a
// failure, so it costs nothing where all is well.
const patience = time.Minute

// holed is a store with ten frames, for a test that takes some of them out.
func holed(t *testing.T, subject Subject) (store.Store, context.Context) {
	t.Helper()
	if subject.Hole == nil {
		t.Skip("nobody can take frames out of this store's log")
	}
	s, ctx := begin(t, subject)
	for i := range uint64(10) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	return s, ctx
}

func begin(t *testing.T, subject Subject) (store.Store, context.Context) {
	t.Helper()
	s := subject.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, deadline(t)
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func reopen(t *testing.T, subject Subject, s store.Store) store.Store {
	t.Helper()
	s = subject.Reopen(t, s)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Frame is a frame of node with the given name and as many events.
func Frame(node string, incarnation, number uint64, events int) *messages.Frame {
	f := &messages.Frame{Node: node, Incarnation: incarnation, Number: number}
	for i := range events {
		f.Events = append(f.Events, &messages.Event{
			Id:   fmt.Sprintf("test/%s/%d/%d/%d", node, incarnation, number, i),
			Body: &messages.Event_Post{Post: &messages.Post{Id: fmt.Sprint(i), Text: "hello"}},
		})
	}
	return f
}

func mustAppend(t *testing.T, ctx context.Context, s store.Store, f *messages.Frame) uint64 {
	t.Helper()
	sequence, err := s.Journal().Append(ctx, f)
	if err != nil {
		t.Fatalf("append %s: %v", store.FrameName(f), err)
	}
	return sequence
}

func mustRead(t *testing.T, ctx context.Context, s store.Store, from uint64) store.Cursor {
	t.Helper()
	c, err := s.Journal().Read(ctx, from)
	if err != nil {
		t.Fatalf("read from %d: %v", from, err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close cursor: %v", err)
		}
	})
	return c
}

func wantNext(t *testing.T, ctx context.Context, c store.Cursor, sequence uint64, name string) {
	t.Helper()
	e, err := c.Next(ctx)
	if err != nil {
		t.Fatalf("next: %v, want %d", err, sequence)
	}
	if e.Skipped != nil || e.Sequence != sequence || store.FrameName(e.Frame) != name {
		t.Fatalf("next: sequence %d, frame %s, skipped %v; want %d, %s", e.Sequence, store.FrameName(e.Frame), e.Skipped, sequence, name)
	}
}

func wantEOF(t *testing.T, ctx context.Context, c store.Cursor) {
	t.Helper()
	if e, err := c.Next(ctx); !errors.Is(err, io.EOF) {
		t.Fatalf("next: sequence %d, error %v; want io.EOF", e.Sequence, err)
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

func wantTrimmed(t *testing.T, what string, err error, first uint64) {
	t.Helper()
	var trimmed *messages.TrimmedError
	if !errors.As(err, &trimmed) || trimmed.First != first {
		t.Fatalf("%s: %v, want trimmed with first %d", what, err, first)
	}
}

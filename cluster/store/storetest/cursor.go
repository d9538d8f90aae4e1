package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var cursorTests = map[string]func(*testing.T, Subject){
	"reads what was written":   readsBack,
	"goes on after the end":    goesOn,
	"starts anywhere":          startsAnywhere,
	"gapless while appending":  gapless,
	"trimmed":                  trimmed,
	"trimmed under way":        trimmedUnderWay,
	"skipped":                  skipped,
	"frames of every size":     sizes,
	"a call that was given up": readGivenUp,
	"closed":                   cursorClosed,
	"many at once":             manyCursors,
}

func readsBack(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	empty := mustRead(t, ctx, s, 0)
	wantEOF(t, ctx, empty)
	var want []*messages.Frame
	for i := range uint64(700) { // more than one batch of any size
		want = append(want, Frame("a", 1, i+1, int(1+i%3)))
		mustAppend(t, ctx, s, want[i])
	}
	for _, c := range []store.Cursor{empty, mustRead(t, ctx, s, 1)} {
		for i, f := range want {
			e, err := c.Next(ctx)
			if err != nil || e.Sequence != uint64(i+1) || !proto.Equal(e.Frame, f) {
				t.Fatalf("next: sequence %d, error %v; want %s as it was written", e.Sequence, err, store.FrameName(f))
			}
		}
		wantEOF(t, ctx, c)
	}
}

func goesOn(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	c := mustRead(t, ctx, s, 1)
	wantEOF(t, ctx, c)
	for i := range uint64(10) {
		f := Frame("a", 1, i+1, 1)
		mustAppend(t, ctx, s, f)
		wantNext(t, ctx, c, i+1, store.FrameName(f))
		wantEOF(t, ctx, c)
		wantEOF(t, ctx, c)
	}
}

func startsAnywhere(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for i := range uint64(10) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	for from := uint64(0); from <= 11; from++ {
		c := mustRead(t, ctx, s, from)
		for want := max(from, 1); want <= 10; want++ {
			wantNext(t, ctx, c, want, fmt.Sprintf("a/1/%d", want))
		}
		wantEOF(t, ctx, c)
	}
	if _, err := s.Journal().Read(ctx, 12); err == nil {
		t.Fatal("read from past the end: no error")
	}
}

func gapless(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const frames = 400
	var wg sync.WaitGroup
	for range 2 {
		c := mustRead(t, ctx, s, 1)
		wg.Go(func() {
			for want := uint64(1); want <= frames; {
				e, err := c.Next(ctx)
				if errors.Is(err, io.EOF) {
					continue
				}
				if err != nil || e.Sequence != want || store.FrameName(e.Frame) != fmt.Sprintf("a/1/%d", want) {
					t.Errorf("next: sequence %d, skipped %v, error %v; want %d", e.Sequence, e.Skipped, err, want)
					return
				}
				want++
			}
		})
	}
	for i := range uint64(frames) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 2))
	}
	wg.Wait()
}

func trimmed(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for i := range uint64(10) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	subject.Trim(t, s, 6)
	wantBounds(t, ctx, s, 6, 10)
	for _, from := range []uint64{2, 5} {
		_, err := s.Journal().Read(ctx, from)
		wantTrimmed(t, fmt.Sprintf("read from %d", from), err, 6)
	}
	for _, from := range []uint64{0, 1, 6} {
		wantNext(t, ctx, mustRead(t, ctx, s, from), 6, "a/1/6")
	}
	subject.Trim(t, s, 11)
	wantBounds(t, ctx, s, 11, 10)
	wantEOF(t, ctx, mustRead(t, ctx, s, 1))
	_, err := s.Journal().Read(ctx, 10)
	wantTrimmed(t, "read from what was the last", err, 11)
	s = reopen(t, subject, s)
	wantBounds(t, ctx, s, 11, 10)
	if got := mustAppend(t, ctx, s, Frame("a", 2, 1, 1)); got != 11 {
		t.Fatalf("the next frame: sequence %d, want 11", got)
	}
}

func trimmedUnderWay(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	c := mustRead(t, ctx, s, 1)
	wantEOF(t, ctx, c)
	for i := range uint64(10) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	subject.Trim(t, s, 6)
	for range 2 {
		_, err := c.Next(ctx)
		wantTrimmed(t, "next, where retention overtook it", err, 6)
	}
}

func skipped(t *testing.T, subject Subject) {
	s, ctx := holed(t, subject)
	subject.Hole(t, s, 4, 6, store.Damaged)
	subject.Hole(t, s, 7, 7, store.NeverWritten)
	subject.Hole(t, s, 9, 9, store.NeverWritten)
	want := map[uint64]store.Skipped{
		4: {From: 4, To: 6, Reason: store.Damaged},
		7: {From: 7, To: 7, Reason: store.NeverWritten},
		9: {From: 9, To: 9, Reason: store.NeverWritten},
	}
	c := mustRead(t, ctx, s, 1)
	for at := uint64(1); at <= 10; at++ {
		e, err := c.Next(ctx)
		if err != nil || e.Sequence != at {
			t.Fatalf("next: %d, %v; want %d", e.Sequence, err, at)
		}
		gone, ok := want[at]
		switch {
		case !ok && (e.Skipped != nil || e.Frame == nil):
			t.Fatalf("next at %d: skipped %v", at, e.Skipped)
		case ok && (e.Frame != nil || e.Skipped == nil || *e.Skipped != gone):
			t.Fatalf("next: frame %v, skipped %v; want skipped %v", e.Frame, e.Skipped, gone)
		case ok:
			at = gone.To
		}
	}
	wantEOF(t, ctx, c)
}

func sizes(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	var want []*messages.Frame
	for i, bytes := range []int{0, 1, 100_000, 900_000, 3, 1_000_000, 200_000, 5} {
		f := Frame("a", 1, uint64(i+1), 1)
		f.Events[0].GetPost().Text = strings.Repeat("x", bytes)
		want = append(want, f)
		mustAppend(t, ctx, s, f)
	}
	full := Frame("a", 1, uint64(len(want)+1), store.MaxFrameEvents)
	mustAppend(t, ctx, s, full)
	c := mustRead(t, ctx, s, 1)
	for i, f := range append(want, full) {
		e, err := c.Next(ctx)
		if err != nil || !proto.Equal(e.Frame, f) {
			t.Fatalf("frame %d: sequence %d, error %v; want it as it was written", i+1, e.Sequence, err)
		}
	}
	wantEOF(t, ctx, c)
}

func readGivenUp(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for i := range uint64(3) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	c := mustRead(t, ctx, s, 1)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if e, err := c.Next(gone); err == nil {
		wantName(t, e, "a/1/1")
	} else {
		wantNext(t, ctx, c, 1, "a/1/1")
	}
	wantNext(t, ctx, c, 2, "a/1/2")
	wantNext(t, ctx, c, 3, "a/1/3")
	wantEOF(t, ctx, c)
}

func wantName(t *testing.T, e store.Entry, name string) {
	t.Helper()
	if got := store.FrameName(e.Frame); got != name {
		t.Fatalf("frame %s, want %s", got, name)
	}
}

func cursorClosed(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustAppend(t, ctx, s, Frame("a", 1, 1, 1))
	c := mustRead(t, ctx, s, 1)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if _, err := c.Next(ctx); err == nil || errors.Is(err, io.EOF) {
		t.Fatalf("next on a closed cursor: %v, want an error", err)
	}
}

func manyCursors(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const frames, cursors = 60, 20
	for i := range uint64(frames) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 20))
	}
	var open []store.Cursor
	for range cursors {
		open = append(open, mustRead(t, ctx, s, 1))
	}
	for want := uint64(1); want <= frames; want++ { // in turns, so that each is in the middle
		for _, c := range open {
			wantNext(t, ctx, c, want, fmt.Sprintf("a/1/%d", want))
		}
	}
}

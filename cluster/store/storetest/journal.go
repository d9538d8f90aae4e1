package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var journalTests = map[string]func(*testing.T, Subject){
	"sequences grow by one":            sequencesGrow,
	"a retry returns the first answer": retries,
	"a retry past the window":          retriesPastWindow,
	"an older incarnation is fenced":   fenced,
	"many nodes at once":               manyNodes,
	"odd names of nodes":               oddNodes,
	"what no frame may be":             refusedFrames,
	"survives reopening":               journalReopened,
	"epoch":                            epoch,
	"a call that was given up":         givenUp,
}

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

func wantBounds(t *testing.T, ctx context.Context, s store.Store, first, last uint64) {
	t.Helper()
	f, l, err := s.Journal().Bounds(ctx)
	if err != nil || f != first || l != last {
		t.Fatalf("bounds: %d to %d, error %v; want %d to %d", f, l, err, first, last)
	}
}

func sequencesGrow(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	wantBounds(t, ctx, s, 1, 0)
	for i := range uint64(20) {
		if got := mustAppend(t, ctx, s, Frame("a", 1, i+1, 3)); got != i+1 {
			t.Fatalf("frame %d: sequence %d", i+1, got)
		}
		wantBounds(t, ctx, s, 1, i+1)
	}
}

func retries(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for i := range uint64(30) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
		mustAppend(t, ctx, s, Frame("b", 1, i+1, 1)) // somebody else's stand between
	}
	again := func(what string) {
		for _, number := range []uint64{30, 29, 1, 15, 2} {
			if got, want := mustAppend(t, ctx, s, Frame("a", 1, number, 1)), 2*number-1; got != want {
				t.Fatalf("%s: frame %d again: sequence %d, want %d", what, number, got, want)
			}
		}
		wantBounds(t, ctx, s, 1, 60)
	}
	again("at once")
	s = reopen(t, subject, s)
	again("after reopening")
	if got := mustAppend(t, ctx, s, Frame("a", 2, 1, 1)); got != 61 {
		t.Fatalf("the next incarnation: sequence %d, want 61", got)
	}
	if got := mustAppend(t, ctx, s, Frame("a", 1, 7, 1)); got != 13 {
		t.Fatalf("a frame of the last incarnation again: sequence %d, want 13", got)
	}
}

func retriesPastWindow(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for i := range uint64(5) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	var last uint64
	n := uint64(0)
	for start := time.Now(); n < 3 || time.Since(start) < 3*subject.Window; {
		n++
		last = mustAppend(t, ctx, s, Frame("b", 1, n, 1))
	}
	s = reopen(t, subject, s) // nothing is known of it but what the log says
	for _, number := range []uint64{5, 4, 1} {
		if got := mustAppend(t, ctx, s, Frame("a", 1, number, 1)); got != number {
			t.Fatalf("frame %d again: sequence %d", number, got)
		}
	}
	wantBounds(t, ctx, s, 1, last)
}

func fenced(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustAppend(t, ctx, s, Frame("a", 1, 1, 1))
	mustAppend(t, ctx, s, Frame("a", 2, 1, 1))
	_, err := s.Journal().Append(ctx, Frame("a", 1, 2, 1))
	wantError(t, "append by the incarnation before", err, store.ErrFenced)
	mustAppend(t, ctx, s, Frame("a", 2, 5, 1))
	_, err = s.Journal().Append(ctx, Frame("a", 2, 3, 1))
	wantError(t, "append of a number that was left out", err, store.ErrFenced)
	wantBounds(t, ctx, s, 1, 3)
	if got := mustAppend(t, ctx, s, Frame("b", 1, 1, 1)); got != 4 {
		t.Fatalf("another node's frame: sequence %d, want 4", got)
	}
}

func manyNodes(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const nodes, frames = 4, 25
	var wg sync.WaitGroup
	for n := range nodes {
		wg.Go(func() {
			for i := range uint64(frames) {
				f := Frame(fmt.Sprintf("node%d", n), 1, i+1, 2)
				first, err := s.Journal().Append(ctx, f)
				if err != nil {
					t.Errorf("append %s: %v", store.FrameName(f), err)
					return
				}
				if again, err := s.Journal().Append(ctx, f); err != nil || again != first {
					t.Errorf("append %s again: %d, %v; want %d", store.FrameName(f), again, err, first)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	c := mustRead(t, ctx, s, 1)
	for want := uint64(1); want <= nodes*frames; want++ {
		e, err := c.Next(ctx)
		if err != nil || e.Sequence != want {
			t.Fatalf("next: %d, %v; want %d", e.Sequence, err, want)
		}
		seen[store.FrameName(e.Frame)] = true
	}
	wantEOF(t, ctx, c)
	if len(seen) != nodes*frames {
		t.Fatalf("%d names in the log, want %d", len(seen), nodes*frames)
	}
}

func oddNodes(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	names := []string{"a.b", "a", "a b", "a/1", "*", ">", "=YQ", "ümlaut", strings.Repeat("long", 50), "$JS"}
	for i, name := range names {
		if got := mustAppend(t, ctx, s, Frame(name, 1, 1, 1)); got != uint64(i+1) {
			t.Fatalf("node %q: sequence %d, want %d", name, got, i+1)
		}
	}
	for i, name := range names {
		if got := mustAppend(t, ctx, s, Frame(name, 1, 1, 1)); got != uint64(i+1) {
			t.Fatalf("node %q again: sequence %d, want %d", name, got, i+1)
		}
	}
}

func refusedFrames(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	large := Frame("a", 1, 1, 1)
	large.Events[0].GetPost().Text = strings.Repeat("x", store.MaxFrameBytes)
	for name, f := range map[string]*messages.Frame{
		"no events":       Frame("a", 1, 1, 0),
		"too many events": Frame("a", 1, 1, store.MaxFrameEvents+1),
		"too large":       large,
		"no node":         Frame("", 1, 1, 1),
		"number 0":        Frame("a", 1, 0, 1),
	} {
		if sequence, err := s.Journal().Append(ctx, f); err == nil {
			t.Errorf("%s: written at %d, want an error", name, sequence)
		}
	}
	wantBounds(t, ctx, s, 1, 0)
}

func journalReopened(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	var want []*messages.Frame
	for round := range uint64(3) {
		for i := range uint64(5) {
			f := Frame("a", round+1, i+1, 4)
			want = append(want, f)
			if got := mustAppend(t, ctx, s, f); got != uint64(len(want)) {
				t.Fatalf("round %d, frame %d: sequence %d, want %d", round, i+1, got, len(want))
			}
		}
		s = reopen(t, subject, s)
		wantBounds(t, ctx, s, 1, uint64(len(want)))
	}
	c := mustRead(t, ctx, s, 1)
	for i, f := range want {
		e, err := c.Next(ctx)
		if err != nil || e.Sequence != uint64(i+1) || !proto.Equal(e.Frame, f) {
			t.Fatalf("next: sequence %d, frame %s, error %v; want %s as it was written", e.Sequence, store.FrameName(e.Frame), err, store.FrameName(f))
		}
	}
	wantEOF(t, ctx, c)
}

func epoch(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	other, _ := begin(t, subject)
	e := s.Journal().Epoch()
	if !regexp.MustCompile(`^[A-Za-z0-9]{8,16}$`).MatchString(e) {
		t.Fatalf("epoch %q: want 8 to 16 letters and digits", e)
	}
	if other.Journal().Epoch() == e && subject.Window > 0 {
		t.Fatalf("two logs have the same epoch %q", e)
	}
	s = reopen(t, subject, s)
	if got := s.Journal().Epoch(); got != e {
		t.Fatalf("epoch after reopening: %q, want %q", got, e)
	}
}

func givenUp(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	f := Frame("a", 1, 1, 1)
	if _, err := s.Journal().Append(gone, f); err == nil {
		t.Fatal("append with a context that has ended: no error")
	}
	// Whatever happened then: asked again, it stands once.
	if got := mustAppend(t, ctx, s, f); got != 1 {
		t.Fatalf("asked again: sequence %d, want 1", got)
	}
	wantBounds(t, ctx, s, 1, 1)
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
	if subject.Trim == nil {
		return
	}
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
	if subject.Trim == nil {
		return
	}
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
	if subject.Skip == nil {
		return
	}
	s, ctx := begin(t, subject)
	for i := range uint64(10) {
		mustAppend(t, ctx, s, Frame("a", 1, i+1, 1))
	}
	subject.Skip(t, s, 4, 6)
	subject.Skip(t, s, 9, 9)
	c := mustRead(t, ctx, s, 1)
	for want := uint64(1); want <= 10; {
		e, err := c.Next(ctx)
		if err != nil || e.Sequence != want {
			t.Fatalf("next: %d, %v; want %d", e.Sequence, err, want)
		}
		switch want {
		case 4, 9:
			to := map[uint64]uint64{4: 6, 9: 9}[want]
			if e.Frame != nil || e.Skipped == nil || *e.Skipped != (store.Skipped{From: want, To: to}) {
				t.Fatalf("next: frame %v, skipped %v; want %d to %d skipped", e.Frame, e.Skipped, want, to)
			}
			want = to
		default:
			if e.Skipped != nil || e.Frame == nil {
				t.Fatalf("next at %d: skipped %v", want, e.Skipped)
			}
		}
		want++
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
	for want := uint64(1); want <= frames; want++ { // in turns, so that each stands in the middle
		for _, c := range open {
			wantNext(t, ctx, c, want, fmt.Sprintf("a/1/%d", want))
		}
	}
}

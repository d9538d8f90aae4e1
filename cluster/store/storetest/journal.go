package storetest

import (
	"context"
	"fmt"
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
		mustAppend(t, ctx, s, Frame("b", 1, i+1, 1)) // somebody else's are between
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
	wantError(t, "append by the incarnation before", err, messages.ErrFenced)
	mustAppend(t, ctx, s, Frame("a", 2, 5, 1))
	_, err = s.Journal().Append(ctx, Frame("a", 2, 3, 1))
	wantError(t, "append of a number that was left out", err, messages.ErrFenced)
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
	// Whatever happened then: asked again, it is there once.
	if got := mustAppend(t, ctx, s, f); got != 1 {
		t.Fatalf("asked again: sequence %d, want 1", got)
	}
	wantBounds(t, ctx, s, 1, 1)
}

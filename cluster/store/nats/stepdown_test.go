package nats

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
)

// TestStepDown: another leads a stream then, the one that was named where one was; and
// it is refused where nobody can.
func TestStepDown(t *testing.T) {
	t.Parallel()
	c := openTrio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	leads := func(stream string) string {
		for _, of := range c.stores[0].Status(ctx).Streams {
			if of.Stream == stream {
				return of.Leader
			}
		}
		return ""
	}
	for _, stream := range []string{journalStream, controlStream, itemsStream, snapshotStream} {
		was := ""
		until(t, ctx, stream+" has a leader", func() bool { was = leads(shown(stream)); return was != "" })
		if now := stepDown(t, ctx, c.stores[1], stream, ""); now == was || now == "" {
			t.Errorf("%s is led by %q, and was by %q", stream, now, was)
		}
		for i, to := range []string{"n2", "n0", "n1", "n1"} { // the last leads already
			if now := stepDown(t, ctx, c.stores[i%3], stream, to); now != to {
				t.Errorf("%s is led by %q, want %q", stream, now, to)
			}
		}
	}
	refused := func(stream, to string, want error, text string) {
		t.Helper()
		if _, err := c.stores[0].StepDown(ctx, stream, to); !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%s to %q: %v, want %v with %q", stream, to, err, want, text)
		}
	}
	refused("KV_control", "", messages.ErrNotFound, "KV_control")
	refused("journal", "n7", messages.ErrConflict, "has no copy of it")
	closeStore(t, c.stores[2])
	until(t, ctx, "the copy that is gone is missed", func() bool {
		_, err := c.stores[0].StepDown(ctx, "journal", "n2")
		if err != nil && !errors.Is(err, messages.ErrConflict) {
			t.Fatal(err)
		}
		return err != nil && strings.Contains(err.Error(), "the copy of n2 is not there")
	})
	closeStore(t, c.stores[0])
	brief, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	if leader, err := c.stores[1].StepDown(brief, "journal", ""); err == nil {
		t.Errorf("without a majority %q leads the journal", leader)
	}
}

// TestStepDownAlone: where there is one copy nobody else can lead.
func TestStepDownAlone(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), quiet(t, Config{Dir: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	defer closeStore(t, s)
	if _, err := s.StepDown(t.Context(), "journal", ""); !errors.Is(err, messages.ErrConflict) || !strings.Contains(err.Error(), "one copy") {
		t.Errorf("a lone store: %v", err)
	}
}

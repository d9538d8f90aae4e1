package storetest

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
)

var watchTests = map[string]func(*testing.T, Subject){
	"what is stored, synced, changes": watchAll,
	"only its prefix":                 watchPrefix,
	"ends with its context":           watchEnds,
	"ends with the store":             watchStoreEnds,
	"revisions grow up to the last":   watchOrder,
}

func next(t *testing.T, ctx context.Context, changes <-chan store.Change) store.Change {
	t.Helper()
	select {
	case c, open := <-changes:
		if !open {
			t.Fatal("the watch was closed")
		}
		return c
	case <-ctx.Done():
		t.Fatal("no change came")
	}
	return store.Change{}
}

func wantClosed(t *testing.T, ctx context.Context, changes <-chan store.Change) {
	t.Helper()
	for {
		select {
		case _, open := <-changes:
			if !open {
				return
			}
		case <-ctx.Done():
			t.Fatal("the watch was not closed")
		}
	}
}

func watchAll(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	a := mustCAS(t, ctx, s, "k.a", "1", 0)
	b := mustCAS(t, ctx, s, "k.b", "1", 0)
	gone := mustCAS(t, ctx, s, "k.gone", "1", 0)
	if err := s.Control().Delete(ctx, "k.gone", gone); err != nil {
		t.Fatal(err)
	}
	changes, err := s.Control().Watch(ctx, "k.")
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]uint64{}
	for {
		c := next(t, ctx, changes)
		if c.Synced {
			break
		}
		if c.Deleted || string(c.Data) != "1" {
			t.Fatalf("before synced: %+v", c)
		}
		stored[c.Key] = c.Revision
	}
	if len(stored) != 2 || stored["k.a"] != a || stored["k.b"] != b {
		t.Fatalf("stored: %v, want k.a at %d and k.b at %d", stored, a, b)
	}
	a = mustCAS(t, ctx, s, "k.a", "2", a)
	if c := next(t, ctx, changes); c.Key != "k.a" || string(c.Data) != "2" || c.Revision != a || c.Deleted || c.Synced {
		t.Fatalf("after a write: %+v", c)
	}
	if err := s.Control().Delete(ctx, "k.b", b); err != nil {
		t.Fatal(err)
	}
	if c := next(t, ctx, changes); c.Key != "k.b" || !c.Deleted || c.Revision <= a {
		t.Fatalf("after a deletion: %+v", c)
	}
	again := mustCAS(t, ctx, s, "k.b", "3", 0)
	if c := next(t, ctx, changes); c.Key != "k.b" || c.Deleted || c.Revision != again || string(c.Data) != "3" {
		t.Fatalf("after it was made again: %+v", c)
	}
}

func watchPrefix(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	all, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	some, err := s.Control().Watch(ctx, "a.")
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []<-chan store.Change{all, some} {
		if c := next(t, ctx, w); !c.Synced {
			t.Fatalf("of an empty store: %+v, want synced", c)
		}
	}
	for _, key := range []string{"b.1", "ab.1", "a", "a.1", "a.b.c"} {
		mustCAS(t, ctx, s, key, "", 0)
	}
	for _, want := range []string{"b.1", "ab.1", "a", "a.1", "a.b.c"} {
		if c := next(t, ctx, all); c.Key != want {
			t.Fatalf("all: %s, want %s", c.Key, want)
		}
	}
	for _, want := range []string{"a.1", "a.b.c"} {
		if c := next(t, ctx, some); c.Key != want {
			t.Fatalf("under a.: %s, want %s", c.Key, want)
		}
	}
}

func watchEnds(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	watching, cancel := context.WithCancel(ctx)
	changes, err := s.Control().Watch(watching, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 { // more than fits on the way, and nobody reads
		mustCAS(t, ctx, s, fmt.Sprintf("k.%d", i), "", 0)
	}
	cancel()
	wantClosed(t, ctx, changes)
}

func watchStoreEnds(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	changes, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, ctx, changes)
}

func watchOrder(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	var revision uint64
	const writes = 200
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range writes {
			var err error
			if revision, err = s.Control().CAS(ctx, "k", []byte(strconv.Itoa(i)), revision); err != nil {
				t.Errorf("write %d: %v", i, err)
				return
			}
		}
	}()
	// Begun in the middle: what is stored and what changes meet without a gap.
	changes, err := s.Control().Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	last, synced := -1, false
	var at uint64
	for last != writes-1 {
		c := next(t, ctx, changes)
		if c.Synced {
			synced = true
			continue
		}
		n, err := strconv.Atoi(string(c.Data))
		if err != nil || c.Revision <= at || n <= last {
			t.Fatalf("%q at %d after %d at %d", c.Data, c.Revision, last, at)
		}
		last, at = n, c.Revision
	}
	<-written
	for !synced {
		synced = next(t, ctx, changes).Synced
	}
}

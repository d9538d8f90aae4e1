package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
)

var controlTests = map[string]func(*testing.T, Subject){
	"get":                 controlGet,
	"compare and set":     controlCAS,
	"delete":              controlDelete,
	"list":                controlList,
	"keys":                controlKeys,
	"one wins":            controlOneWins,
	"nothing is lost":     controlNothingLost,
	"survives reopening":  controlReopened,
	"the caller's buffer": controlBuffer,
}

var watchTests = map[string]func(*testing.T, Subject){
	"what stands, synced, changes":  watchAll,
	"only its prefix":               watchPrefix,
	"ends with its context":         watchEnds,
	"ends with the store":           watchStoreEnds,
	"revisions grow up to the last": watchOrder,
}

func mustCAS(t *testing.T, ctx context.Context, s store.Store, key, value string, revision uint64) uint64 {
	t.Helper()
	next, err := s.Control().CAS(ctx, key, []byte(value), revision)
	if err != nil {
		t.Fatalf("write %s: %v", key, err)
	}
	return next
}

func wantValue(t *testing.T, ctx context.Context, s store.Store, key, value string, revision uint64) {
	t.Helper()
	v, err := s.Control().Get(ctx, key)
	if err != nil || v.Key != key || string(v.Data) != value || v.Revision != revision {
		t.Fatalf("get %s: %q at %d, %v; want %q at %d", key, v.Data, v.Revision, err, value, revision)
	}
}

func controlGet(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	_, err := s.Control().Get(ctx, "keys.a")
	wantError(t, "get what is not there", err, store.ErrNotFound)
	revision := mustCAS(t, ctx, s, "keys.a", "1", 0)
	wantValue(t, ctx, s, "keys.a", "1", revision)
	empty := mustCAS(t, ctx, s, "keys.empty", "", 0)
	wantValue(t, ctx, s, "keys.empty", "", empty)
}

func controlCAS(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	first := mustCAS(t, ctx, s, "k", "1", 0)
	if first == 0 {
		t.Fatal("revision 0 means that there is none")
	}
	for _, wrong := range []uint64{0, first + 1, first + 100} {
		_, err := s.Control().CAS(ctx, "k", []byte("x"), wrong)
		wantError(t, fmt.Sprintf("write at revision %d", wrong), err, store.ErrConflict)
	}
	second := mustCAS(t, ctx, s, "k", "2", first)
	if second <= first {
		t.Fatalf("revision %d after %d: want it to grow", second, first)
	}
	_, err := s.Control().CAS(ctx, "k", []byte("x"), first)
	wantError(t, "write at the revision before", err, store.ErrConflict)
	wantValue(t, ctx, s, "k", "2", second)
	_, err = s.Control().CAS(ctx, "other", []byte("x"), second)
	wantError(t, "write another key at that revision", err, store.ErrConflict)
}

func controlDelete(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	wantError(t, "delete what is not there", s.Control().Delete(ctx, "k", 1), store.ErrNotFound)
	first := mustCAS(t, ctx, s, "k", "1", 0)
	wantError(t, "delete at revision 0", s.Control().Delete(ctx, "k", 0), store.ErrConflict)
	wantError(t, "delete at another revision", s.Control().Delete(ctx, "k", first+1), store.ErrConflict)
	if err := s.Control().Delete(ctx, "k", first); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err := s.Control().Get(ctx, "k")
	wantError(t, "get what was deleted", err, store.ErrNotFound)
	wantError(t, "delete it again", s.Control().Delete(ctx, "k", first), store.ErrNotFound)
	_, err = s.Control().CAS(ctx, "k", []byte("x"), first)
	wantError(t, "write at the revision it had", err, store.ErrConflict)
	if values, err := s.Control().List(ctx, ""); err != nil || len(values) != 0 {
		t.Fatalf("list: %v, %v; want nothing", values, err)
	}
	again := mustCAS(t, ctx, s, "k", "2", 0)
	if again <= first {
		t.Fatalf("revision %d after %d: want it to grow", again, first)
	}
	wantValue(t, ctx, s, "k", "2", again)
}

func controlList(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, key := range []string{"keys.b", "keys.a", "keys.a.deep", "keys", "keysx.a", "rules.z", "keys.c"} {
		mustCAS(t, ctx, s, key, "v:"+key, 0)
	}
	v, err := s.Control().Get(ctx, "keys.c")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Control().Delete(ctx, "keys.c", v.Revision); err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"keys.":   {"keys.a", "keys.a.deep", "keys.b"},
		"keys.a.": {"keys.a.deep"},
		"none.":   nil,
		"":        {"keys", "keys.a", "keys.a.deep", "keys.b", "keysx.a", "rules.z"},
	} {
		values, err := s.Control().List(ctx, prefix)
		if err != nil {
			t.Fatalf("list %q: %v", prefix, err)
		}
		var got []string
		for _, v := range values {
			got = append(got, v.Key)
			if string(v.Data) != "v:"+v.Key || v.Revision == 0 {
				t.Errorf("list %q: %s is %q at %d", prefix, v.Key, v.Data, v.Revision)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("list %q: %v, want %v", prefix, got, want)
		}
	}
}

func controlKeys(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, key := range []string{"", ".", "a..b", "a.", "a b", "a.*", "a.>", "a/b", "ä"} {
		if _, err := s.Control().CAS(ctx, key, nil, 0); err == nil {
			t.Errorf("key %q was written", key)
		}
		if _, err := s.Control().Get(ctx, key); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("get key %q: %v, want that it is no key", key, err)
		}
		if err := s.Control().Delete(ctx, key, 1); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("delete key %q: %v, want that it is no key", key, err)
		}
	}
	for _, prefix := range []string{"a", "*.", ".", "a..", ">"} {
		if _, err := s.Control().List(ctx, prefix); err == nil {
			t.Errorf("prefix %q was listed", prefix)
		}
		if _, err := s.Control().Watch(ctx, prefix); err == nil {
			t.Errorf("prefix %q was watched", prefix)
		}
	}
	for _, key := range []string{"a", "A-Z_9.0", "x.y.z"} {
		mustCAS(t, ctx, s, key, "", 0)
	}
}

func controlOneWins(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	var revision uint64
	for round := range 10 {
		const writers = 6
		won := make(chan uint64, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				next, err := s.Control().CAS(ctx, "k", []byte(strconv.Itoa(w)), revision)
				if err == nil {
					won <- next
				} else if !errors.Is(err, store.ErrConflict) {
					t.Errorf("round %d: %v, want a conflict", round, err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("round %d: %d writers won, want one", round, len(won))
		}
		revision = <-won
	}
}

func controlNothingLost(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const writers, each = 4, 15
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := increment(ctx, s); err != nil {
					t.Errorf("increment: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, err := s.Control().Get(ctx, "counter"); err != nil || string(v.Data) != strconv.Itoa(writers*each) {
		t.Fatalf("counter: %q, %v; want %d", v.Data, err, writers*each)
	}
}

func increment(ctx context.Context, s store.Store) error {
	for {
		v, err := s.Control().Get(ctx, "counter")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(v.Data)) // 0 where there is none
		_, err = s.Control().CAS(ctx, "counter", []byte(strconv.Itoa(n+1)), v.Revision)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

func controlReopened(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	a := mustCAS(t, ctx, s, "a", "1", 0)
	b := mustCAS(t, ctx, s, "b", "1", 0)
	if err := s.Control().Delete(ctx, "b", b); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, subject, s)
	wantValue(t, ctx, s, "a", "1", a)
	_, err := s.Control().Get(ctx, "b")
	wantError(t, "get what was deleted before", err, store.ErrNotFound)
	mustCAS(t, ctx, s, "a", "2", a)
	if again := mustCAS(t, ctx, s, "b", "2", 0); again <= b {
		t.Fatalf("revision %d after %d: want it to grow", again, b)
	}
}

// What was written does not change with the caller's slice, nor with what a
// reader does to its own.
func controlBuffer(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	data := []byte("before")
	revision, err := s.Control().CAS(ctx, "k", data, 0)
	if err != nil {
		t.Fatal(err)
	}
	copy(data, "after!")
	v, err := s.Control().Get(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	copy(v.Data, "reader")
	wantValue(t, ctx, s, "k", "before", revision)
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
	stood := map[string]uint64{}
	for {
		c := next(t, ctx, changes)
		if c.Synced {
			break
		}
		if c.Deleted || string(c.Data) != "1" {
			t.Fatalf("before synced: %+v", c)
		}
		stood[c.Key] = c.Revision
	}
	if len(stood) != 2 || stood["k.a"] != a || stood["k.b"] != b {
		t.Fatalf("stood: %v, want k.a at %d and k.b at %d", stood, a, b)
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
	// Begun in the middle: what stands and what changes meet without a gap.
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

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
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
	wantError(t, "get what is not there", err, messages.ErrNotFound)
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
		wantError(t, fmt.Sprintf("write at revision %d", wrong), err, messages.ErrConflict)
	}
	second := mustCAS(t, ctx, s, "k", "2", first)
	if second <= first {
		t.Fatalf("revision %d after %d: want it to grow", second, first)
	}
	_, err := s.Control().CAS(ctx, "k", []byte("x"), first)
	wantError(t, "write at the revision before", err, messages.ErrConflict)
	wantValue(t, ctx, s, "k", "2", second)
	_, err = s.Control().CAS(ctx, "other", []byte("x"), second)
	wantError(t, "write another key at that revision", err, messages.ErrConflict)
}

func controlDelete(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	wantError(t, "delete what is not there", s.Control().Delete(ctx, "k", 1), messages.ErrNotFound)
	first := mustCAS(t, ctx, s, "k", "1", 0)
	wantError(t, "delete at revision 0", s.Control().Delete(ctx, "k", 0), messages.ErrConflict)
	wantError(t, "delete at another revision", s.Control().Delete(ctx, "k", first+1), messages.ErrConflict)
	if err := s.Control().Delete(ctx, "k", first); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err := s.Control().Get(ctx, "k")
	wantError(t, "get what was deleted", err, messages.ErrNotFound)
	wantError(t, "delete it again", s.Control().Delete(ctx, "k", first), messages.ErrNotFound)
	_, err = s.Control().CAS(ctx, "k", []byte("x"), first)
	wantError(t, "write at the revision it had", err, messages.ErrConflict)
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
	severalLists(t, ctx, s)
}

// severalLists holds one list of several prefixes against a list of each.
func severalLists(t *testing.T, ctx context.Context, s store.Store) {
	t.Helper()
	for _, key := range []string{"a.1.k.x", "a.1.k2.x", "a.2.k.x", "b.1.k.x", "b.1.k.y.deep", "b.1.kk", "c.1.k.z", "c.1", "d"} {
		mustCAS(t, ctx, s, key, key, 0)
	}
	for _, prefixes := range [][]string{
		nil, {"b.1.k.", "a.1.k.", "c.1.k."}, {"rules.", "keys.a.", "none.x."}, {"a.", "b.1.", "c.1.k."}, {"a.2.", "a.1."}, {"none.", "never."},
	} {
		var want []messages.KeptRecord
		for _, prefix := range slices.Sorted(slices.Values(prefixes)) {
			values, err := s.Control().List(ctx, prefix)
			if err != nil {
				t.Fatalf("list %q: %v", prefix, err)
			}
			want = append(want, values...)
		}
		got, err := s.Control().List(ctx, prefixes...)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("list %q: %v, %v; want %v", prefixes, got, err, want)
		}
	}
	for _, prefixes := range [][]string{{"a.", "a.1."}, {"", "a."}, {"a.", "a."}, {"a.", "b"}} {
		if _, err := s.Control().List(ctx, prefixes...); err == nil {
			t.Errorf("list %q: no error", prefixes)
		}
	}
}

func controlKeys(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, key := range []string{"", ".", "a..b", "a.", "a b", "a.*", "a.>", "a/b", "ä"} {
		if _, err := s.Control().CAS(ctx, key, nil, 0); err == nil {
			t.Errorf("key %q was written", key)
		}
		if _, err := s.Control().Get(ctx, key); err == nil || errors.Is(err, messages.ErrNotFound) {
			t.Errorf("get key %q: %v, want that it is no key", key, err)
		}
		if err := s.Control().Delete(ctx, key, 1); err == nil || errors.Is(err, messages.ErrNotFound) {
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
				} else if !errors.Is(err, messages.ErrConflict) {
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
		if err != nil && !errors.Is(err, messages.ErrNotFound) {
			return err
		}
		n, _ := strconv.Atoi(string(v.Data)) // 0 where there is none
		_, err = s.Control().CAS(ctx, "counter", []byte(strconv.Itoa(n+1)), v.Revision)
		if !errors.Is(err, messages.ErrConflict) {
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
	wantError(t, "get what was deleted before", err, messages.ErrNotFound)
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

package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var damageTests = map[string]func(*testing.T, Subject){
	"a damaged record costs itself":        damagedRecord,
	"a damaged record can be mended":       mended,
	"a damaged ledger costs its key":       damagedLedger,
	"a watcher is told":                    damageWatched,
	"nothing is damaged at first":          undamaged,
	"the tail of a node":                   tailOf,
	"lost frames are named":                lostFrames,
	"a record that is there is not mended": notMended,
}

func undamaged(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	mustAppend(t, ctx, s, Frame("a", 1, 1, 1))
	revision, err := s.Control().CAS(ctx, "k", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Control().Delete(ctx, "k", revision); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d := s.Damage(); len(d) > 0 {
			t.Fatalf("damage %v, want none", d)
		}
		if err := errors.Join(s.Healthy(ctx), s.Room()); err != nil {
			t.Fatalf("healthy: %v", err)
		}
		s = reopen(t, subject, s)
	}
}

// damaged is a store with the records a, b and c, of which b is damaged.
func damaged(t *testing.T, subject Subject) (store.Store, context.Context) {
	t.Helper()
	s, ctx := begin(t, subject)
	for _, key := range []string{"p.a", "p.b", "p.c"} {
		if _, err := s.Control().CAS(ctx, key, []byte("data of "+key), 0); err != nil {
			t.Fatal(err)
		}
	}
	s = subject.Damage(t, s, "p.b")
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s, ctx
}

func damagedRecord(t *testing.T, subject Subject) {
	s, ctx := damaged(t, subject)
	for range 2 {
		_, err := s.Control().Get(ctx, "p.b")
		wantError(t, "get", err, messages.ErrDamaged)
		for _, revision := range []uint64{0, 2} {
			_, err = s.Control().CAS(ctx, "p.b", nil, revision)
			wantError(t, "write", err, messages.ErrDamaged)
			wantError(t, "delete", s.Control().Delete(ctx, "p.b", revision), messages.ErrDamaged)
		}
		for _, prefixes := range [][]string{{""}, {"p."}, {"none.", "p.", "q."}} {
			values, err := s.Control().List(ctx, prefixes...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range values {
				text := v.Key + "=" + string(v.Data)
				if v.Damaged {
					text += " damaged"
				}
				got = append(got, text)
			}
			if want := []string{"p.a=data of p.a", "p.b= damaged", "p.c=data of p.c"}; !slices.Equal(got, want) {
				t.Fatalf("list %q: %q, want %q", prefixes, got, want)
			}
		}
		if d := s.Damage(); !slices.ContainsFunc(d, func(d store.Damage) bool { return strings.Contains(d.Lost, "record p.b") && d.Advice != "" }) {
			t.Fatalf("damage %v, want that the record is named and what to do", d)
		}
		if err := s.Healthy(ctx); err != nil {
			t.Fatalf("healthy: %v; everybody else is served", err)
		}
		v, err := s.Control().Get(ctx, "p.a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Control().CAS(ctx, "p.a", v.Data, v.Revision); err != nil {
			t.Fatalf("write another: %v", err)
		}
		_, err = s.Control().Get(ctx, "p.d")
		wantError(t, "get what never was", err, messages.ErrNotFound)
		s = reopen(t, subject, s) // it is known the next time too
	}
}

func mended(t *testing.T, subject Subject) {
	s, ctx := damaged(t, subject)
	revision, err := s.Control().Mend(ctx, "p.b", []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Control().Get(ctx, "p.b"); err != nil || string(v.Data) != "new" || v.Revision != revision {
		t.Fatalf("get: %+v, %v", v, err)
	}
	_, err = s.Control().Mend(ctx, "p.b", nil)
	wantError(t, "mend it again", err, messages.ErrConflict)
	if revision, err = s.Control().CAS(ctx, "p.b", []byte("newer"), revision); err != nil {
		t.Fatalf("write: %v", err)
	}
	s = reopen(t, subject, s)
	if v, err := s.Control().Get(ctx, "p.b"); err != nil || string(v.Data) != "newer" || v.Revision != revision {
		t.Fatalf("get after reopening: %+v, %v", v, err)
	}
	for _, d := range s.Damage() {
		if d.Lost != "" {
			t.Errorf("damage %v, want that nothing is lost", d)
		}
	}
}

func notMended(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	if _, err := s.Control().CAS(ctx, "k", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k", "none"} {
		_, err := s.Control().Mend(ctx, key, []byte("2"))
		wantError(t, "mend "+key, err, messages.ErrConflict)
	}
	if v, err := s.Control().Get(ctx, "k"); err != nil || string(v.Data) != "1" {
		t.Fatalf("get: %+v, %v", v, err)
	}
	_, err := s.Control().Mend(ctx, "not a key", nil)
	if err == nil {
		t.Fatal("mend under no key: no error")
	}
}

func damagedLedger(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, key := range []string{"k1", "k2"} {
		if _, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: key, Month: "2026-11", N: 5, Op: "1"}); err != nil {
			t.Fatal(err)
		}
	}
	s = subject.Damage(t, s, store.LedgerPrefix+"k1.2026-11")
	defer s.Close()
	for range 20 { // asked again and again, as by a connection that wants credit
		_, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k1", Month: "2026-11", N: 5, Op: "2"})
		wantError(t, "reserve", err, messages.ErrDamaged)
	}
	_, err := s.Counters().Usage(ctx, "k1", "2026-11")
	wantError(t, "usage", err, messages.ErrDamaged)
	if g, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k2", Month: "2026-11", N: 5, Op: "2"}); err != nil || g.GetSize() != 5 {
		t.Fatalf("another key: %v, %v", g, err)
	}
	if _, err := s.Counters().Reserve(ctx, store.Reservation{KeyID: "k1", Month: "2026-12", N: 5, Op: "3"}); err != nil {
		t.Fatalf("the next month: %v", err)
	}
}

func damageWatched(t *testing.T, subject Subject) {
	s, ctx := damaged(t, subject)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := s.Control().Watch(ctx, "p.")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for c := range changes {
		if c.Synced {
			break
		}
		if c.Damaged {
			told = append(told, c.Key)
		} else if len(c.Data) == 0 {
			t.Errorf("%+v: want its data", c)
		}
	}
	if !slices.Equal(told, []string{"p.b"}) {
		t.Fatalf("damaged %v, want p.b, before Synced", told)
	}
	if _, err := s.Control().Mend(ctx, "p.b", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if c := <-changes; c.Key != "p.b" || string(c.Data) != "new" {
		t.Fatalf("after it was mended: %+v", c)
	}
}

func tailOf(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	want := func(node string, want store.Name) {
		t.Helper()
		if got, err := s.Journal().Tail(ctx, node); err != nil || got != want {
			t.Fatalf("tail of %s: %v, %v; want %v", node, got, err, want)
		}
	}
	want("a", store.Name{})
	mustAppend(t, ctx, s, Frame("a", 3, 7, 1))
	mustAppend(t, ctx, s, Frame("b", 9, 1, 1))
	want("a", store.Name{Node: "a", Incarnation: 3, Number: 7})
	want("c", store.Name{})
	s = reopen(t, subject, s)
	want("b", store.Name{Node: "b", Incarnation: 9, Number: 1})
}

func lostFrames(t *testing.T, subject Subject) {
	s, ctx := holed(t, subject)
	subject.Hole(t, s, 4, 6, store.Damaged)
	c := mustRead(t, ctx, s, 1)
	for {
		if e, err := c.Next(ctx); err != nil || e.Sequence == 10 {
			break
		}
	}
	if d := s.Damage(); !slices.ContainsFunc(d, func(d store.Damage) bool { return d.Stream == "journal" && strings.Contains(d.Lost, "frames 4 to 6") }) {
		t.Fatalf("damage %v, want that frames 4 to 6 are named", d)
	}
}

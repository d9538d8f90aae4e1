package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

var counterTests = map[string]func(*testing.T, Subject){
	"reserve and settle":             reserveAndSettle,
	"the same operation again":       sameOperation,
	"near the limit":                 nearLimit,
	"never past it, with many":       neverPast,
	"grants whose owner is gone":     goneOwners,
	"keys and months are apart":      apart,
	"what cannot be asked":           refusedReservations,
	"survives reopening":             countersReopened,
	"charged is what was and may be": chargedExactly,
	"a grant keeps its spenders":     grantSpenders,
	"a grant takes another's place":  replaces,
	"taking a place near the limit":  replacesNearLimit,
	"months of long ago are pruned":  pruned,
}

func reservation(op string, n, limit int64) store.Reservation {
	return store.Reservation{KeyID: "key1", Month: "2026-11", N: n, Limit: limit, Op: op}
}

func mustReserve(t *testing.T, s store.Store, r store.Reservation, size int64) *messages.Grant {
	t.Helper()
	g, err := s.Counters().Reserve(deadline(t), r)
	if err != nil {
		t.Fatalf("reserve %s: %v", r.Op, err)
	}
	if g.GetSize() != size || g.GetKeyId() != r.KeyID || g.GetMonth() != r.Month || g.GetId() == "" {
		t.Fatalf("reserve %s: granted %v, want %d", r.Op, g, size)
	}
	return g
}

func mustSettle(t *testing.T, s store.Store, g *messages.Grant, used int64) {
	t.Helper()
	if err := s.Counters().Settle(deadline(t), g, used); err != nil {
		t.Fatalf("settle %s: %v", g.GetId(), err)
	}
}

func wantCharged(t *testing.T, s store.Store, charged int64, open int) {
	t.Helper()
	l, err := s.Counters().Usage(deadline(t), "key1", "2026-11")
	if err != nil || l.GetCharged() != charged || len(l.GetOpen()) != open {
		t.Fatalf("usage: charged %d, %d open, %v; want %d, %d", l.GetCharged(), len(l.GetOpen()), err, charged, open)
	}
}

func reserveAndSettle(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	wantCharged(t, s, 0, 0)
	a := mustReserve(t, s, reservation("a", 10, 0), 10)
	b := mustReserve(t, s, reservation("b", 5, 0), 5)
	wantCharged(t, s, 15, 2)
	mustSettle(t, s, a, 4)
	wantCharged(t, s, 9, 1)
	mustSettle(t, s, b, 5)
	wantCharged(t, s, 9, 0)
	mustSettle(t, s, mustReserve(t, s, reservation("c", 7, 0), 7), 0)
	wantCharged(t, s, 9, 0)
}

func grantSpenders(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	r := reservation("a", 10, 0)
	r.Spenders = []*messages.Spender{{ConnectionId: "c1", Api: messages.Api_API_TWITTER, After: uint64(messages.At(7, 3))}, {ConnectionId: "c2"}}
	want := &messages.Grant{KeyId: "key1", Month: "2026-11", Id: "a", Size: 10, Spenders: r.Spenders}
	if g := mustReserve(t, s, r, 10); !proto.Equal(g, want) {
		t.Fatalf("granted %v, want %v", g, want)
	}
	l, err := s.Counters().Usage(deadline(t), "key1", "2026-11")
	if err != nil || len(l.GetOpen()) != 1 || !proto.Equal(l.GetOpen()[0], want) {
		t.Fatalf("kept %v, %v", l, err)
	}
}

func replacing(op string, n, limit int64, g *messages.Grant, used int64) store.Reservation {
	r := reservation(op, n, limit)
	r.Replaces, r.Used = g, used
	return r
}

func replaces(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	a := mustReserve(t, s, reservation("a", 10, 0), 10)
	for range 3 { // the same operation again
		mustReserve(t, s, replacing("b", 5, 0, a, 4), 6+5)
	}
	wantCharged(t, s, 4+11, 1)
	mustSettle(t, s, a, 0) // it is closed
	wantCharged(t, s, 4+11, 1)
	b := mustReserve(t, s, replacing("b", 5, 0, a, 4), 11)
	c := mustReserve(t, s, replacing("c", 0, 0, b, 11), 0)
	wantCharged(t, s, 15, 0)
	mustReserve(t, s, replacing("c", 7, 0, b, 11), 0)
	for _, closed := range []*messages.Grant{a, b, c, {KeyId: "key1", Month: "2026-11", Id: "never", Size: 5}} {
		_, err := s.Counters().Reserve(ctx, replacing("d", 7, 0, closed, 0))
		wantError(t, "replace what is not open", err, messages.ErrNotFound)
	}
	wantCharged(t, s, 15, 0)
	mustReserve(t, s, reservation("d", 7, 0), 7)
	wantCharged(t, s, 22, 1)
}

func replacesNearLimit(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	a := mustReserve(t, s, reservation("a", 60, 100), 60)
	b := mustReserve(t, s, replacing("b", 60, 100, a, 50), 10+40)
	wantCharged(t, s, 100, 1)
	c := mustReserve(t, s, replacing("c", 60, 100, b, 20), 30) // nothing more
	d := mustReserve(t, s, replacing("d", 60, 50, c, 20), 10)  // the plan became smaller
	wantCharged(t, s, 100, 1)
	mustReserve(t, s, replacing("e", 60, 50, d, 10), 0)
	wantCharged(t, s, 100, 0)
	_, err := s.Counters().Reserve(ctx, reservation("f", 1, 100))
	wantError(t, "reserve past the limit", err, messages.ErrExhausted)
}

func pruned(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	for _, of := range []struct{ key, month string }{{"key1", "2025-09"}, {"key1", "2025-10"}, {"key1", "2026-11"}, {"key10", "2025-01"}} {
		mustReserve(t, s, store.Reservation{KeyID: of.key, Month: of.month, N: 5, Op: "a"}, 5)
	}
	for range 2 {
		if err := s.Counters().Prune(deadline(t), "key1", 2); err != nil {
			t.Fatal(err)
		}
	}
	for of, want := range map[[2]string]int64{{"key1", "2025-09"}: 0, {"key1", "2025-10"}: 5, {"key1", "2026-11"}: 5, {"key10", "2025-01"}: 5} {
		l, err := s.Counters().Usage(deadline(t), of[0], of[1])
		if err != nil || l.GetCharged() != want {
			t.Errorf("%v: charged %d, %v; want %d", of, l.GetCharged(), err, want)
		}
	}
}

func sameOperation(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	g := mustReserve(t, s, reservation("a", 10, 0), 10)
	for range 3 {
		// With other figures too: the operation is what counts.
		if again := mustReserve(t, s, reservation("a", 99, 0), 10); again.GetId() != g.GetId() {
			t.Fatalf("asked again: grant %s, want %s", again.GetId(), g.GetId())
		}
	}
	wantCharged(t, s, 10, 1)
	for range 3 {
		mustSettle(t, s, g, 3)
	}
	wantCharged(t, s, 3, 0)
	mustReserve(t, s, reservation("a", 10, 0), 0) // settled: nothing is left in it
	wantCharged(t, s, 3, 0)
}

func nearLimit(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	a := mustReserve(t, s, reservation("a", 60, 100), 60)
	b := mustReserve(t, s, reservation("b", 60, 100), 40)
	_, err := s.Counters().Reserve(ctx, reservation("c", 1, 100))
	wantError(t, "reserve past the limit", err, messages.ErrExhausted)
	wantCharged(t, s, 100, 2)
	mustSettle(t, s, a, 50)
	mustReserve(t, s, reservation("d", 60, 100), 10)
	mustSettle(t, s, b, 40)
	_, err = s.Counters().Reserve(ctx, reservation("e", 1, 50)) // the plan became smaller
	wantError(t, "reserve past a limit that fell", err, messages.ErrExhausted)
	mustReserve(t, s, reservation("f", 5, 0), 5)
}

func neverPast(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	const limit, workers = 1_000, 6
	var wg sync.WaitGroup
	var mu sync.Mutex
	var spent int64
	for w := range workers {
		rng := rand.New(rand.NewPCG(7, uint64(w)))
		wg.Go(func() {
			for i := range 20 {
				g, err := s.Counters().Reserve(ctx, reservation(fmt.Sprintf("%d-%d", w, i), 1+rng.Int64N(40), limit))
				if errors.Is(err, messages.ErrExhausted) {
					return
				}
				if err != nil {
					t.Errorf("reserve: %v", err)
					return
				}
				used := rng.Int64N(g.GetSize() + 1)
				if err := s.Counters().Settle(ctx, g, used); err != nil {
					t.Errorf("settle: %v", err)
					return
				}
				mu.Lock()
				spent += used
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if spent > limit {
		t.Fatalf("spent %d of %d", spent, limit)
	}
	wantCharged(t, s, spent, 0)
}

func goneOwners(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	var grants []*messages.Grant
	for i := range 40 {
		grants = append(grants, mustReserve(t, s, reservation(fmt.Sprintf("op%d", i), 10, 0), 10))
	}
	wantCharged(t, s, 400, 16) // the oldest stay charged and are no longer open
	mustSettle(t, s, grants[0], 0)
	wantCharged(t, s, 400, 16)
	mustSettle(t, s, grants[39], 0)
	wantCharged(t, s, 390, 15)
}

func apart(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, r := range []store.Reservation{
		{KeyID: "key1", Month: "2026-11", N: 1, Limit: 1, Op: "a"},
		{KeyID: "key2", Month: "2026-11", N: 1, Limit: 1, Op: "a"},
		{KeyID: "key1", Month: "2026-12", N: 1, Limit: 1, Op: "a"},
	} {
		mustReserve(t, s, r, 1)
		l, err := s.Counters().Usage(ctx, r.KeyID, r.Month)
		if err != nil || l.GetCharged() != 1 {
			t.Fatalf("usage of %s in %s: %v, %v", r.KeyID, r.Month, l, err)
		}
	}
}

func refusedReservations(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	for _, r := range []store.Reservation{
		{},
		reservation("a", 0, 0), reservation("a", -1, 0), reservation("", 1, 0),
		{Month: "2026-11", N: 1, Op: "a"},
		{KeyID: "key1", N: 1, Op: "a"},
		{KeyID: "no key", Month: "2026-11", N: 1, Op: "a"},
	} {
		if g, err := s.Counters().Reserve(ctx, r); err == nil {
			t.Errorf("%+v was granted: %v", r, g)
		}
	}
	g := mustReserve(t, s, reservation("a", 5, 0), 5)
	other := &messages.Grant{KeyId: "key1", Month: "2026-12", Id: "a", Size: 5}
	for _, r := range []store.Reservation{replacing("b", 5, 0, g, 6), replacing("b", 5, 0, g, -1), replacing("b", -1, 0, g, 1), replacing("b", 5, 0, other, 1)} {
		if g, err := s.Counters().Reserve(ctx, r); err == nil {
			t.Errorf("%+v was granted: %v", r, g)
		}
	}
	for _, used := range []int64{-1, 6} {
		if err := s.Counters().Settle(ctx, g, used); err == nil {
			t.Errorf("settled %d of 5", used)
		}
	}
	wantCharged(t, s, 5, 1)
}

func countersReopened(t *testing.T, subject Subject) {
	s, _ := begin(t, subject)
	a := mustReserve(t, s, reservation("a", 10, 100), 10)
	mustSettle(t, s, mustReserve(t, s, reservation("b", 10, 100), 10), 7)
	s = reopen(t, subject, s)
	wantCharged(t, s, 17, 1)
	mustReserve(t, s, reservation("a", 10, 100), 10)
	mustSettle(t, s, a, 1)
	wantCharged(t, s, 8, 0)
}

// chargedExactly is a model: whatever is asked, in whatever order and however
// often, charged is what was settled and what is open.
func chargedExactly(t *testing.T, subject Subject) {
	s, ctx := begin(t, subject)
	rng := rand.New(rand.NewPCG(1, 2))
	const limit = 500
	var settled int64
	var open []*messages.Grant
	for i := range 150 {
		switch {
		case len(open) > 0 && rng.IntN(3) == 0:
			k, n := rng.IntN(len(open)), rng.Int64N(50)
			used := rng.Int64N(open[k].GetSize() + 1)
			charged := settled
			for _, g := range open {
				charged += g.GetSize()
			}
			size := open[k].GetSize() - used + min(n, limit-charged)
			g := mustReserve(t, s, replacing(fmt.Sprintf("op%d", i), n, limit, open[k], used), size)
			settled += used
			if open[k] = g; size == 0 {
				open = append(open[:k], open[k+1:]...)
			}
		case len(open) == 0 || len(open) < 8 && rng.IntN(2) == 0:
			r := reservation(fmt.Sprintf("op%d", i), 1+rng.Int64N(50), limit)
			charged := settled
			for _, g := range open {
				charged += g.GetSize()
			}
			g, err := s.Counters().Reserve(ctx, r)
			if charged >= limit {
				wantError(t, "reserve at the limit", err, messages.ErrExhausted)
				continue
			}
			if err != nil || g.GetSize() != min(r.N, limit-charged) {
				t.Fatalf("reserve %d with %d of %d charged: %v, %v", r.N, charged, limit, g, err)
			}
			open = append(open, g)
		default:
			k := rng.IntN(len(open))
			used := rng.Int64N(open[k].GetSize() + 1)
			for range 1 + rng.IntN(2) {
				mustSettle(t, s, open[k], used)
			}
			settled += used
			open = append(open[:k], open[k+1:]...)
		}
		want := settled
		for _, g := range open {
			want += g.GetSize()
		}
		wantCharged(t, s, want, len(open))
	}
}

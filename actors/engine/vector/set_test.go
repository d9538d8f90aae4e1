package vector

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// oracle is the set as a plain list.
type oracle map[ID]struct {
	vectors    [][]float32
	thresholds []float64
}

func (o oracle) match(event []float32) []Hit {
	var hits []Hit
	for id, f := range o {
		best, ok := 0.0, false
		for i, v := range f.vectors {
			if c := reference(v, event); c >= f.thresholds[i] && (!ok || c > best) {
				best, ok = c, true
			}
		}
		if ok {
			hits = append(hits, Hit{ID: id, Cosine: math.Min(1, best)})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int { return int(a.ID) - int(b.ID) })
	return hits
}

// Random changes against a plain list, old snapshots included: what a
// snapshot answers never changes.
func TestSetAgainstOracle(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		r := rand.New(rand.NewPCG(11, 12))
		var pool [][]float32
		for range 60 {
			pool = append(pool, random(r))
		}
		var events [][]float32
		for range 9 {
			events = append(events, near(r, pool[r.IntN(len(pool))], r.Float64()))
		}
		s, o := newSet(k), oracle{}
		type kept struct {
			snapshot *Snapshot
			want     [][]Hit
		}
		var keep []kept
		var scratch Scratch
		check := func(snap *Snapshot, want [][]Hit) {
			t.Helper()
			batch := make([][]Hit, len(events))
			snap.MatchBatch(events, &scratch, batch)
			for i, e := range events {
				for how, got := range map[string][]Hit{
					"Match": snap.Match(e, &scratch, nil), "Scan": snap.Scan(e, &scratch, nil), "MatchBatch": batch[i],
				} {
					if len(got)+len(want[i]) > 0 && !reflect.DeepEqual(got, want[i]) {
						t.Fatalf("%s, event %d: %v, want %v", how, i, got, want[i])
					}
				}
			}
		}
		for step := range 400 {
			id := ID(r.IntN(50))
			if r.IntN(5) < 2 {
				s.Remove(id)
				delete(o, id)
			} else {
				var vs [][]float32
				var ts []float64
				for range 1 + r.IntN(4) {
					vs = append(vs, pool[r.IntN(len(pool))])
					ts = append(ts, r.Float64()*1.5-0.5)
				}
				if err := s.Add(id, vs, ts); err != nil {
					t.Fatal(err)
				}
				o[id] = struct {
					vectors    [][]float32
					thresholds []float64
				}{vs, ts}
			}
			if step%80 == 7 {
				k := kept{snapshot: s.Snapshot()}
				for _, e := range events {
					k.want = append(k.want, o.match(e))
				}
				keep = append(keep, k)
			}
			shelved(t, s)
		}
		for _, k := range keep {
			check(k.snapshot, k.want)
		}
		if s.Len() != len(o) {
			t.Errorf("%d filters, want %d", s.Len(), len(o))
		}
	})
}

// shelved holds the set's bookkeeping against what it promises.
func shelved(t *testing.T, s *Set) {
	t.Helper()
	thin, live := 0, 0
	for i, h := range s.shelves {
		n := 0
		for slot, r := range h.rows {
			if r == nil {
				continue
			}
			n++
			if r.shelf != h || r.slot != slot || len(s.pages[i].owners[slot]) == 0 {
				t.Fatalf("page %d row %d is not where it says, or has no owner", i, slot)
			}
		}
		if h.index != i || h.live != n {
			t.Fatalf("page %d says index %d and %d live, has %d", i, h.index, h.live, n)
		}
		if h != s.open && n <= pageRows/2 {
			thin++
		}
		live += n
	}
	if thin > 1 {
		t.Fatalf("%d closed pages are at most half live, want 1 at most", thin)
	}
	distinct := 0
	for _, rows := range s.byVector {
		distinct += len(rows)
	}
	if distinct != live {
		t.Fatalf("%d vectors known, %d stored", distinct, live)
	}
}

func TestIdenticalVectorsAreStoredOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	v := random(r)
	s := New()
	for id := range ID(1000) {
		if err := s.Add(id, [][]float32{slices.Clone(v), slices.Clone(v)}, []float64{.9, .8}); err != nil {
			t.Fatal(err)
		}
	}
	if s.Vectors() != 1 || s.Len() != 1000 {
		t.Fatalf("%d vectors for %d filters, want 1 for 1000", s.Vectors(), s.Len())
	}
	var scratch Scratch
	if got := s.Snapshot().Match(v, &scratch, nil); len(got) != 1000 {
		t.Fatalf("%d hits, want 1000", len(got))
	}
	for id := range ID(1000) {
		s.Remove(id)
	}
	if s.Vectors() != 0 || !s.Snapshot().Empty() && len(s.Snapshot().Match(v, &scratch, nil)) != 0 {
		t.Fatalf("%d vectors left after everything was removed", s.Vectors())
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	s := New()
	for id := range ID(100) {
		if err := s.Add(id, [][]float32{random(r)}, []float64{0}); err != nil {
			t.Fatal(err)
		}
	}
	snap, event := s.Snapshot(), random(r)
	var scratch Scratch
	hits := snap.Match(event, &scratch, nil)
	if n := testing.AllocsPerRun(20, func() { hits = snap.Match(event, &scratch, hits[:0]) }); n != 0 {
		t.Errorf("%v allocations an event, want 0", n)
	}
}

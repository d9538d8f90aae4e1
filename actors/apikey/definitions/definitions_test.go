package definitions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

func rule(k uint32, tag, query, status string) definition.Definition {
	return definition.Definition{Rule: &messages.Rule{Id: fmt.Sprint("rule-", k), K: k, Tag: tag, Query: query, Status: status}}
}

// commit makes a change that takes effect at the position.
func commit(s *definitions.Set, e *definitions.Entry, to definition.Definition, position uint64) *messages.QueryName {
	if e.Change(to) {
		s.Known(e, position)
	}
	return s.Commit(e, e.Revision+1)
}

func create(s *definitions.Set, to definition.Definition, position uint64) *definitions.Entry {
	e := s.Create(to)
	s.Known(e, position)
	s.Commit(e, 1)
	return e
}

func want(t *testing.T, s *definitions.Set, k, version uint32, position uint64, want definitions.Verdict, name string) {
	t.Helper()
	origin, got := s.Decide(k, version, position)
	if got != want || origin.GetName() != name {
		t.Errorf("%d.%d at %d: verdict %d for %q, want %d for %q", k, version, position, got, origin.GetName(), want, name)
	}
}

const (
	deliver   = definitions.Deliver
	skip      = definitions.Skip
	undecided = definitions.Undecided
	stale     = definitions.Stale
)

func TestAChangeFromBeginToEnd(t *testing.T) {
	s := definitions.New()
	e := s.Create(rule(1, "first", "a", "active"))
	if q := e.Coming(); q.GetK() != 1 || q.GetVersion() != 1 || q.GetRule() != "a" || len(s.All()) != 0 || s.ByID("rule-1") != nil {
		t.Fatalf("coming %v, all %v", q, s.All())
	}
	want(t, s, 1, 1, 50, skip, "") // the router has it, its answer is not here
	s.Known(e, 100)
	want(t, s, 1, 1, 100, skip, "")
	want(t, s, 1, 1, 101, undecided, "")
	if after, is := s.Undecided(); !is || after != 100 {
		t.Errorf("undecided after %d: %v", after, is)
	}
	if former := s.Commit(e, 7); former != nil || e.Revision != 7 || e.Rule.GetCreatedPosition() != 100 || e.Version() != 1 || len(s.All()) != 1 {
		t.Errorf("former %v, entry %v", former, e)
	}
	want(t, s, 1, 1, 101, deliver, "first")
	want(t, s, 1, 1, 100, skip, "")
	want(t, s, 1, 9, 101, stale, "")
	want(t, s, 2, 1, 101, stale, "")

	if !e.Change(rule(1, "second", "b", "active")) {
		t.Fatal("the router has nothing to do with another query")
	}
	want(t, s, 1, 1, 150, deliver, "first") // until it is known where the change takes effect
	want(t, s, 1, 2, 150, skip, "")
	s.Known(e, 200)
	want(t, s, 1, 1, 200, deliver, "first")
	want(t, s, 1, 1, 201, undecided, "")
	want(t, s, 1, 2, 201, undecided, "")
	if former := s.Commit(e, 8); former.GetK() != 1 || former.GetVersion() != 1 {
		t.Errorf("former %v", former)
	}
	want(t, s, 1, 1, 200, deliver, "first")
	want(t, s, 1, 1, 201, stale, "")
	want(t, s, 1, 2, 200, skip, "")
	want(t, s, 1, 2, 201, deliver, "second")

	commit(s, e, rule(1, "second", "b", "paused"), 300)
	want(t, s, 1, 2, 300, deliver, "second")
	want(t, s, 1, 2, 301, stale, "")
	commit(s, e, rule(1, "second", "b", "active"), 400)
	want(t, s, 1, 2, 401, stale, "")
	want(t, s, 1, 4, 401, deliver, "second")
	commit(s, e, definition.Definition{}, 500)
	want(t, s, 1, 4, 500, deliver, "second")
	want(t, s, 1, 4, 501, stale, "")
	if len(s.All()) != 0 || s.ByID("rule-1") != nil || s.ByK(1) != nil {
		t.Errorf("left %v", s.All())
	}

	show := func(from, through uint64) (list []string) {
		for _, q := range s.Queries(from, through) {
			list = append(list, fmt.Sprintf("%s %s (%d,%d]", q.GetOrigin().GetName(), q.GetRule(), q.GetAfter(), q.GetUntil()))
		}
		return list
	}
	for _, c := range []struct {
		from, through uint64
		want          string
	}{
		{0, 0, "first a (100,200], second b (200,300], second b (400,500]"},
		{200, 0, "second b (200,300], second b (400,500]"},
		{199, 201, "first a (100,200], second b (200,300]"},
		{199, 200, "first a (100,200]"},
		{300, 400, ""},
		{500, 0, ""},
	} {
		if got := strings.Join(show(c.from, c.through), ", "); got != c.want {
			t.Errorf("(%d,%d]: %s, want %s", c.from, c.through, got, c.want)
		}
	}
}

func TestAChangeThatFailsLeavesEverything(t *testing.T) {
	s := definitions.New()
	e := s.Create(rule(1, "a", "a", "active"))
	s.Known(e, 10)
	if tried := s.Abort(e); tried.GetK() != 1 || tried.GetVersion() != 1 {
		t.Errorf("tried %v", tried)
	}
	want(t, s, 1, 1, 11, stale, "")
	e = create(s, rule(2, "a", "a", "active"), 20)
	e.Change(rule(2, "b", "b", "active"))
	s.Known(e, 30)
	if tried := s.Abort(e); tried.GetVersion() != 2 {
		t.Errorf("tried %v", tried)
	}
	want(t, s, 2, 1, 31, deliver, "a")
	want(t, s, 2, 2, 31, stale, "")
	e.Change(definition.Definition{})
	s.Known(e, 40)
	want(t, s, 2, 1, 41, undecided, "")
	if tried := s.Abort(e); tried != nil {
		t.Errorf("tried %v", tried)
	}
	want(t, s, 2, 1, 41, deliver, "a")
	// What was tried is never tried again: a removal of it may be on its way.
	e.Change(rule(2, "c", "c", "active"))
	if got := e.Coming().GetVersion(); got != 3 {
		t.Errorf("version %d", got)
	}
}

func TestWhatTheRouterHasNothingToDoWith(t *testing.T) {
	s := definitions.New()
	e := create(s, rule(1, "a", "a", "active"), 10)
	to := rule(1, "a", "a", "active")
	to.Rule.IntervalSeconds = 60
	if e.Change(to) {
		t.Error("an interval is none of the router's business")
	}
	if former := s.Commit(e, 2); former != nil || e.Version() != 1 || e.Rule.GetIntervalSeconds() != 60 || len(s.Past()) != 0 {
		t.Errorf("former %v, %v", former, e)
	}
	want(t, s, 1, 1, 11, deliver, "a")
	commit(s, e, rule(1, "a", "a", "paused"), 20)
	if e.Change(rule(1, "b", "b", "paused")) {
		t.Error("the router has nothing of a paused rule")
	}
	s.Commit(e, 4)
	if e.Change(definition.Definition{}) {
		t.Error("the router has nothing of a paused rule that is deleted")
	}
	s.Commit(e, 5)
	if len(s.All()) != 0 || len(s.Past()) != 1 {
		t.Errorf("left %v, past %v", s.All(), s.Past())
	}
}

// A version that was replaced before it decided anything is not kept.
func TestAVersionThatDecidedNothing(t *testing.T) {
	s := definitions.New()
	e := create(s, rule(1, "a", "a", "active"), 10)
	for range 100 {
		commit(s, e, rule(1, "a", "a", "paused"), 10)
		commit(s, e, rule(1, "a", "a", "active"), 10)
	}
	if len(s.Past()) != 0 || e.Version() != 201 {
		t.Errorf("past %v, version %d", s.Past(), e.Version())
	}
}

func TestLoadDecides(t *testing.T) {
	s := definitions.New()
	e := create(s, rule(1, "a", "a", "active"), 10)
	other := create(s, rule(2, "b", "b", "active"), 10)
	e.Change(rule(1, "a", "new", "active"))
	s.Known(e, 20)
	other.Change(definition.Definition{})
	s.Known(other, 21)
	third := s.Create(rule(3, "c", "c", "active"))
	s.Known(third, 22)
	// The first change became durable, the deletion and the creation did not;
	// what they were to replace is void.
	first := e.To().Clone()
	past := []*messages.Query{
		{K: 1, Version: 1, After: 10, Until: 20, Origin: &messages.Origin{Name: "a"}},
		{K: 2, Version: 1, After: 10, Until: 21, Origin: &messages.Origin{Name: "b"}},
		{K: 9, Version: 4, After: 2, Until: 8, Origin: &messages.Origin{Name: "gone"}},
	}
	s.Load([]definitions.Stored{{Definition: first, Revision: 5}, {Definition: other.Definition, Revision: 6}}, past, 3, 0)
	if _, is := s.Undecided(); is {
		t.Error("undecided after loading")
	}
	want(t, s, 1, 1, 20, deliver, "a")
	want(t, s, 1, 1, 21, stale, "")
	want(t, s, 1, 2, 21, deliver, "a")
	want(t, s, 2, 1, 22, deliver, "b")
	want(t, s, 3, 1, 23, stale, "")
	want(t, s, 9, 4, 8, deliver, "gone")
	if s.ByID("rule-1") != e || e.Revision != 5 || s.ByK(3) != nil || s.Since() != 3 || len(s.Past()) != 2 || s.Past()[0].GetK() != 9 {
		t.Errorf("loaded %v, past %v", s.All(), s.Past())
	}
	s.Load(nil, nil, 0, 0)
	if len(s.All()) != 0 || s.ByID("rule-1") != nil {
		t.Errorf("left %v", s.All())
	}
}

// A log that was cut goes back in its positions.
func TestPositionsOfALostHistory(t *testing.T) {
	s := definitions.New()
	created := rule(1, "a", "a", "active")
	created.SetCreated(90)
	created.SetVersion(3, 120)
	old := rule(2, "b", "b", "active")
	old.SetCreated(20)
	s.Load([]definitions.Stored{{Definition: created}, {Definition: old}}, []*messages.Query{
		{K: 1, Version: 2, After: 90, Until: 120}, {K: 1, Version: 1, After: 110, Until: 115}, {K: 7, Version: 1, After: 10, Until: 30},
	}, 0, 100)
	want(t, s, 1, 3, 101, deliver, "a")
	want(t, s, 1, 3, 100, skip, "")
	want(t, s, 1, 2, 100, deliver, "")
	want(t, s, 1, 2, 101, stale, "")
	want(t, s, 2, 0, 21, deliver, "b")
	if s.Newest() != 100 || created.After() != 120 || len(s.Past()) != 2 {
		t.Errorf("newest %d, past %v", s.Newest(), s.Past())
	}
}

func TestExpireAndShrink(t *testing.T) {
	s := definitions.New()
	e := create(s, rule(1, "a", "a", "active"), 10)
	for i := range uint64(4) {
		commit(s, e, rule(1, "a", fmt.Sprint(i), "active"), 20+10*i)
	}
	if gone := s.Expire(30); len(gone) != 1 || gone[0].GetUntil() != 20 || len(s.Past()) != 3 {
		t.Errorf("expired %v", gone)
	}
	want(t, s, 1, 1, 15, stale, "")
	want(t, s, 1, 2, 25, deliver, "a")
	if gone := s.Shrink(); gone != nil || s.Since() != 0 {
		t.Errorf("shrunk by %v", gone)
	}
	long := strings.Repeat("x", 4000)
	for i := range uint64(300) {
		commit(s, e, rule(1, "a", fmt.Sprint(long, i), "active"), 100+i)
	}
	gone := s.Shrink()
	bytes := 0
	for _, q := range s.Past() {
		bytes += proto.Size(q)
	}
	if len(gone) == 0 || bytes > 1<<20 || bytes < 1<<19 || s.Since() != gone[len(gone)-1].GetUntil() || s.Since() >= s.Past()[0].GetUntil() {
		t.Errorf("%d are gone, %d bytes left, since %d", len(gone), bytes, s.Since())
	}
	if more := s.Shrink(); more != nil {
		t.Errorf("and then %d more", len(more))
	}
}

func texts(queries []*messages.Query) (all []string) {
	for _, q := range queries {
		all = append(all, fmt.Sprint(q.GetK(), q.GetVersion(), q.GetAfter(), q.GetUntil(), q.GetRule(), q.GetOrigin().GetName()))
	}
	slices.Sort(all)
	return all
}

// TestAgainstAnOracle makes random changes, of which some fail, between random
// hits, and asks of each hit: is it delivered where a plain list of who was
// active with what from where to where says so, and nowhere else?
func TestAgainstAnOracle(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := definitions.New()
		type held struct {
			k, version   uint32
			name         string
			after, until uint64
		}
		var truth []*held
		open := map[uint32]*held{}
		var entries []*definitions.Entry
		position, nextK := uint64(10), uint32(1)
		check := func() {
			t.Helper()
			for _, p := range []uint64{position - 1, position, position + 1} {
				for k := uint32(1); k < nextK; k++ {
					delivered := 0
					for version := uint32(1); version < 40; version++ {
						if _, v := s.Decide(k, version, p); v == deliver {
							delivered++
						} else if v == undecided {
							t.Fatalf("seed %d: undecided with nothing under way", seed)
						}
					}
					should := slices.ContainsFunc(truth, func(h *held) bool {
						origin, v := s.Decide(k, h.version, p)
						in := h.k == k && p > h.after && (h.until == 0 || p <= h.until)
						if in && (v != deliver || origin.GetName() != h.name) {
							t.Fatalf("seed %d: %d.%d at %d: %d, %v; it held in (%d,%d]", seed, k, h.version, p, v, origin, h.after, h.until)
						}
						return in
					})
					if want := map[bool]int{true: 1}[should]; delivered != want {
						t.Fatalf("seed %d: %d at %d delivered %d times, want %d", seed, k, p, delivered, want)
					}
				}
			}
		}
		for range 40 {
			position += uint64(r.IntN(3))
			var e *definitions.Entry
			name, status := fmt.Sprint("n", r.IntN(3)), []string{"active", "active", "paused"}[r.IntN(3)]
			if len(entries) == 0 || r.IntN(6) == 0 {
				e = s.Create(rule(nextK, name, name, status))
				nextK++
			} else {
				e = entries[r.IntN(len(entries))]
				to := rule(e.K(), name, name, status)
				if r.IntN(8) == 0 {
					to = definition.Definition{}
				}
				e.Change(to)
			}
			to, k := e.To(), e.K()
			if e.Monitor == nil && e.Rule == nil {
				k = to.K()
			}
			before := open[k]
			changes := e.Coming() != nil || before != nil && (to == definition.Definition{} || to.Status() != "active")
			if changes {
				s.Known(e, position)
			}
			if r.IntN(4) == 0 {
				s.Abort(e)
				check()
				continue
			}
			asked := e.Coming()
			s.Commit(e, 1)
			if changes && before != nil {
				before.until = position
				delete(open, k)
			}
			if asked != nil {
				open[k] = &held{k: k, version: asked.GetVersion(), name: name, after: position}
				truth = append(truth, open[k])
			}
			if !slices.Contains(entries, e) {
				entries = append(entries, e)
			}
			if (to == definition.Definition{}) {
				entries = slices.DeleteFunc(entries, func(o *definitions.Entry) bool { return o == e })
			}
			check()
		}
		// What is read back from the store is the same.
		var stored []definitions.Stored
		for _, e := range s.All() {
			stored = append(stored, definitions.Stored{Definition: e.Definition, Revision: e.Revision})
		}
		past := slices.Clone(s.Past())
		r.Shuffle(len(past), func(i, j int) { past[i], past[j] = past[j], past[i] })
		queries := s.Queries(0, 0)
		s = definitions.New()
		s.Load(stored, past, 0, 0)
		check()
		if got := s.Queries(0, 0); !slices.Equal(texts(got), texts(queries)) {
			t.Fatalf("seed %d: read back %v, want %v", seed, got, queries)
		}
	}
}

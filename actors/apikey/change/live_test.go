package change_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// command is a random change of a random rule.
func (w *world) command() any {
	rules := w.m.Set.All()
	tag := fmt.Sprint("tag-", w.next())
	if len(rules) == 0 || w.r.IntN(4) == 0 {
		return &messages.CreateRule{Rule: &messages.Rule{Tag: tag, Query: tag}}
	}
	id := rules[w.r.IntN(len(rules))].ID()
	switch w.r.IntN(6) {
	case 0:
		return &messages.DeleteRule{RuleId: id}
	case 1:
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Tag: tag}, Fields: []string{"tag"}}
	case 2:
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Query: tag}, Fields: []string{"query"}}
	case 3:
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, IntervalSeconds: float64(w.next())}, Fields: []string{"interval_seconds"}}
	case 4:
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Status: "paused"}, Fields: []string{"status"}}
	default:
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Status: "active"}, Fields: []string{"status"}}
	}
}

// rest lets everything under way come to its end.
func (w *world) rest() {
	w.faults = false
	w.happen(true)
	for range 10_000 {
		if len(w.inbox)+len(w.messages) == 0 && (w.timer == 0 || w.m.Idle()) {
			return
		}
		for len(w.inbox) > 0 {
			w.receive()
		}
		if len(w.messages) > 0 {
			w.route()
		} else if len(w.inbox) == 0 {
			w.silence()
		}
	}
	w.t.Fatal("it does not come to rest")
}

// TestLiveIsWhatAReplayGives makes changes while events flow, with messages
// lost and doubled, writes that fail with any outcome, and keys that die at any
// moment and begin again, here or on a node whose router is behind; and then asks
// whether what was delivered live is what a replay by the versions that are kept
// would have delivered, also after later changes.
func TestLiveIsWhatAReplayGives(t *testing.T) {
	behind := 0
	for seed := range uint64(2000) {
		w := newWorld(t, seed)
		w.start(false)
		w.rest()
		w.faults = seed%4 > 0
		ticket := uint64(0)
		for range 150 {
			if w.m.Idle() && len(w.held) > 0 {
				t.Fatalf("seed %d: nothing is under way, and %d hits are held", seed, len(w.held))
			}
			switch n := w.r.IntN(20); {
			case w.dead:
				w.start(w.r.IntN(2) == 0)
				w.compare(seed, "after a death in a write")
			case n < 1:
				w.happen(false)
			case n < 4:
				w.event()
			case n < 9:
				w.receive()
			case n < 14:
				w.route()
			case n < 15:
				w.silence()
			case n < 19:
				if w.m.Idle() || w.r.IntN(4) == 0 {
					ticket++
					w.do(w.m.Do(ticket, w.command()))
				}
			case w.r.IntN(6) == 0:
				w.doomed = w.faults
			case w.r.IntN(5) == 0: // the key dies, and starts
				w.start(w.r.IntN(2) == 0)
				if w.position < w.m.Set.Newest() {
					behind++
				}
				w.compare(seed, "after a death")
			}
		}
		w.rest()
		if !w.m.Idle() || len(w.held) > 0 {
			t.Fatalf("seed %d: %d hits are held for ever", seed, len(w.held))
		}
		w.live.through = w.handled
		w.lives = append(w.lives, w.live)
		w.compare(seed, "at the end")
		w.last(seed)
	}
	if behind < 200 {
		t.Errorf("a router was behind the newest change %d times", behind)
	}
}

// TestWhatAnOwnerBeforeHasOnItsWay has a key die of each kind of change, which the
// store then makes before the next owner reads, while it begins, or after that, or
// never: who resumes is told what was delivered live, also by a later owner, and none
// is made that nobody was told of after another owner has gone by the one before.
func TestWhatAnOwnerBeforeHasOnItsWay(t *testing.T) {
	rename := func(id string) any {
		return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Tag: "other"}, Fields: []string{"tag"}}
	}
	status := func(to string) func(id string) any {
		return func(id string) any {
			return &messages.UpdateRule{Rule: &messages.Rule{Id: id, Status: to}, Fields: []string{"status"}}
		}
	}
	for name, c := range map[string]struct {
		before []func(id string) any
		quiet  bool // no event since the last change
		change func(id string) any
	}{
		"create":           {nil, false, func(string) any { return &messages.CreateRule{Rule: &messages.Rule{Tag: "new", Query: "new"}} }},
		"rename":           {nil, false, rename},
		"rename twice":     {[]func(string) any{status("paused"), status("active")}, true, rename},
		"pause":            {nil, false, status("paused")},
		"pause at once":    {nil, true, status("paused")},
		"activate":         {[]func(string) any{status("paused")}, false, status("active")},
		"activate at once": {[]func(string) any{status("paused")}, true, status("active")},
		"delete":           {nil, false, func(id string) any { return &messages.DeleteRule{RuleId: id} }},
		"delete at once":   {nil, true, func(id string) any { return &messages.DeleteRule{RuleId: id} }},
	} {
		for _, when := range []string{"before", "between", "after", "much later", "never"} {
			t.Run(name+", and it is made "+when, func(t *testing.T) {
				w := newWorld(t, 1)
				w.start(false)
				w.rest()
				events := func() {
					for range 3 {
						w.event()
						w.rest()
					}
				}
				w.do(w.m.Do(1, &messages.CreateRule{Rule: &messages.Rule{Tag: "tag", Query: "query"}}))
				w.rest()
				id := w.m.Set.All()[0].ID()
				if !c.quiet {
					events()
				}
				for _, before := range c.before {
					w.do(w.m.Do(1, before(id)))
					w.rest()
					if !c.quiet {
						events()
					}
				}
				w.doomed = true
				w.do(w.m.Do(1, c.change(id)))
				w.rest()
				if !w.dead || len(w.late) != 1 {
					t.Fatal("it has not died")
				}
				late := w.late
				if w.late = nil; when == "before" || when == "between" {
					w.late = late
				}
				if when == "before" {
					w.happen(true)
				}
				w.between = true
				for i := range 3 { // each owner finds what the one before has gone by
					w.start(false)
					w.rest()
					events()
					if when == "after" && i == 0 || when == "much later" && i == 1 {
						w.late = late
						w.happen(true)
					}
					events()
				}
				if w.m.Key.GetChanging() != nil && w.m.Set.ByID(w.m.Key.GetChanging().GetId()) == nil {
					t.Errorf("%v is named still: each owner sees to it again", w.m.Key.GetChanging())
				}
				w.live.through = w.handled
				w.lives = append(w.lives, w.live)
				w.compare(0, "at the end")
				w.last(0)
			})
		}
	}
}

// compare holds all that was delivered against what a replay of it would be.
func (w *world) compare(seed uint64, when string) {
	w.t.Helper()
	for _, live := range w.lives {
		want := w.replay(live.from, live.through)
		got := slices.Clone(live.told)
		slices.SortStableFunc(got, comparePositions)
		if !slices.Equal(got, want) {
			w.t.Fatalf("seed %d, %s: live in (%d,%d]\n%q, a replay gives\n%q", seed, when, live.from, live.through, got, want)
		}
	}
}

// last holds that whatever is to match does, and nothing else, once the router has
// come to the newest change.
func (w *world) last(seed uint64) {
	w.t.Helper()
	for i := 0; i < 3 || w.position <= w.m.Set.Newest(); i++ {
		w.event()
		w.rest()
	}
	before := w.handled
	w.live.told = nil
	w.event()
	w.rest()
	want := w.replay(before, w.handled)
	if !slices.Equal(w.live.told, want) || len(want) != len(w.m.Set.InForce()) {
		w.t.Fatalf("seed %d: the last event is delivered as %q, want %q", seed, w.live.told, want)
	}
	for _, q := range w.m.Set.InForce() {
		if has := w.queries[name{q.GetK(), q.GetVersion()}]; has.GetRule() != q.GetRule() {
			w.t.Fatalf("seed %d: the router has %v, want %v", seed, has, q)
		}
	}
	if len(w.queries) != len(want) {
		w.t.Fatalf("seed %d: the router has %d queries, want %d", seed, len(w.queries), len(want))
	}
}

func comparePositions(a, b string) int {
	var p, q, j, k int
	fmt.Sscanf(a, "%d.%d", &p, &j)
	fmt.Sscanf(b, "%d.%d", &q, &k)
	if p != q {
		return p - q
	}
	return j - k
}

// A key whose rules are changed all the time keeps a bounded past. How far back
// it is known is durable before anything of it is forgotten, and the store
// forgets the same.
func TestAKeyThatChangesAllTheTime(t *testing.T) {
	w := newWorld(t, 1)
	w.start(false)
	w.rest()
	w.do(w.m.Do(1, &messages.CreateRule{Rule: &messages.Rule{Tag: "t", Query: "q"}}))
	w.rest()
	id, long := w.m.Set.All()[0].ID(), strings.Repeat("x", 4000)
	for i := range 400 {
		w.event()
		w.do(w.m.Do(uint64(i+2), &messages.UpdateRule{Rule: &messages.Rule{Id: id, Query: fmt.Sprint(long, i)}, Fields: []string{"query"}}))
		w.rest()
	}
	bytes := 0
	for _, q := range w.past {
		bytes += proto.Size(q)
	}
	since := w.m.Set.Since()
	if since == 0 || w.key.GetPastSince() != since || len(w.past) != len(w.m.Set.Past()) || len(w.past) < 100 || bytes > 1<<20 {
		t.Errorf("since %d, in the store %d; %d versions of %d bytes in the store, %d are known", since, w.key.GetPastSince(), len(w.past), bytes, len(w.m.Set.Past()))
	}
	for _, q := range w.past {
		if q.GetUntil() <= since {
			t.Errorf("(%d,%d] is kept, and what held up to %d is not known", q.GetAfter(), q.GetUntil(), since)
		}
	}
	w.start(false)
	w.rest()
	if got := w.m.Set.Since(); got != since {
		t.Errorf("after a restart since %d, want %d", got, since)
	}
}

package desk_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// A newsdesk that is cut off at any place, and goes on from a snapshot of some
// time before, computes the same events with the same ids, byte for byte, and
// is the same in the end.
func TestSnapshotAndReplayGiveTheSameEvents(t *testing.T) {
	all := map[string]int{}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			straight, cut := newWorld(t, desk.Config{}), newWorld(t, desk.Config{})
			straight.log = made(seed, 900, 120)
			cut.log = straight.log
			straight.desk.Begin()
			cut.desk.Begin()
			r := rand.New(rand.NewPCG(seed, 77))
			var snapshot []byte
			for n := range straight.log {
				straight.run(n + 1)
				if r.IntN(40) == 0 {
					cut.run(n + 1)
					snapshot = cut.snapshot()
				}
				if r.IntN(60) == 0 {
					cut.run(n + 1)
					if snapshot == nil {
						cut.begin(nil)
						cut.desk.Begin()
					} else {
						cut.begin(snapshot)
					}
				}
			}
			cut.run(len(cut.log))
			want, got := straight.desk.Pending(), cut.desk.Pending()
			if len(want) != len(got) {
				t.Fatalf("%d events straight, %d with cuts", len(want), len(got))
			}
			for i := range want {
				if bytesOf(t, want[i]) != bytesOf(t, got[i]) {
					t.Fatalf("event %d:\n straight  %v\n with cuts %v", i, want[i], got[i])
				}
			}
			for k, n := range kinds(want) {
				all[k] += n
			}
			if !sameState(t, straight, cut) {
				t.Error("both newsdesks differ in the end")
			}
		})
	}
	for _, k := range []string{"create", "merge", "development", "ranked", "ticker", "developing"} {
		if all[k] == 0 {
			t.Errorf("no %s among %v: the test does not look where it should", k, all)
		}
	}
}

// sameState compares but for the number of turns, which replays add to.
func sameState(t *testing.T, a, b *world) bool {
	t.Helper()
	plain := func(w *world) []byte {
		w.begin(w.snapshot())
		return w.snapshot()
	}
	x, y := plain(a), plain(b)
	return bytes.Equal(withoutTurn(t, x), withoutTurn(t, y))
}

// Its own events, which it reads in the log after it offered them, are not
// offered again by one that begins anew; what was not written is.
func TestOnlyWhatIsMissingIsOffered(t *testing.T) {
	w := newWorld(t, desk.Config{})
	w.desk.Begin()
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[string]bool{}
	written := 0
	offer := func(most int) { // the journal writes the first of what is pending
		for _, e := range w.desk.Pending()[:min(most, len(w.desk.Pending()))] {
			if seen[e.GetId()] {
				t.Fatalf("%s was written, and is offered again", e.GetId())
			}
			seen[e.GetId()] = true
			w.log = append(w.log, e)
			written++
		}
	}
	for i, e := range made(8, 500, 60) {
		w.log = append(w.log, e)
		w.run(len(w.log))
		if r.IntN(3) == 0 {
			offer(1 + r.IntN(3))
			w.run(len(w.log))
		}
		if r.IntN(100) == 0 || i == 0 { // dies, and has no snapshot
			w.begin(nil)
			w.run(len(w.log))
			w.desk.Begin()
		}
	}
	offer(1 << 20)
	whole := newWorld(t, desk.Config{})
	whole.desk.Begin()
	for _, e := range w.log {
		if e.GetSource() != desk.Source {
			whole.log = append(whole.log, e)
		}
	}
	whole.run(len(whole.log))
	if want := len(whole.desk.Pending()); written != want || written == 0 {
		t.Errorf("%d events were written, %d follow from the articles", written, want)
	}
}

// A newsdesk that begins on an old log does not tell clients what happened
// days ago, and one that goes on after a pause does.
func TestThePastIsNoNewsToWhoNeverSaidAnything(t *testing.T) {
	w := newWorld(t, desk.Config{})
	w.log = made(3, 400, 50)
	w.run(len(w.log))
	w.desk.Begin()
	end := w.log[len(w.log)-1].GetDetectedMs()
	for _, e := range w.desk.Pending() {
		if e.GetDetectedMs() < end-11*minute {
			t.Fatalf("%v is offered, %d min late", kind(e), (end-e.GetDetectedMs())/minute)
		}
	}
	w.desk.Begin()
	pending := len(w.desk.Pending())
	late := (&article{number: 9999, title: "Something else", source: "x"}).event(end + 600*minute)
	w.log = append(w.log, late, (&article{number: 10000, title: "And another", source: "x"}).event(end+600*minute))
	w.run(len(w.log))
	if len(w.desk.Pending()) < pending {
		t.Error("what was not written before a pause is forgotten")
	}
}

// One outlet that posts near-copies, however many, never makes a breaking
// story; nor do dates that nobody can believe.
func TestOneOutletNeverBreaks(t *testing.T) {
	w := newWorld(t, desk.Config{})
	w.desk.Begin()
	at := begins
	for i := range 100 {
		at += 20 * second
		a := article{
			number: uint64(i + 1), title: fmt.Sprintf("Harbor Steel halts output at Brenford plant, update %d", i),
			text: "The plant at Brenford stopped all furnaces on Monday after a fire in the control room.", source: "loud",
			published: []int64{0, 1, at + 60*365*24*60*minute, -5}[i%4],
		}
		w.log = append(w.log, a.event(at))
	}
	for range 40 { // and time goes by
		at += minute
		w.log = append(w.log, &messages.Event{Source: desk.Source, DetectedMs: at, Body: &messages.Event_DeskTime{DeskTime: &messages.DeskTime{AtMs: at}}})
	}
	w.run(len(w.log))
	n := kinds(w.desk.Pending())
	if n["create"] != 1 || n["developing"]+n["breaking"]+n["major"] > 0 || n["development"] > 0 {
		t.Errorf("one outlet makes %v", n)
	}
	if live, _ := w.desk.Live(); live != 1 {
		t.Errorf("%d stories, want 1", live)
	}
}

// A story that many report breaks, and calms down when nobody does.
func TestAStoryBreaksAndCalmsDown(t *testing.T) {
	w := newWorld(t, desk.Config{})
	w.desk.Begin()
	at := begins
	words := [...]string{"fire", "furnaces", "workers", "output", "control", "smoke", "shift", "steel", "plant", "insurers", "trade", "prices"}
	for i := range 12 {
		at += 2 * minute
		a := article{
			number: uint64(i + 1), title: fmt.Sprintf("Harbor Steel %s: Brenford plant %s", words[i], words[(i+5)%12]),
			text: fmt.Sprintf("Harbor Steel's Brenford plant: %s and %s, and what the %s told Reporter%d of Paper%d in Ward%d", words[(i+3)%12], words[(i+7)%12], words[(i+1)%12], i, i, i), source: fmt.Sprint("s", i),
		}
		w.log = append(w.log, a.event(at))
	}
	for range 600 {
		at += minute
		w.log = append(w.log, &messages.Event{Source: desk.Source, DetectedMs: at, Body: &messages.Event_DeskTime{DeskTime: &messages.DeskTime{AtMs: at}}})
	}
	w.run(len(w.log))
	var way []string
	for _, e := range w.desk.Pending() {
		if p := e.GetStoryPriority(); p != nil {
			way = append(way, p.GetPreviousPriority()+" "+p.GetNewPriority())
		}
	}
	if len(way) < 3 || way[0] != "normal developing" || way[1] != "developing breaking" || way[2] == "breaking breaking" {
		t.Errorf("its way is %q", way)
	}
}

// The ranking is the best of the list that readers page through, whatever the
// order in which stories change.
func TestTheRankingIsTheBestOfAll(t *testing.T) {
	w := newWorld(t, desk.Config{Ranked: 3})
	w.log = made(4, 400, 60)
	w.desk.Begin()
	seen := 0
	for n := range w.log {
		w.run(n + 1)
		pending := w.desk.Pending()
		if len(pending) == 0 || pending[len(pending)-1].GetClustersRanked() == nil {
			continue
		}
		ranked := pending[len(pending)-1].GetClustersRanked().GetClusters()
		w.desk.Take(w.desk.Place(), pending[len(pending)-1]) // it is written
		best := w.desk.List(desk.Wanted{}, 3)
		for i, r := range ranked {
			if r.GetId() != best[i].GetId() || int(r.GetRank()) != i+1 {
				t.Fatalf("after %d: ranked %v, the list begins with %v", n, ranked, best)
			}
		}
		seen = max(seen, len(ranked))
	}
	if seen < 3 {
		t.Errorf("at most %d were ranked", seen)
	}
}

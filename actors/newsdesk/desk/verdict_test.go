package desk_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// asked answers a question of the machine's, as the newsdesk writes it into the log.
func asked(q *messages.DeskQuestion, at int64, significance string) *messages.Event {
	return &messages.Event{
		Id: fmt.Sprint("newsdesk:verdict:", q.GetPosition()), Source: desk.Source, DetectedMs: at,
		Body: &messages.Event_StoryVerdict{StoryVerdict: &messages.StoryVerdict{
			Question: q.GetPosition(), Article: q.GetQuestion().GetArticle(), Significance: significance, Model: "m",
		}},
	}
}

// judgedLog is a log of articles with verdicts in it: most questions are answered,
// at once or later, some of them twice and some when they are not open any more. It
// returns how many there are of each.
func judgedLog(t *testing.T, seed uint64) (log []*messages.Event, counts map[string]int) {
	t.Helper()
	w, r, counts := newWorld(t, desk.Config{}), rand.New(rand.NewPCG(seed, 3)), map[string]int{}
	w.desk.Begin()
	type waiting struct {
		q  *messages.DeskQuestion
		at int
	}
	var later []waiting
	seen := map[uint64]bool{}
	for i, e := range made(seed, 900, 120) {
		w.log = append(w.log, e)
		w.run(len(w.log))
		for _, q := range w.desk.Questions() {
			if seen[q.GetPosition()] {
				continue
			}
			seen[q.GetPosition()] = true
			q = proto.CloneOf(q)
			switch counts["asked"]++; r.IntN(5) {
			case 0:
				counts["unanswered"]++
			case 1:
				later = append(later, waiting{q, i}, waiting{q, i + 1})
			case 2:
				later = append(later, waiting{q, i + 40})
			default:
				later = append(later, waiting{q, i + r.IntN(2)})
			}
		}
		for _, l := range later {
			if l.at != i {
				continue
			}
			open := false
			for _, q := range w.desk.Questions() {
				open = open || q.GetPosition() == l.q.GetPosition() && w.desk.Now()-q.GetAskedMs() <= 5*minute
			}
			before := kinds(w.desk.Pending())["development"]
			w.log = append(w.log, asked(l.q, e.GetDetectedMs()+second, []string{"none", "minor", "major", "nonsense"}[r.IntN(4)]))
			w.run(len(w.log))
			developed := kinds(w.desk.Pending())["development"] - before
			switch {
			case !open && developed > 0:
				t.Errorf("a verdict on what is not open makes %d developments", developed)
			case !open:
				counts["too late"]++
			default:
				counts["taken"]++
				counts["developed"] += developed
			}
		}
	}
	return w.log, counts
}

// Verdicts are facts of the log: whoever reads it, from its beginning or from any
// snapshot, with a model or without, computes the same events, byte for byte.
func TestVerdictsAreReadFromTheLog(t *testing.T) {
	all := map[string]int{}
	for seed := range uint64(3) {
		log, counts := judgedLog(t, seed)
		for k, n := range counts {
			all[k] += n
		}
		straight, cut := newWorld(t, desk.Config{}), newWorld(t, desk.Config{})
		straight.log, cut.log = log, log
		straight.desk.Begin()
		cut.desk.Begin()
		r := rand.New(rand.NewPCG(seed, 78))
		for n := range log {
			straight.run(n + 1)
			if r.IntN(25) == 0 {
				cut.run(n + 1)
				cut.begin(cut.snapshot())
			}
		}
		cut.run(len(log))
		want, got := straight.desk.Pending(), cut.desk.Pending()
		if len(want) != len(got) {
			t.Fatalf("%d events straight, %d with cuts", len(want), len(got))
		}
		for i := range want {
			if bytesOf(t, want[i]) != bytesOf(t, got[i]) {
				t.Fatalf("event %d:\n straight  %v\n with cuts %v", i, want[i], got[i])
			}
		}
		if !sameState(t, straight, cut) {
			t.Error("both newsdesks differ in the end")
		}
	}
	t.Log(all)
	for _, k := range []string{"asked", "unanswered", "too late", "taken", "developed"} {
		if all[k] == 0 {
			t.Errorf("no %s among %v: the test does not look where it should", k, all)
		}
	}
}

package quality

import (
	"slices"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

// Stories are the figures of one pass.
type Stories struct {
	Articles, Labelled int
	Stories            int // that the pass ended with
	Merges, Splits     int
	BCubed             BCubed
	Took               time.Duration // of the pass
	P99                time.Duration // of one assignment, with its share of merging
}

// Measure gives the items their stories in one pass, in order of time.
func Measure(cfg similarity.Config, items []Item, now func() time.Time) (Stories, error) {
	engine, err := similarity.New(cfg)
	if err != nil {
		return Stories{}, err
	}
	f := Stories{Articles: len(items)}
	t := tally{of: map[int64]int64{}, in: map[int64][]int64{}, figures: &f}
	each := make([]time.Duration, 0, len(items))
	for n := range items {
		a := items[n].article(n + 1)
		began := now()
		changes := engine.Add(a)
		took := now().Sub(began)
		each = append(each, took)
		f.Took += took
		t.note(changes)
	}
	began := now()
	changes := engine.Settle()
	f.Took += now().Sub(began)
	t.note(changes)
	given, gold := make([]int64, len(items)), make([]*string, len(items))
	for n := range items {
		given[n], gold[n] = t.of[int64(n+1)], items[n].Cluster
		if gold[n] != nil {
			f.Labelled++
		}
	}
	f.BCubed = Score(given, gold)
	if len(each) > 0 {
		slices.Sort(each)
		f.P99 = each[len(each)*99/100]
	}
	return f, nil
}

// tally follows the changes: which article is in which story.
type tally struct {
	of      map[int64]int64
	in      map[int64][]int64
	figures *Stories
}

func (t *tally) note(changes []similarity.Change) {
	for _, c := range changes {
		switch c.Kind {
		case similarity.Created:
			t.figures.Stories++
			t.move(c.Story, c.Article)
		case similarity.Joined:
			t.move(c.Story, c.Article)
		case similarity.Merged:
			t.figures.Stories--
			t.figures.Merges++
			t.move(c.Story, t.in[c.Other]...)
			delete(t.in, c.Other)
		case similarity.Split:
			t.figures.Stories++
			t.figures.Splits++
			t.in[c.Story] = slices.DeleteFunc(t.in[c.Story], func(a int64) bool { return slices.Contains(c.Articles, a) })
			t.move(c.Other, c.Articles...)
		case similarity.Retired: // it stays what it was
		}
	}
}

func (t *tally) move(to int64, articles ...int64) {
	for _, a := range articles {
		t.of[a] = to
	}
	t.in[to] = append(t.in[to], articles...)
}

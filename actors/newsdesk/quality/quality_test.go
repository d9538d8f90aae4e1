package quality

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/similarity"
)

func TestScore(t *testing.T) {
	a, b := "a", "b"
	for _, c := range []struct {
		name       string
		given      []int64
		gold       []*string
		p, r, want float64
	}{
		{"as people did", []int64{1, 1, 2}, []*string{&a, &a, &b}, 1, 1, 1},
		{"all in one", []int64{1, 1, 1, 1}, []*string{&a, &a, &b, &b}, 0.5, 1, 2. / 3},
		{"each alone", []int64{1, 2, 3, 4}, []*string{&a, &a, &b, &b}, 1, 0.5, 2. / 3},
		{"one astray", []int64{1, 1, 1, 2}, []*string{&a, &a, &b, &b}, (2*2./3 + 1./3 + 1) / 4, (1 + 1 + 0.5 + 0.5) / 4, 0},
		{"a distractor costs precision", []int64{1, 1, 1}, []*string{&a, &a, nil}, 2. / 3, 1, 0.8},
		{"a distractor alone costs nothing", []int64{1, 1, 2}, []*string{&a, &a, nil}, 1, 1, 1},
	} {
		got := Score(c.given, c.gold)
		if c.want == 0 {
			c.want = 2 * c.p * c.r / (c.p + c.r)
		}
		if math.Abs(got.Precision-c.p)+math.Abs(got.Recall-c.r)+math.Abs(got.F1-c.want) > 1e-12 {
			t.Errorf("%s: %+v, want %v %v %v", c.name, got, c.p, c.r, c.want)
		}
	}
	if got := Score([]int64{1}, []*string{nil}); got != (BCubed{}) {
		t.Errorf("nothing labelled: %+v", got)
	}
}

func TestReadSortsByTime(t *testing.T) {
	items, err := Read(strings.NewReader(`{"title":"second","published_at":20,"cluster":"x"}

{"title":"first","published_at":10,"cluster":null}
{"title":"third","published_at":20,"cluster":"x","sources":["ignored"]}`))
	if err != nil || len(items) != 3 || items[0].Title != "first" || items[0].Cluster != nil || items[1].Title != "second" || *items[2].Cluster != "x" {
		t.Errorf("%+v, %v", items, err)
	}
	if got := Between(items, 11, 20); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"{", `{"published_at":1}`, `{"title":3}`} {
		if _, err := Read(strings.NewReader("{\"title\":\"a\"}\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// Measure follows merges and splits: what it scores is where articles are in
// the end.
// Files say who reports in many ways, or not at all.
func TestReadTakesAnySource(t *testing.T) {
	for source, want := range map[string]string{
		`"source":"BBC",`: "BBC", `"source":{"id":"bbc","name":"BBC"},`: "bbc", `"source":{"name":"BBC"},`: "BBC",
		``: "", `"source":null,`: "", `"source":7,`: "", `"source":["BBC"],`: "", `"source":{"id":7},`: "",
	} {
		items, err := Read(strings.NewReader(`{` + source + `"title":"x","published_at":1}`))
		if err != nil || len(items) != 1 || string(items[0].Source) != want || items[0].article(1).Source != want {
			t.Errorf("%s: %+v, %v; want %q", source, items, err, want)
		}
	}
}

func TestMeasureFollowsChanges(t *testing.T) {
	f := Stories{}
	y := tally{of: map[int64]int64{}, in: map[int64][]int64{}, figures: &f}
	y.note([]similarity.Change{
		{Kind: similarity.Created, Story: 1, Article: 1},
		{Kind: similarity.Joined, Story: 1, Article: 2},
		{Kind: similarity.Created, Story: 3, Article: 3},
		{Kind: similarity.Merged, Story: 3, Other: 1},
		{Kind: similarity.Retired, Story: 9},
		{Kind: similarity.Split, Story: 3, Other: 7, Articles: []int64{2, 3}},
	})
	if y.of[1] != 3 || y.of[2] != 7 || y.of[3] != 7 || f.Stories != 2 || f.Merges != 1 || f.Splits != 1 {
		t.Errorf("%v, %+v", y.of, f)
	}
}

func TestMeasure(t *testing.T) {
	var items []Item
	for i, title := range []string{
		"Ferry runs aground off Orvin island", "Tolmar parliament passes budget",
		"Ferry aground near Orvin island, passengers rescued", "Budget passes in Tolmar parliament",
	} {
		cluster := []string{"ferry", "budget"}[i%2]
		items = append(items, Item{Title: title, Published: int64(1_700_000_000_000 + i*1000), Cluster: &cluster})
	}
	clock := time.Unix(0, 0)
	f, err := Measure(similarity.Config{}, items, func() time.Time { clock = clock.Add(time.Millisecond); return clock })
	if err != nil || f.BCubed.F1 != 1 || f.Stories != 2 || f.Labelled != 4 || f.P99 != time.Millisecond || f.Took != 5*time.Millisecond {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestCurves(t *testing.T) {
	for _, c := range []struct {
		name    string
		all     []scored
		auc, ap float64
	}{
		{"parted", []scored{{3, true}, {1, false}, {2, true}, {0, false}}, 1, 1},
		{"the wrong way", []scored{{0, true}, {1, false}}, 0, 0.5},
		{"all alike", []scored{{1, true}, {1, false}, {1, false}, {1, true}}, 0.5, 0.5},
		{"one between", []scored{{3, true}, {2, false}, {1, true}}, 0.5, (1 + 2./3) / 2},
	} {
		old, fresh := 0, 0
		for _, s := range c.all {
			if s.new {
				fresh++
			} else {
				old++
			}
		}
		if auc, ap := curves(c.all, old, fresh); math.Abs(auc-c.auc)+math.Abs(ap-c.ap) > 1e-12 {
			t.Errorf("%s: AUC %v, AP %v; want %v, %v", c.name, auc, ap, c.auc, c.ap)
		}
	}
}

package index

import (
	"fmt"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

// long is a subscription of so many keywords, all its own.
func long(tb testing.TB, n, keywords int) *rule.Compiled {
	tb.Helper()
	f := &messages.KiteFilters{}
	for i := range keywords {
		f.Keywords = append(f.Keywords, fmt.Sprintf("w%d.%d", n, i))
	}
	q, err := rule.Compile(&messages.Query{Want: &messages.Query_Kite{Kite: f}})
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// What one snapshot builds is bounded in words: a few hundred long queries are
// as much work as hundreds of thousands of short ones.
func TestLongQueriesDoNotMakeSnapshotsSlow(t *testing.T) {
	x := New(Config{})
	largest := 0
	for n := range 400 {
		before := map[*segment]bool{}
		for _, v := range x.views {
			before[v.segment] = true
		}
		if err := x.Put(ID(n%10), long(t, n, 900)); err != nil {
			t.Fatal(err)
		}
		put := len(x.batch.words)
		x.Snapshot()
		for _, v := range x.views {
			if !before[v.segment] {
				largest = max(largest, v.size())
				if v.size() > put+2*x.cfg.InlineMost {
					t.Fatalf("after %d queries a snapshot built %d words", n+1, v.size())
				}
			}
		}
		if len(x.views) > 40 {
			if m := x.Merge(); m != nil { // as the owner does, all the time
				m.Run()
				x.Install(m)
			}
		}
	}
	for m := x.Merge(); m != nil; m = x.Merge() {
		m.Run()
		x.Install(m)
	}
	if x.Len() != 10 || len(x.views) > 3 {
		t.Errorf("%d queries in %d segments", x.Len(), len(x.views))
	}
	if largest < x.cfg.InlineMost {
		t.Errorf("the largest segment built has %d words: the test shows nothing", largest)
	}
}

// Whoever encodes does not touch the index, and what was encoded can be put, and
// put again, as if it had been compiled in place.
func TestEncodedQueriesArePutAsTheyAre(t *testing.T) {
	x, y := New(Config{}), New(Config{})
	for n := range 50 {
		q := long(t, n/2, 1+n%7)
		e, err := x.Encoder().Encode(q)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.PutEncoded(ID(n), e); err != nil {
			t.Fatal(err)
		}
		if err := x.PutEncoded(ID(1000+n), e); err != nil {
			t.Fatal(err)
		}
		if err := y.Put(ID(n), q); err != nil {
			t.Fatal(err)
		}
		if err := y.Put(ID(1000+n), q); err != nil {
			t.Fatal(err)
		}
	}
	var one, two Scratch
	for n := range 60 {
		var d rule.Doc
		d.Reset(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: messages.ArticleAction_ARTICLE_CREATED, Article: &messages.Article{Title: fmt.Sprintf("w%d.%d", n/2, n%3)},
		}}})
		a, b := x.Snapshot().Match(&d, &one, nil), y.Snapshot().Match(&d, &two, nil)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%v and %v", a, b)
		}
	}
	if _, err := x.Encoder().Encode(&rule.Compiled{}); err == nil {
		t.Error("a query without an expression was encoded")
	}
}

// BenchmarkPutLong is a subscription of 900 keywords that replaces the one
// before, and the snapshot after it.
func BenchmarkPutLong(b *testing.B) {
	x := New(Config{})
	queries := make([]*Encoded, 64)
	for i := range queries {
		e, err := x.Encoder().Encode(long(b, i, 900))
		if err != nil {
			b.Fatal(err)
		}
		queries[i] = e
	}
	b.ReportMetric(float64(queries[0].Words()), "words")
	for n := 0; b.Loop(); n++ {
		if err := x.PutEncoded(ID(n%10), queries[n%64]); err != nil {
			b.Fatal(err)
		}
		x.Snapshot()
		if n%16 == 0 {
			b.StopTimer()
			for m := x.Merge(); m != nil; m = x.Merge() {
				m.Run()
				x.Install(m)
			}
			b.StartTimer()
		}
	}
}

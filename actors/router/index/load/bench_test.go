package load

import (
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

func compiled(b *testing.B, g *Generator, n int) []*rule.Compiled {
	b.Helper()
	list := make([]*rule.Compiled, n)
	for i := range list {
		q, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: g.Rule()}})
		if err != nil {
			b.Fatal(err)
		}
		list[i] = q
	}
	return list
}

// BenchmarkBulkPut is a cold start's share of the index: rules put one after
// the other, batches sealed as they fill.
func BenchmarkBulkPut(b *testing.B) {
	queries := compiled(b, New(Config{Seed: 5, Skip: Broad}), 50_000)
	b.ReportAllocs()
	for b.Loop() {
		x := index.New(index.Config{})
		for i, q := range queries {
			if err := x.Put(index.ID(i), q); err != nil {
				b.Fatal(err)
			}
		}
		x.Snapshot()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(queries)), "ns/rule")
}

// BenchmarkMerge is the work of a merge of 50,000 rules.
func BenchmarkMerge(b *testing.B) {
	queries := compiled(b, New(Config{Seed: 5, Skip: Broad}), 50_000)
	x := index.New(index.Config{})
	for i, q := range queries {
		if err := x.Put(index.ID(i), q); err != nil {
			b.Fatal(err)
		}
	}
	x.Snapshot()
	m := x.Merge()
	if m == nil {
		b.Fatal("nothing to merge")
	}
	for b.Loop() {
		m.Run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*m.Queries()), "ns/rule")
}

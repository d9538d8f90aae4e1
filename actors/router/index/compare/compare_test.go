package compare

import (
	"flag"
	"fmt"
	"testing"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/index/load"
	"github.com/birdwire/birdwire/messages"
)

var most = flag.Int("rules", 10_000, "the largest number of rules")

// both is the same rules in both engines, and posts.
type both struct {
	snapshot *index.Snapshot
	programs []*vm.Program
	posts    []*messages.Event
}

func newBoth(tb testing.TB, rules, posts int) both {
	g := load.New(load.Config{Seed: 1, Skip: load.Broad})
	x := index.New(index.Config{})
	var b both
	for i := range rules {
		text := g.Rule()
		q, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: text}})
		if err != nil {
			tb.Fatalf("rule %q: %v", text, err)
		}
		if err := x.Put(index.ID(i), q); err != nil {
			tb.Fatal(err)
		}
		s, err := source(q.Expr)
		if err != nil {
			tb.Fatal(err)
		}
		p, err := expr.Compile(s, expr.Env(&env{}), expr.AsBool())
		if err != nil {
			tb.Fatalf("expression %q: %v", s, err)
		}
		b.programs = append(b.programs, p)
	}
	for range posts {
		b.posts = append(b.posts, g.Post())
	}
	b.snapshot = x.Snapshot()
	return b
}

func (b *both) expressions(tb testing.TB, machine *vm.VM, e *env, hits []int) []int {
	for i, p := range b.programs {
		v, err := machine.Run(p, e)
		if err != nil {
			tb.Fatal(err)
		}
		if v.(bool) {
			hits = append(hits, i)
		}
	}
	return hits
}

func TestBothAnswerAlike(t *testing.T) {
	b := newBoth(t, 3000, 300)
	var machine vm.VM
	var scratch index.Scratch
	var doc rule.Doc
	found := 0
	for _, e := range b.posts {
		doc.Reset(e)
		var got []int
		for _, h := range b.snapshot.Match(&doc, &scratch, nil) {
			got = append(got, int(h.ID))
		}
		want := b.expressions(t, &machine, environment(e.GetPost()), nil)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("post %v: index %v, expr-lang %v", e, got, want)
		}
		found += len(got)
	}
	if found == 0 {
		t.Error("nothing matched")
	}
}

func BenchmarkCompare(b *testing.B) {
	for n := 1000; n <= *most; n *= 10 {
		both := newBoth(b, n, 200)
		docs, envs := make([]*rule.Doc, len(both.posts)), make([]*env, len(both.posts))
		for i, e := range both.posts {
			docs[i] = new(rule.Doc)
			docs[i].Reset(e)
			envs[i] = environment(e.GetPost())
		}
		b.Run(fmt.Sprintf("rules=%d/index", n), func(b *testing.B) {
			var scratch index.Scratch
			var hits []index.Hit
			for i := range b.N {
				hits = both.snapshot.Match(docs[i%len(docs)], &scratch, hits[:0])
			}
		})
		b.Run(fmt.Sprintf("rules=%d/evaluate-all", n), func(b *testing.B) {
			var scratch index.Scratch
			var hits []index.Hit
			for i := range b.N {
				hits = both.snapshot.MatchAll(docs[i%len(docs)], &scratch, hits[:0])
			}
		})
		b.Run(fmt.Sprintf("rules=%d/expr-lang", n), func(b *testing.B) {
			var machine vm.VM
			var hits []int
			for i := range b.N {
				hits = both.expressions(b, &machine, envs[i%len(envs)], hits[:0])
			}
		})
	}
}

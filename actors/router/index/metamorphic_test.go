package index

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ofPosts(e *rule.Expr) *rule.Compiled {
	return &rule.Compiled{Class: rule.ClassPost, Sample: 100, Expr: e}
}

// deMorgan is e with every group written as the negation of its dual.
func deMorgan(e *rule.Expr) *rule.Expr {
	if len(e.Args) == 0 {
		return e
	}
	out := &rule.Expr{Op: e.Op}
	if e.Op != rule.OpNot {
		out.Op = rule.OpAnd + rule.OpOr - e.Op
	}
	for _, a := range e.Args {
		a = deMorgan(a)
		if e.Op != rule.OpNot {
			a = &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{a}}
		}
		out.Args = append(out.Args, a)
	}
	if e.Op == rule.OpNot {
		return out
	}
	return &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{out}}
}

// shuffled is e with the arguments of every group in another order, some twice.
func shuffled(r *rand.Rand, e *rule.Expr) *rule.Expr {
	out := &rule.Expr{Op: e.Op, Atom: e.Atom}
	for _, a := range e.Args {
		out.Args = append(out.Args, shuffled(r, a))
	}
	if e.Op == rule.OpAnd || e.Op == rule.OpOr {
		if r.IntN(2) == 0 {
			out.Args = append(out.Args, out.Args[r.IntN(len(out.Args))])
		}
		r.Shuffle(len(out.Args), func(i, j int) { out.Args[i], out.Args[j] = out.Args[j], out.Args[i] })
	}
	return out
}

// However a query is written, it is the same query: one program, whoever
// asked for it and in whatever order its terms come.
func TestOneProgramHoweverWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for range 300 {
		e := random(r, 4, func() *rule.Expr { return atomOfPosts(r) })
		x := New(Config{})
		for id, q := range []*rule.Expr{e, deMorgan(e), shuffled(r, e), shuffled(r, deMorgan(e))} {
			must(t, x.Put(ID(id), ofPosts(q)))
		}
		x.Snapshot()
		if s := x.Stats(); s.Programs != 1 || s.Queries != 4 {
			t.Fatalf("%d programs for %d ways to write one query", s.Programs, s.Queries)
		}
	}
}

// all is what a snapshot answers to some posts, as one value to compare.
func all(s *Snapshot, docs []*rule.Doc) string {
	var b bytes.Buffer
	var scratch Scratch
	for _, d := range docs {
		fmt.Fprintln(&b, s.Match(d, &scratch, nil))
	}
	return b.String()
}

func somePosts(r *rand.Rand, n int) []*rule.Doc {
	var docs []*rule.Doc
	for range n {
		d := new(rule.Doc)
		d.Reset(&messages.Event{Body: &messages.Event_Post{Post: post(r)}})
		docs = append(docs, d)
	}
	return docs
}

// Any split into segments is one segment.
func TestSplitsIntoSegmentsAnswerAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	var queries []*rule.Compiled
	for range 400 {
		queries = append(queries, ofPosts(random(r, 3, func() *rule.Expr { return atomOfPosts(r) })))
	}
	docs := somePosts(r, 60)
	one := New(Config{BatchMost: 1000})
	for i, q := range queries {
		must(t, one.Put(ID(i), q))
	}
	want := all(one.Snapshot(), docs)
	if n := one.Stats().Segments; n != 1 {
		t.Fatalf("%d segments, want the one to compare with", n)
	}
	for range 8 {
		x := New(Config{BatchMost: 1 + r.IntN(30), InlineMost: 1 + r.IntN(200)})
		for i, q := range queries {
			must(t, x.Put(ID(i), q))
		}
		if got := all(x.Snapshot(), docs); got != want {
			t.Fatalf("%d segments answer otherwise than one", x.Stats().Segments)
		}
		for m := x.Merge(); m != nil; m = x.Merge() {
			m.Run()
			if !x.Install(m) {
				t.Fatal("the only merge was void")
			}
			if got := all(x.Snapshot(), docs); got != want {
				t.Fatalf("%d segments answer otherwise than one after a merge", x.Stats().Segments)
			}
		}
	}
}

// Adding and removing again is nothing.
func TestAddAndRemoveIsIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	x := New(Config{BatchMost: 50, InlineMost: 400})
	query := func() *rule.Compiled { return ofPosts(random(r, 3, func() *rule.Expr { return atomOfPosts(r) })) }
	for i := range ID(200) {
		must(t, x.Put(i, query()))
	}
	docs := somePosts(r, 60)
	want := all(x.Snapshot(), docs)
	for i := range ID(300) {
		must(t, x.Put(1000+i, query()))
		if i%40 == 0 {
			x.Snapshot()
		}
		if m := x.Merge(); m != nil {
			m.Run()
			x.Install(m)
		}
	}
	for i := range ID(300) {
		x.Remove(1000 + i)
	}
	if got := all(x.Snapshot(), docs); got != want || x.Len() != 200 {
		t.Fatalf("%d queries answer otherwise than before the others came and went", x.Len())
	}
}

// What was removed while a merge ran is not in what the merge made.
func TestRemovedDuringAMerge(t *testing.T) {
	x := New(Config{BatchMost: 10, InlineMost: 1})
	q := ofPosts(valueOf(rule.KindKeyword, "ant"))
	for i := range ID(40) {
		must(t, x.Put(i, q))
	}
	m := x.Merge()
	if m == nil || m.Queries() != 40 {
		t.Fatalf("merge %v, want one of 40 queries", m)
	}
	second := x.Merge()
	x.Remove(3)
	x.Remove(7)
	must(t, x.Put(7, ofPosts(valueOf(rule.KindKeyword, "bee"))))
	m.Run()
	second.Run()
	if !x.Install(m) {
		t.Fatal("the first of two merges is void")
	}
	if x.Install(second) || x.Install(&Merge{}) {
		t.Error("a merge of what is not there any more, or that has not run, was installed")
	}
	d := new(rule.Doc)
	d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "ant"}}})
	var scratch Scratch
	hits := x.Snapshot().Match(d, &scratch, nil)
	if len(hits) != 38 || slices.ContainsFunc(hits, func(h Hit) bool { return h.ID == 3 || h.ID == 7 }) {
		t.Errorf("%d hits %v, want 38 without 3 and 7", len(hits), hits)
	}
}

func TestManyOwnersOfOneQuery(t *testing.T) {
	x := New(Config{InlineMost: 1000})
	const n = 3 * ownersMany
	for i := range ID(n) {
		must(t, x.Put(i, ofPosts(rule.True)))
		must(t, x.Put(n+i, ofPosts(rule.And(valueOf(rule.KindKeyword, "ant"), valueOf(rule.KindKeyword, "bee")))))
	}
	x.Snapshot()
	for m := x.Merge(); m != nil; m = x.Merge() {
		m.Run()
		x.Install(m)
	}
	if s := x.Stats(); s.Programs != 2 || s.Always != 1 {
		t.Errorf("%d programs, %d of them always tried, want 2 and 1", s.Programs, s.Always)
	}
	x.Remove(5)
	d := new(rule.Doc)
	d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "bee ant"}}})
	var scratch Scratch
	if hits := x.Snapshot().Match(d, &scratch, nil); len(hits) != 2*n-1 {
		t.Errorf("%d hits, want %d", len(hits), 2*n-1)
	}
}

func TestQueriesThatAreRefused(t *testing.T) {
	ant := valueOf(rule.KindKeyword, "ant")
	deep := ant
	for range 2 * maxDepth {
		deep = &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{deep}}
	}
	wide := &rule.Expr{Op: rule.OpOr}
	for i := range maxLeaves + 1 {
		wide.Args = append(wide.Args, letter(i))
	}
	long := &rule.Expr{Op: rule.OpOr}
	for i := range 600 {
		long.Args = append(long.Args, valueOf(rule.KindPhrase, strings.Split(strings.Repeat("ant bee ", 500)+fmt.Sprint(i), " ")...))
	}
	x := New(Config{})
	must(t, x.Put(1, ofPosts(ant)))
	for name, q := range map[string]*rule.Compiled{
		"nothing":    nil,
		"no expr":    {Class: rule.ClassPost, Sample: 100},
		"no class":   {Expr: ant, Sample: 100},
		"no sample":  {Expr: ant, Class: rule.ClassPost},
		"too deep":   ofPosts(deep),
		"too wide":   ofPosts(wide),
		"too long":   ofPosts(long),
		"unknown op": ofPosts(&rule.Expr{Op: 99}),
	} {
		if err := x.Put(1, q); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %v, want ErrQuery", name, err)
		}
	}
	bad := &rule.Expr{Atom: rule.Atom{Kind: rule.KindEmbedding, Embeddings: []*messages.EmbeddingFilter{{Embedding: make([]float32, 3)}}}}
	if err := x.Put(1, ofPosts(rule.And(ant, bad))); err == nil {
		t.Error("a semantic filter of three numbers was taken")
	}
	if n := len(x.semantic.byKey) + len(x.semantic.sets); n != 0 {
		t.Errorf("%d semantic filters left of a refused query", n)
	}
	d := new(rule.Doc)
	d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "ant"}}})
	var scratch Scratch
	if hits := x.Snapshot().Match(d, &scratch, nil); len(hits) != 1 || x.Len() != 1 {
		t.Errorf("hits %v of %d queries: a refused change must leave the old query", hits, x.Len())
	}
	wide.Args = wide.Args[:maxLeaves]
	must(t, x.Put(2, ofPosts(wide)))
}

func TestMatchAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	x := New(Config{})
	for i := range ID(3000) {
		must(t, x.Put(i, ofPosts(random(r, 3, func() *rule.Expr { return atomOfPosts(r) }))))
	}
	s, docs := x.Snapshot(), somePosts(r, 40)
	var scratch Scratch
	var hits []Hit
	run := func() {
		for _, d := range docs {
			hits = s.Match(d, &scratch, hits[:0])
		}
	}
	run()
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations for %d posts, want none", n, len(docs))
	}
}

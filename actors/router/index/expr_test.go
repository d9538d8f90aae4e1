package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// letter is an exact atom with the key n.
func letter(n int) *rule.Expr {
	return &rule.Expr{Op: rule.OpAtom, Atom: rule.Atom{Kind: rule.KindKeyword, Hashes: []uint64{uint64(n)}}}
}

// randomExpr is an expression over letters, not in any normal form.
func randomExpr(r *rand.Rand, letters, depth int) *rule.Expr {
	switch n := r.IntN(12); {
	case depth == 0 || n < 4:
		return letter(r.IntN(letters))
	case n < 6:
		return &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{randomExpr(r, letters, depth-1)}}
	case n == 6 && r.IntN(6) == 0:
		return rule.True
	case n == 7 && r.IntN(6) == 0:
		return rule.False
	default:
		e := &rule.Expr{Op: rule.OpAnd + rule.Op(n%2)}
		for range 1 + r.IntN(4) {
			e.Args = append(e.Args, randomExpr(r, letters, depth-1))
		}
		return e
	}
}

func evalLetters(x *rule.Expr, keys []uint64) bool {
	switch x.Op {
	case rule.OpAtom:
		return slices.Contains(keys, x.Atom.Hashes[0])
	case rule.OpAnd:
		for _, a := range x.Args {
			if !evalLetters(a, keys) {
				return false
			}
		}
		return true
	case rule.OpOr:
		for _, a := range x.Args {
			if evalLetters(a, keys) {
				return true
			}
		}
		return false
	case rule.OpNot:
		return !evalLetters(x.Args[0], keys)
	}
	return x.Op == rule.OpTrue
}

// Expressions over a few letters, with all that a change can do: put, replace,
// remove, seal, merge during changes, old snapshots.
func TestLettersAgainstOracle(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		x := New(Config{BatchMost: 1 + r.IntN(60), InlineMost: 1 + r.IntN(800)})
		oracle := map[ID]*rule.Compiled{}
		type kept struct {
			s    *Snapshot
			want map[ID]*rule.Compiled
		}
		var keep []kept
		var running *Merge
		letters := 2 + r.IntN(9)
		for range 300 {
			id := ID(r.IntN(100))
			switch n := r.IntN(10); {
			case n < 6:
				q := &rule.Compiled{Class: rule.ClassPost << r.IntN(3), Sample: 100, Expr: randomExpr(r, letters, 4)}
				if err := x.Put(id, q); err != nil {
					t.Fatal(err)
				}
				oracle[id] = q
			case n < 8:
				x.Remove(id)
				delete(oracle, id)
			case n == 8 && running == nil:
				if running = x.Merge(); running != nil {
					running.Run()
				}
			case n == 8:
				if !x.Install(running) {
					t.Fatal("the only merge was void")
				}
				running = nil
			}
			if r.IntN(20) == 0 {
				k := kept{s: x.Snapshot(), want: map[ID]*rule.Compiled{}}
				for id, q := range oracle {
					k.want[id] = q
				}
				keep = append(keep, k)
			}
			if x.Len() != len(oracle) {
				t.Fatalf("%d queries, want %d", x.Len(), len(oracle))
			}
		}
		var scratch Scratch
		for n, k := range keep {
			for range 8 {
				d := &rule.Doc{Classes: rule.Class(1 + r.IntN(7))}
				var keys []uint64
				for range r.IntN(letters + 2) {
					keys = append(keys, uint64(r.IntN(letters)))
				}
				var got, want []ID
				for _, h := range k.s.match(d, keys, &scratch, nil, nil) {
					got = append(got, h.ID)
				}
				for id, q := range k.want {
					if q.Class&d.Classes != 0 && evalLetters(q.Expr, keys) {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d, snapshot %d, keys %v: %v, want %v", seed, n, keys, got, want)
				}
			}
		}
	}
}

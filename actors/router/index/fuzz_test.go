package index

import (
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// exprOf reads an expression from bytes, in prefix order.
func exprOf(b []byte, depth int) (*rule.Expr, []byte) {
	if len(b) == 0 || depth > 40 {
		return rule.True, b
	}
	n := b[0]
	b = b[1:]
	switch n % 8 {
	case 0:
		return rule.False, b
	case 1:
		e, rest := exprOf(b, depth+1)
		return &rule.Expr{Op: rule.OpNot, Args: []*rule.Expr{e}}, rest
	case 2, 3, 4, 5:
		e := &rule.Expr{Op: rule.OpAnd + rule.Op(n%2)}
		for range n / 8 % 5 {
			var a *rule.Expr
			a, b = exprOf(b, depth+1)
			e.Args = append(e.Args, a)
		}
		return e, b
	}
	return letter(int(n / 8)), b
}

// Whatever the expression, its program and its anchors agree with walking it.
func FuzzProgram(f *testing.F) {
	f.Add([]byte{0x12, 6, 14, 0x0b, 22, 1, 6}, uint32(5))
	f.Add([]byte{0x23, 0x12, 6, 14, 0x12, 22, 30, 1, 6}, uint32(9))
	f.Fuzz(func(t *testing.T, b []byte, have uint32) {
		if len(b) > 500 {
			return
		}
		e, _ := exprOf(b, 0)
		x := New(Config{})
		if err := x.Put(1, ofPosts(e)); err != nil {
			t.Fatalf("put: %v", err)
		}
		var keys []uint64
		for i := range uint64(32) {
			if have>>i&1 != 0 {
				keys = append(keys, i)
			}
		}
		var scratch Scratch
		hits := x.Snapshot().match(&rule.Doc{Classes: rule.ClassPost}, keys, &scratch, nil, nil)
		if got, want := len(hits) == 1, evalLetters(e, keys); got != want {
			t.Fatalf("matches %v, want %v", got, want)
		}
	})
}

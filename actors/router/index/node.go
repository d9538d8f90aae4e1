package index

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/minio/highwayhash"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// maxDepth bounds how deep an expression nests; the walks over it recurse.
const maxDepth = 1000

// node is an expression in normal form: negations are at the leaves, no
// constants and no group of one inside, arguments in an order of their own, so
// that two expressions that differ in the order of their terms are the same.
type node struct {
	op   rule.Op // OpAtom, OpAnd, OpOr; OpTrue and OpFalse at the root only
	leaf leaf
	args []*node
	size int    // leaves
	sum  uint64 // a hash over all of it
}

// leaf is one atom or its negation.
type leaf struct {
	kind  leafKind
	prior uint8 // how common such atoms are, see priors
	not   bool
	key   uint64
}

type leafKind uint8

const (
	leafKey     leafKind = iota // holds exactly if the document has the key
	leafMeaning                 // the same, the key being a semantic filter's
	leafPhrase                  // holds if the tokens are in the text, adjacent; the key names them
	leafAtom                    // the atom of that hash decides
)

// coder makes one query's program.
type coder struct {
	names    *[32]byte
	atoms    map[uint64]*rule.Atom
	phrases  map[uint64][]uint64
	meanings []*meaning // named once for each entry
}

// node is e, or its negation, in normal form.
func (c *coder) node(e *rule.Expr, not bool, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: it nests deeper than %d", ErrQuery, maxDepth)
	}
	switch e.Op {
	case rule.OpTrue, rule.OpFalse:
		return constant((e.Op == rule.OpTrue) != not), nil
	case rule.OpNot:
		return c.node(e.Args[0], !not, depth+1)
	case rule.OpAtom:
		return c.atom(&e.Atom, not)
	case rule.OpAnd, rule.OpOr:
		op := e.Op
		if not {
			op = rule.OpAnd + rule.OpOr - op
		}
		var args []*node
		for _, a := range e.Args {
			n, err := c.node(a, not, depth+1)
			if err != nil {
				return nil, err
			}
			args = append(args, n)
		}
		return group(op, args), nil
	}
	return nil, fmt.Errorf("%w: unknown operator %d", ErrQuery, e.Op)
}

func constant(v bool) *node {
	if v {
		return &node{op: rule.OpTrue}
	}
	return &node{op: rule.OpFalse}
}

// group joins arguments: flattened, sorted, without repeats and constants.
func group(op rule.Op, args []*node) *node {
	unit, zero := rule.OpTrue, rule.OpFalse
	if op == rule.OpOr {
		unit, zero = zero, unit
	}
	flat := make([]*node, 0, len(args))
	for _, a := range args {
		switch a.op {
		case unit:
		case zero:
			return a
		case op:
			flat = append(flat, a.args...)
		default:
			flat = append(flat, a)
		}
	}
	slices.SortFunc(flat, compare)
	flat = slices.CompactFunc(flat, func(a, b *node) bool { return compare(a, b) == 0 })
	for i := 1; i < len(flat); i++ {
		a, b := flat[i-1], flat[i]
		if a.op == rule.OpAtom && b.op == rule.OpAtom && a.leaf.kind == b.leaf.kind && a.leaf.key == b.leaf.key {
			return &node{op: zero} // an atom and its negation
		}
	}
	switch len(flat) {
	case 0:
		return &node{op: unit}
	case 1:
		return flat[0]
	}
	n := &node{op: op, args: flat, sum: uint64(op)}
	for _, a := range flat {
		n.size += a.size
		n.sum = mix(n.sum^a.sum, 0x9e3779b97f4a7c15)
	}
	return n
}

// compare orders arguments as they are best asked: keys, which cost a look
// into the document's own table, then atoms, then groups.
func compare(a, b *node) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if a.op == rule.OpAtom {
		if c := cmp.Compare(a.leaf.key, b.leaf.key); c != 0 {
			return c
		}
		return cmp.Compare(sign(a.leaf.not), sign(b.leaf.not))
	}
	if c := cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.sum, b.sum), cmp.Compare(len(a.args), len(b.args))); c != 0 {
		return c
	}
	return slices.CompareFunc(a.args, b.args, compare)
}

func rank(n *node) int {
	if n.op == rule.OpAtom {
		return int(n.leaf.kind)
	}
	return int(leafAtom) + int(n.op)
}

func sign(not bool) int {
	if not {
		return 1
	}
	return 0
}

func (c *coder) atom(a *rule.Atom, not bool) (*node, error) {
	n := &node{op: rule.OpAtom, size: 1, leaf: leaf{not: not, prior: priorOf(a.Kind)}}
	switch {
	case a.Kind == rule.KindEmbedding:
		m := newMeaning(c.names, a.Embeddings)
		c.meanings = append(c.meanings, m)
		n.leaf.kind, n.leaf.key = leafMeaning, m.key
	case a.Exact():
		var room [1]uint64
		n.leaf.kind, n.leaf.key = leafKey, a.Keys(room[:0])[0]
	case isPhrase(a):
		n.leaf.kind, n.leaf.key = leafPhrase, hashAtom(c.names, a)
		if c.phrases == nil {
			c.phrases = map[uint64][]uint64{}
		}
		c.phrases[n.leaf.key] = a.Hashes
	default:
		n.leaf.kind, n.leaf.key = leafAtom, hashAtom(c.names, a)
		if c.atoms == nil {
			c.atoms = map[uint64]*rule.Atom{}
		}
		kept := *a // alone: the expression around it is not kept
		c.atoms[n.leaf.key] = &kept
	}
	n.sum = mix(n.leaf.key^uint64(n.leaf.kind)<<1, 0xd6e8feb86659fd93) + uint64(sign(not))
	return n, nil
}

// isPhrase says that the program can hold the atom itself: its tokens are its
// keys, and a document's text has them in order.
func isPhrase(a *rule.Atom) bool {
	var room [16]uint64
	return a.Kind == rule.KindPhrase && len(a.Hashes) > 1 && slices.Equal(a.Keys(room[:0]), a.Hashes)
}

// hashAtom names an atom. Keyed, unlike the hashes of tokens: one customer's
// phrase must not be taken for another's.
func hashAtom(key *[32]byte, a *rule.Atom) uint64 {
	var room [512]byte
	b := room[:0]
	number := func(n uint64) { b = binary.LittleEndian.AppendUint64(b, n) }
	text := func(s string) {
		number(uint64(len(s)))
		b = append(b, s...)
	}
	for _, n := range []uint64{uint64(a.Kind), uint64(a.N), uint64(a.Lo), uint64(a.Hi), uint64(len(a.Tokens)), uint64(len(a.Hashes))} {
		number(n)
	}
	for _, g := range a.Geo {
		number(math.Float64bits(g))
	}
	text(a.Value)
	for _, t := range a.Tokens {
		text(t)
	}
	for _, n := range a.Hashes {
		number(n)
	}
	return highwayhash.Sum64(b, key[:])
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

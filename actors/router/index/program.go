package index

import (
	"encoding/binary"
	"fmt"

	"github.com/birdwire/birdwire/actors/router/rule"
)

// program is one compiled query, position-independent: identical queries have
// identical programs.
//
//	header   leaves 13 | class 3 | sample 7 | shape 2 | meaning 1
//	leaf     key low, key high, then 13 true | 13 false | kind 2 | not 1 | prior 3
//	tree     for shapeTree: the groups in preorder, a byte each (0 a leaf, 1 AND,
//	         2 OR, then how many arguments as a varint), padded to whole words
//
// true and false are the leaves to go on at, always later ones, or accept or
// reject. The tree is for choosing anchors, never for evaluation.
type program []uint32

const (
	accept    = 1<<13 - 1
	reject    = 1<<13 - 2
	maxLeaves = reject

	shapeAnd    = 0 // all leaves in one AND; also a single leaf, and none: never
	shapeOr     = 1
	shapeTree   = 2
	shapeAlways = 3

	headerWords = 1
	leafWords   = 3
)

func (p program) leaves() int       { return int(p[0] & 0x1fff) }
func (p program) class() rule.Class { return rule.Class(p[0] >> 13 & 7) }
func (p program) sample() int       { return int(p[0] >> 16 & 0x7f) }
func (p program) shape() int        { return int(p[0] >> 23 & 3) }
func (p program) hasMeaning() bool  { return p[0]>>25&1 != 0 }

func (p program) leaf(i int) leaf {
	w := p[headerWords+leafWords*i:][:leafWords:leafWords]
	return leaf{
		key:   uint64(w[0]) | uint64(w[1])<<32,
		kind:  leafKind(w[2] >> 26 & 3),
		not:   w[2]>>28&1 != 0,
		prior: uint8(w[2] >> 29),
	}
}

// run says whether the document passes. atoms are the segment's.
func (p program) run(d *rule.Doc, s *Scratch, atoms map[uint64]*rule.Atom) bool {
	if p.shape() == shapeAlways {
		return true
	}
	if p.leaves() == 0 {
		return false
	}
	for i := uint32(0); i < reject; {
		w := p[headerWords+leafWords*i:][:leafWords:leafWords]
		key := uint64(w[0]) | uint64(w[1])<<32
		var holds bool
		if leafKind(w[2]>>26&3) == leafAtom {
			holds = d.Match(atoms[key])
		} else {
			holds = s.keys.has(key)
		}
		if holds {
			i = w[2] & 0x1fff
		} else {
			i = w[2] >> 13 & 0x1fff
		}
		if i >= reject {
			return i == accept
		}
	}
	return false
}

// encode appends the program of root; on an error words come back unchanged.
func (c *coder) encode(words []uint32, root *node, q *rule.Compiled) ([]uint32, error) {
	if root.size > maxLeaves {
		return words, fmt.Errorf("%w: it has %d terms, %d is the most", ErrQuery, root.size, maxLeaves)
	}
	header := uint32(root.size) | uint32(q.Class&7)<<13 | uint32(q.Sample)<<16
	shape := shapeAnd
	switch root.op {
	case rule.OpTrue:
		shape = shapeAlways
	case rule.OpOr:
		shape = shapeOr
	}
	if len(root.args) > 0 && root.size > len(root.args) {
		shape = shapeTree
	}
	header |= uint32(shape) << 23
	if len(c.meanings) > 0 {
		header |= 1 << 25
	}
	words = append(words, header)
	w := writer{words: words}
	if root.size > 0 {
		w.jump(root, accept, reject)
	}
	if shape == shapeTree {
		w.tree(root)
		w.flush()
	}
	return w.words, nil
}

// writer appends a program's leaves and then its tree.
type writer struct {
	words []uint32
	next  uint32 // number of the next leaf
	tail  []byte
}

// jump writes n's leaves: on to t where n holds, to f where it does not.
func (w *writer) jump(n *node, t, f uint32) {
	if n.op == rule.OpAtom {
		if n.leaf.not {
			t, f = f, t
		}
		w.words = append(w.words, uint32(n.leaf.key), uint32(n.leaf.key>>32),
			t|f<<13|uint32(n.leaf.kind)<<26|uint32(sign(n.leaf.not))<<28|uint32(n.leaf.prior)<<29)
		w.next++
		return
	}
	for i, a := range n.args {
		after := w.next + uint32(a.size)
		switch {
		case i == len(n.args)-1:
			w.jump(a, t, f)
		case n.op == rule.OpAnd:
			w.jump(a, after, f)
		default:
			w.jump(a, t, after)
		}
	}
}

func (w *writer) tree(n *node) {
	if n.op == rule.OpAtom {
		w.tail = append(w.tail, 0)
		return
	}
	w.tail = append(w.tail, byte(n.op))
	w.tail = binary.AppendUvarint(w.tail, uint64(len(n.args)))
	for _, a := range n.args {
		w.tree(a)
	}
}

func (w *writer) flush() {
	for len(w.tail)%4 != 0 {
		w.tail = append(w.tail, 0)
	}
	for i := 0; i < len(w.tail); i += 4 {
		w.words = append(w.words, binary.LittleEndian.Uint32(w.tail[i:]))
	}
}

// treeReader reads the groups of a program back.
type treeReader struct {
	words program
	at    int // byte
}

func (p program) tree() treeReader {
	return treeReader{words: p[headerWords+leafWords*p.leaves():]}
}

func (t *treeReader) byte() byte {
	b := byte(t.words[t.at/4] >> (8 * (t.at % 4)))
	t.at++
	return b
}

func (t *treeReader) count() int {
	n, shift := 0, 0
	for {
		b := t.byte()
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
		shift += 7
	}
}

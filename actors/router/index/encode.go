package index

import (
	"encoding/binary"
	"fmt"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// Encoder turns queries into what an index holds. It is a value: any number of
// goroutines may use it, while the index is used and changed.
type Encoder struct{ names *[32]byte }

// Encoded is a query of one index, ready to be put into it. Immutable; it may
// be put more than once.
type Encoded struct {
	words    []uint32 // the record, with one owner, 0
	atoms    map[uint64]*rule.Atom
	meanings []*meaning
}

// Encode does the work of putting a query that does not need the index: all but
// some microseconds. ErrQuery where no index can hold it.
func (e Encoder) Encode(q *rule.Compiled) (*Encoded, error) {
	if q == nil || q.Expr == nil || q.Class == 0 || q.Sample < 1 || q.Sample > 100 {
		return nil, fmt.Errorf("%w: it needs an expression, a class and a sample of 1 to 100", ErrQuery)
	}
	c := coder{names: e.names}
	root, err := c.node(q.Expr, false, 0)
	if err != nil {
		return nil, err
	}
	words, err := c.encode(root, q)
	if err != nil {
		return nil, err
	}
	return &Encoded{words: words, atoms: c.atoms, meanings: c.meanings}, nil
}

// Words is how long the query is: what putting it, and every merge that it is
// part of, costs grows with that. About 25 for a rule.
func (e *Encoded) Words() int { return len(e.words) }

// encode makes the record of root, with one owner.
func (c *coder) encode(root *node, q *rule.Compiled) ([]uint32, error) {
	if root.size > maxLeaves {
		return nil, fmt.Errorf("%w: it has %d terms, %d is the most", ErrQuery, root.size, maxLeaves)
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
	w := writer{words: make([]uint32, 0, headerWords+leafWords*root.size+8), phrases: c.phrases}
	w.words = append(w.words, header, 0)
	if root.size > 0 {
		w.jump(root, accept, reject)
	}
	if shape == shapeTree {
		w.tree(root)
		w.flush()
	}
	w.tokens(0)
	length := len(w.words)
	if length > maxWords {
		return nil, fmt.Errorf("%w: it is too long: its compiled form has %d words, %d is the most", ErrQuery, length, maxWords)
	}
	w.words[1] = uint32(length)
	return own(w.words, 0, []ID{0}), nil
}

// own appends the owners of the record that begins at begin and ends the words.
func own(words []uint32, begin int, ids []ID) []uint32 {
	if (len(words)-begin)%2 != 0 {
		words = append(words, 0)
	}
	n := uint32(len(ids))
	if n >= ownersMany {
		words = append(words, n, 0)
		n = ownersMany
	}
	words[begin+1] = words[begin+1]&maxWords | n<<20
	for _, id := range ids {
		words = append(words, uint32(id), uint32(id>>32))
	}
	return words
}

// writer appends a record's leaves, tree and phrases.
type writer struct {
	words   []uint32
	next    uint32 // number of the next leaf
	tail    []byte
	phrases map[uint64][]uint64
	named   []uint64 // the phrases in the order of their leaves
	at      []int    // of each, where in words its leaf is
}

// jump writes n's leaves: on to t where n holds, to f where it does not.
func (w *writer) jump(n *node, t, f uint32) {
	if n.op == rule.OpAtom {
		w.leaf(n.leaf, t, f)
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

func (w *writer) leaf(l leaf, t, f uint32) {
	if l.not {
		t, f = f, t
	}
	if l.kind == leafPhrase {
		w.named = append(w.named, l.key)
		w.at = append(w.at, len(w.words))
	}
	w.words = append(w.words, uint32(l.key), uint32(l.key>>32),
		t|f<<13|uint32(l.kind)<<26|uint32(sign(l.not))<<28|uint32(l.prior)<<29)
	w.next++
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

// tokens writes the phrases and tells their leaves where they are.
func (w *writer) tokens(begin int) {
	for i, name := range w.named {
		tokens := w.phrases[name]
		w.words[w.at[i]], w.words[w.at[i]+1] = uint32(len(w.words)-begin), uint32(len(tokens))
		for _, t := range tokens {
			w.words = append(w.words, uint32(t), uint32(t>>32))
		}
	}
}

package index

import "github.com/birdwire/birdwire/actors/engine/rule"

// record is one compiled query and whose it is, position-independent:
// identical queries have identical records except for the owners. All that a
// candidate needs lies together, since each line of memory that is not at hand
// costs more than the rest of the work on it.
//
//	header   leaves 13 | class 3 | sample 7 | shape 2 | meaning 1
//	length   words before the owners 20 | owners 12, ownersMany for more
//	leaf     key low, key high, then 13 true | 13 false | kind 2 | not 1 | prior 3
//	tree     for shapeTree: the groups in preorder, a byte each (0 a leaf, 1 AND,
//	         2 OR, then how many arguments as a varint), padded to whole words
//	phrases  tokens, low and high; their leaf's key is where they begin and how
//	         many they are
//	         a word of padding where the owners would not begin at an even one
//	owners   where the length says ownersMany: how many, and a word of padding;
//	         ids, low and high
//
// true and false are the leaves to go on at, always later ones, or accept or
// reject. The tree is for choosing anchors, never for evaluation.
type record []uint32

const (
	accept    = 1<<13 - 1
	reject    = 1<<13 - 2
	maxLeaves = reject

	shapeAnd    = 0 // all leaves in one AND; also a single leaf, and none: never
	shapeOr     = 1
	shapeTree   = 2
	shapeAlways = 3

	headerWords = 2
	leafWords   = 3
	maxWords    = 1<<20 - 1
	ownersMany  = 1<<12 - 1
)

func (p record) leaves() int       { return int(p[0] & 0x1fff) }
func (p record) class() rule.Class { return rule.Class(p[0] >> 13 & 7) }
func (p record) sample() int       { return int(p[0] >> 16 & 0x7f) }
func (p record) shape() int        { return int(p[0] >> 23 & 3) }
func (p record) hasMeaning() bool  { return p[0]>>25&1 != 0 }

// length is how many words the query itself has.
func (p record) length() uint32 { return p[1] & maxWords }

// owners is where in the record the ids begin, and how many they are.
func (p record) owners() (at, n uint32) {
	at, n = (p.length()+1)&^1, p[1]>>20
	if n == ownersMany {
		return at + 2, p[at]
	}
	return at, n
}

// size is where the next record begins.
func (p record) size() uint32 {
	at, n := p.owners()
	return at + 2*n
}

// same compares two queries without their owners.
func (p record) same(q record) bool {
	if p[0] != q[0] || p.length() != q.length() {
		return false
	}
	a, b := p[headerWords:p.length()], q[headerWords:q.length()]
	for i, w := range a {
		if b[i] != w {
			return false
		}
	}
	return true
}

func (p record) hash() uint64 {
	h := uint64(p[0])
	for _, w := range p[headerWords:p.length()] {
		h = mix(h^uint64(w), 0xe7037ed1a0b428db)
	}
	return h
}

func (p record) leaf(i int) leaf {
	w := p[headerWords+leafWords*i:][:leafWords:leafWords]
	return leaf{
		key:   uint64(w[0]) | uint64(w[1])<<32,
		kind:  leafKind(w[2] >> 26 & 3),
		not:   w[2]>>28&1 != 0,
		prior: uint8(w[2] >> 29),
	}
}

// run says whether the document passes. atoms are the segment's.
func (p record) run(d *rule.Doc, s *Scratch, atoms map[uint64]*rule.Atom) bool {
	if p.leaves() == 0 {
		return p.shape() == shapeAlways
	}
	for i := uint32(0); ; {
		w := p[headerWords+leafWords*i:][:leafWords:leafWords]
		key := uint64(w[0]) | uint64(w[1])<<32
		var holds bool
		switch leafKind(w[2] >> 26 & 3) {
		case leafPhrase:
			holds = p.phrase(w[0], w[1], d.Tokens(rule.FieldText))
		case leafAtom:
			holds = d.Match(atoms[key])
		default:
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
}

// phrase looks for n adjacent tokens, the first at p[at]. A gap between two
// pieces of text is 0, which no token is.
func (p record) phrase(at, n uint32, text []uint64) bool {
	if uint32(len(text)) < n {
		return false
	}
	first := p.token(at)
	for i, t := range text[:uint32(len(text))-n+1] {
		if t != first {
			continue
		}
		j := uint32(1)
		for j < n && text[uint32(i)+j] == p.token(at+2*j) {
			j++
		}
		if j == n {
			return true
		}
	}
	return false
}

func (p record) token(at uint32) uint64 { return uint64(p[at]) | uint64(p[at+1])<<32 }

// treeReader reads the groups of a record back.
type treeReader struct {
	words record
	at    int // byte
}

func (p record) tree() treeReader {
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

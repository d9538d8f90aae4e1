package index

import (
	"math"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/engine/text"
)

// anchor is one key of a query's cover.
type anchor struct {
	key   uint64
	needs [2]uint64 // the rarest keys that a match by way of this anchor has besides
	rare  [2]float64
	has   uint8 // how many of needs there are
	sure  bool  // the anchor alone proves the match
}

// need adds a key that a match by way of this anchor must have.
func (a *anchor) need(key uint64, share float64) {
	if key == a.key {
		return
	}
	for i := range a.has {
		if a.needs[i] == key {
			return
		}
	}
	switch {
	case a.has < 2:
		a.needs[a.has], a.rare[a.has] = key, share
		a.has++
	case share < max(a.rare[0], a.rare[1]):
		i := 0
		if a.rare[1] > a.rare[0] {
			i = 1
		}
		a.needs[i], a.rare[i] = key, share
	}
}

// signature is the fingerprints of the needs, 0 where there is none.
func (a *anchor) signature() uint32 {
	s := uint32(0)
	for i := range a.has {
		s |= uint32(fingerprint(a.needs[i])) << (16 * i)
	}
	return s
}

// cover chooses programs' anchors. It is reused from one to the next.
type cover struct {
	common *frequencies
	atoms  map[uint64]*rule.Atom
	words  record
	leaf   int // the next to be read
	tree   treeReader
	keys   []uint64
	out    []anchor
	needed []need // keys that every match must have, of all groups being walked
}

type need struct {
	key   uint64
	share float64
}

// of appends p's anchors to out; false: there is no cover.
func (c *cover) of(p record, atoms map[uint64]*rule.Atom, out []anchor) ([]anchor, bool) {
	begin := len(out)
	c.out, c.words, c.leaf, c.atoms, c.needed = out, p, 0, atoms, c.needed[:0]
	switch p.shape() {
	case shapeAlways:
		return out, false
	case shapeTree:
		c.tree = p.tree()
	}
	if p.leaves() == 0 {
		return out, true // never matches: nothing to be found by
	}
	if cost := c.walk(p.shape() != shapeTree); math.IsInf(cost, 1) {
		return out, false
	}
	anchors := c.out[begin:]
	c.proves(p, anchors)
	return c.out[:begin+len(merge(anchors))], true
}

// walk appends the cover of the group or leaf that comes next and returns its
// cost, the share of documents it lets through; infinite, and nothing
// appended, where there is none. What every match of it must have is appended
// to c.needed.
func (c *cover) walk(flat bool) float64 {
	op, n := rule.OpAnd, c.words.leaves()
	if !flat {
		op = rule.Op(c.tree.byte())
		if op == rule.OpAtom {
			return c.one(c.words.leaf(c.leaf))
		}
		n = c.tree.count()
	} else if c.words.shape() == shapeOr {
		op = rule.OpOr
	}
	if op == rule.OpOr {
		return c.any(n, flat)
	}
	return c.all(n, flat)
}

func (c *cover) argument(flat bool) float64 {
	if flat {
		return c.one(c.words.leaf(c.leaf))
	}
	return c.walk(false)
}

// all is an AND: the cheapest argument's cover, whose anchors need what the
// other arguments need.
func (c *cover) all(n int, flat bool) float64 {
	begin, needed := len(c.out), len(c.needed)
	best := math.Inf(1)
	for range n {
		at := len(c.out)
		cost := c.argument(flat)
		if cost < best {
			best = cost
			c.out = append(c.out[:begin], c.out[at:]...)
		} else {
			c.out = c.out[:at]
		}
	}
	for i := range c.out[begin:] {
		for _, k := range c.needed[needed:] {
			c.out[begin+i].need(k.key, k.share)
		}
	}
	return best
}

// any is an OR: all arguments' covers together, or none. No key is needed by
// every match (one in all arguments would be, and is rare).
func (c *cover) any(n int, flat bool) float64 {
	begin, needed := len(c.out), len(c.needed)
	sum := 0.0
	for range n {
		sum += c.argument(flat)
		c.needed = c.needed[:needed]
	}
	if math.IsInf(sum, 1) {
		c.out = c.out[:begin]
	}
	return sum
}

// one is a leaf.
func (c *cover) one(l leaf) float64 {
	c.leaf++
	if l.not {
		return math.Inf(1)
	}
	c.keys = c.keys[:0]
	switch l.kind {
	case leafAtom:
		c.keys = atomKeys(c.atoms[l.key], c.keys)
	case leafPhrase:
		for i := range uint32(l.key >> 32) {
			c.keys = append(c.keys, c.words.token(uint32(l.key)+2*i))
		}
	default:
		c.keys = append(c.keys, l.key)
	}
	if len(c.keys) == 0 {
		return math.Inf(1)
	}
	a, best := anchor{}, math.Inf(1)
	for _, k := range c.keys {
		share := c.common.share(k, l.prior)
		c.needed = append(c.needed, need{key: k, share: share})
		if share < best {
			a.key, best = k, share
		}
	}
	for _, k := range c.needed[len(c.needed)-len(c.keys):] {
		a.need(k.key, k.share)
	}
	c.out = append(c.out, a)
	return best
}

// proves marks the anchors that decide alone: a query that is one key, or an
// OR with that key for an argument.
func (c *cover) proves(p record, anchors []anchor) {
	if p.sample() < 100 || p.leaves() > 1 && p.shape() != shapeOr {
		return
	}
	for i := range p.leaves() {
		l := p.leaf(i)
		if l.not || l.kind >= leafPhrase {
			continue
		}
		for j := range anchors {
			if anchors[j].key == l.key {
				anchors[j].sure = true
			}
		}
	}
}

// merge makes one anchor of several with the same key: what they do not both
// need is not needed. Order of the keys is kept except for repeats.
func merge(anchors []anchor) []anchor {
	if len(anchors) < 2 {
		return anchors
	}
	slices.SortStableFunc(anchors, func(a, b anchor) int {
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return 0
	})
	out := anchors[:1]
	for _, a := range anchors[1:] {
		last := &out[len(out)-1]
		if last.key != a.key {
			out = append(out, a)
			continue
		}
		last.sure = last.sure || a.sure
		last.has = 0
	}
	return out
}

// hasGeo is an atom that holds wherever a place or a region does.
var hasGeo = rule.Atom{Kind: rule.KindHas, Value: "geo", Hashes: []uint64{text.Hash("geo")}}

// atomKeys appends keys that every document has for which the atom holds. A
// region has none of its own, but only posts with a place or a point lie in
// one: few posts have them, so such queries need not be tried on all.
func atomKeys(a *rule.Atom, dst []uint64) []uint64 {
	switch a.Kind {
	case rule.KindPointRadius, rule.KindBoundingBox:
		return hasGeo.Keys(dst)
	}
	return a.Keys(dst)
}

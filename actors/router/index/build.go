package index

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/birdwire/birdwire/actors/router/rule"
)

// build makes one segment of everything living in the sources. It only reads
// them, so it may run beside anything.
func build(sources []view, common *frequencies) *segment {
	b := builder{sources: sources, common: common}
	b.gather()
	b.anchor()
	b.order()
	b.lay()
	b.own()
	b.index()
	return b.out
}

// builder goes from sources to a segment, step by step.
type builder struct {
	sources []view
	common  *frequencies

	distinct []origin // each program once
	claims   []claim  // who owns which of them
	anchors  []anchor // of distinct[0], distinct[1], ...; by rule
	sort     []placed
	place    []uint32 // of distinct: its number in the segment
	out      *segment
}

// origin is where a program is read from.
type origin struct {
	source, rule uint32
	anchors      uint32 // how many; none for those always tried
	never        bool   // it matches nothing
}

// claim is one id's ownership of a program.
type claim struct {
	rule uint32 // in distinct, later in the segment
	id   ID
}

// placed orders programs: those with several anchors first, then by anchor, so
// that what one key leads to lies together.
type placed struct {
	group uint8
	key   uint64
	rule  uint32
}

func (b *builder) program(o origin) program {
	return b.sources[o.source].program(int(o.rule))
}

// gather finds the living programs and drops repeats.
func (b *builder) gather() {
	total := 0
	for i := range b.sources {
		total += b.sources[i].live()
	}
	b.claims = make([]claim, 0, total)
	b.distinct = make([]origin, 0, total)
	seen := make([]uint32, tableSize(total)) // places in distinct plus 1, by hash
	for s := range b.sources {
		v := &b.sources[s]
		for r := range v.len() {
			begin := len(b.claims)
			for i, to := v.owners(r); i < to; i++ {
				if !v.dead.has(int(i)) {
					b.claims = append(b.claims, claim{id: v.ids[i]})
				}
			}
			if len(b.claims) == begin {
				continue
			}
			at := b.known(seen, origin{source: uint32(s), rule: uint32(r)})
			for i := begin; i < len(b.claims); i++ {
				b.claims[i].rule = at
			}
		}
	}
}

// known is the place of a program in distinct, new or not.
func (b *builder) known(seen []uint32, o origin) uint32 {
	p := b.program(o)
	mask := uint64(len(seen) - 1)
	for i := hashWords(p) & mask; ; i = (i + 1) & mask {
		if seen[i] == 0 {
			b.distinct = append(b.distinct, o)
			seen[i] = uint32(len(b.distinct))
			return seen[i] - 1
		}
		if slices.Equal(b.program(b.distinct[seen[i]-1]), p) {
			return seen[i] - 1
		}
	}
}

func hashWords(words []uint32) uint64 {
	h := uint64(len(words))
	for _, w := range words {
		h = mix(h^uint64(w), 0xe7037ed1a0b428db)
	}
	return h
}

// tableSize is a power of two that n entries fill to three quarters at most.
func tableSize(n int) int { return 1 << bits.Len(uint(n+n/3)) }

// anchor chooses covers.
func (b *builder) anchor() {
	c := cover{common: b.common}
	b.sort = make([]placed, len(b.distinct))
	for i := range b.distinct {
		o := &b.distinct[i]
		p := b.program(*o)
		begin, found := len(b.anchors), false
		b.anchors, found = c.of(p, uint32(i), b.sources[o.source].atoms, b.anchors)
		o.anchors = uint32(len(b.anchors) - begin)
		o.never = found && o.anchors == 0
		at := placed{group: 1, rule: uint32(i)}
		if o.anchors > 1 {
			at.group = 0
		}
		if o.anchors > 0 {
			at.key = b.anchors[begin].key
		}
		b.sort[i] = at
	}
}

func (b *builder) order() {
	slices.SortFunc(b.sort, func(x, y placed) int {
		if x.group != y.group {
			return cmp.Compare(x.group, y.group)
		}
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Compare(x.rule, y.rule)
	})
	b.place = make([]uint32, len(b.sort))
	for to, p := range b.sort {
		b.place[p.rule] = uint32(to)
	}
}

// lay copies the programs in their order, and what atoms they name.
func (b *builder) lay() {
	s := &segment{learned: b.common.seen()}
	words := 0
	for _, o := range b.distinct {
		words += len(b.program(o))
	}
	s.words = make([]uint32, 0, words)
	s.off = make([]uint32, 1, len(b.sort)+1)
	for _, p := range b.sort {
		o := b.distinct[p.rule]
		program := b.program(o)
		s.words = append(s.words, program...)
		s.off = append(s.off, uint32(len(s.words)))
		if p.group == 0 {
			s.several++
		}
		atoms := b.sources[o.source].atoms
		if len(atoms) == 0 {
			continue
		}
		for i := range program.leaves() {
			if l := program.leaf(i); l.kind == leafAtom {
				if s.atoms == nil {
					s.atoms = map[uint64]*rule.Atom{}
				}
				s.atoms[l.key] = atoms[l.key]
			}
		}
	}
	b.out = s
}

// own lists the owners, of a program by id, and all by id.
func (b *builder) own() {
	s := b.out
	for i := range b.claims {
		b.claims[i].rule = b.place[b.claims[i].rule]
	}
	slices.SortFunc(b.claims, func(x, y claim) int {
		if x.rule != y.rule {
			return cmp.Compare(x.rule, y.rule)
		}
		return cmp.Compare(x.id, y.id)
	})
	s.ids = make([]ID, len(b.claims))
	s.first = make([]uint32, s.len()+1)
	s.byID = make([]uint32, len(b.claims))
	for i, c := range b.claims {
		s.ids[i] = c.id
		s.first[c.rule+1] = uint32(i + 1)
		s.byID[i] = uint32(i)
	}
	slices.SortFunc(s.byID, func(x, y uint32) int { return cmp.Compare(s.ids[x], s.ids[y]) })
}

// index fills the table and the postings, those of a key by program.
func (b *builder) index() {
	s := b.out
	for i := range b.anchors {
		b.anchors[i].rule = b.place[b.anchors[i].rule]
	}
	slices.SortFunc(b.anchors, func(x, y anchor) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Compare(x.rule, y.rule)
	})
	keys := 0
	for i := range b.anchors {
		if i == 0 || b.anchors[i].key != b.anchors[i-1].key {
			keys++
		}
	}
	s.table = make([]slot, tableSize(keys))
	s.posts = make([]posting, 0, len(b.anchors))
	for i := 0; i < len(b.anchors); {
		e := slot{key: b.anchors[i].key, off: uint32(i)}
		for ; i < len(b.anchors) && b.anchors[i].key == e.key; i++ {
			s.posts = append(s.posts, b.posting(b.anchors[i]))
			e.n++
		}
		s.insert(e)
	}
	for i, o := range b.distinct {
		if o.anchors == 0 && !o.never {
			s.always = append(s.always, b.posting(anchor{rule: b.place[i]}))
		}
	}
}

func (b *builder) posting(a anchor) posting {
	p := posting{rule: a.rule, signature: a.signature()}
	p.rule |= uint32(b.out.program(int(a.rule)).class()) << postClass
	if a.sure {
		p.rule |= postSure
	}
	return p
}

func (s *segment) insert(e slot) {
	mask := uint64(len(s.table) - 1)
	i := hashKey(e.key) & mask
	for s.table[i].n != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = e
}

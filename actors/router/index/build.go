package index

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// build makes one segment of everything living in the sources. It only reads
// them, so it may run at the same time as anything.
func build(sources []view, common *frequencies, spread uint64) *segment {
	b := builder{sources: sources, common: common, spread: spread}
	b.gather()
	b.anchor()
	b.order()
	b.lay()
	b.list()
	b.index()
	return b.out
}

// builder goes from sources to a segment, step by step.
type builder struct {
	sources []view
	common  *frequencies
	spread  uint64

	distinct []origin // each query once
	claims   []claim  // who owns which of them
	leads    []lead   // of all anchors
	sorted   []sorted
	out      *segment
}

// origin is where a query is read from, and where it goes.
type origin struct {
	source  uint32
	from    place
	to      place
	anchors uint32 // how many; none for those always tried
	never   bool   // it matches nothing
}

// lead is an anchor on its way to be a posting.
type lead struct {
	key       uint64
	rule      uint32 // in distinct, later its place
	signature uint32
	sure      bool
}

// claim is one id's ownership of a query.
type claim struct {
	rule uint32 // in distinct
	id   ID
}

// sorted is the order of records: those with several anchors first, then by
// anchor, so that what one key leads to lies together.
type sorted struct {
	group uint8
	key   uint64
	rule  uint32
}

func (b *builder) record(o *origin) record { return b.sources[o.source].record(o.from) }

// gather finds the living queries and drops repeats.
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
		for at, p := range v.all() {
			begin := len(b.claims)
			for first, to := ids(at, p); first < to; first++ {
				if !v.dead.has(first) {
					b.claims = append(b.claims, claim{id: v.id(first)})
				}
			}
			if len(b.claims) == begin {
				continue
			}
			r := b.known(seen, p, origin{source: uint32(s), from: at})
			for i := begin; i < len(b.claims); i++ {
				b.claims[i].rule = r
			}
		}
	}
}

// ids is where the owners of the record at a place begin and end.
func ids(at place, p record) (first, end place) {
	o, n := p.owners()
	first = at + place(o/2)
	return first, first + place(n)
}

// known is the number of a query in distinct, new or not.
func (b *builder) known(seen []uint32, p record, o origin) uint32 {
	mask := uint64(len(seen) - 1)
	for i := p.hash() & mask; ; i = (i + 1) & mask {
		if seen[i] == 0 {
			b.distinct = append(b.distinct, o)
			seen[i] = uint32(len(b.distinct))
			return seen[i] - 1
		}
		if b.record(&b.distinct[seen[i]-1]).same(p) {
			return seen[i] - 1
		}
	}
}

// tableSize is a power of two that n entries fill to three quarters at most.
func tableSize(n int) int { return 1 << bits.Len(uint(n+n/3)) }

// anchor chooses covers.
func (b *builder) anchor() {
	c := cover{common: b.common}
	b.sorted = make([]sorted, len(b.distinct))
	var anchors []anchor
	for i := range b.distinct {
		o := &b.distinct[i]
		found := false
		anchors, found = c.of(b.record(o), b.sources[o.source].atoms, anchors[:0])
		o.anchors = uint32(len(anchors))
		o.never = found && o.anchors == 0
		s := sorted{group: 1, rule: uint32(i)}
		if o.anchors > 1 {
			s.group = 0
		}
		if o.anchors > 0 {
			s.key = anchors[0].key
		}
		b.sorted[i] = s
		for j := range anchors {
			a := &anchors[j]
			b.leads = append(b.leads, lead{key: a.key, rule: uint32(i), signature: a.signature(), sure: a.sure})
		}
	}
}

func (b *builder) order() {
	slices.SortFunc(b.sorted, func(x, y sorted) int {
		if x.group != y.group {
			return cmp.Compare(x.group, y.group)
		}
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Compare(x.rule, y.rule)
	})
	slices.SortFunc(b.claims, func(x, y claim) int {
		if x.rule != y.rule {
			return cmp.Compare(x.rule, y.rule)
		}
		return cmp.Compare(x.id, y.id)
	})
}

// lay copies the records in their order, each with its owners by id, and what
// atoms they name.
func (b *builder) lay() {
	b.out = &segment{learned: b.common.seen(), spread: b.spread}
	s := b.out
	s.count, s.queries = len(b.distinct), len(b.claims)
	s.words = make([]uint32, 0, b.words())
	first := make([]uint32, len(b.distinct)+1) // of each query in claims
	for i, c := range b.claims {
		first[c.rule+1] = uint32(i + 1)
	}
	var owners []ID
	for _, to := range b.sorted {
		o := &b.distinct[to.rule]
		owners = owners[:0]
		for _, c := range b.claims[first[to.rule]:first[to.rule+1]] {
			owners = append(owners, c.id)
		}
		p := b.record(o)
		begin := len(s.words)
		o.to = place(begin / 2)
		s.words = own(append(s.words, p[:p.length()]...), begin, owners)
		if to.group == 0 {
			s.several = place(len(s.words) / 2)
		}
		s.keep(p, b.sources[o.source].atoms)
	}
}

// words is about how many there will be: those of the queries, and their ids.
func (b *builder) words() int {
	n := 2 * len(b.claims)
	for i := range b.distinct {
		n += int(b.record(&b.distinct[i]).length()+1) &^ 1
	}
	return n
}

// keep takes over the atoms that p names.
func (s *segment) keep(p record, atoms map[uint64]*rule.Atom) {
	if len(atoms) == 0 {
		return
	}
	for i := range p.leaves() {
		if l := p.leaf(i); l.kind == leafAtom {
			if s.atoms == nil {
				s.atoms = map[uint64]*rule.Atom{}
			}
			s.atoms[l.key] = atoms[l.key]
		}
	}
}

// list makes the list of all ids.
func (b *builder) list() {
	s := b.out
	s.byID = make([]place, 0, s.queries)
	for at, p := range s.all() {
		for first, end := ids(at, p); first < end; first++ {
			s.byID = append(s.byID, first)
		}
	}
	slices.SortFunc(s.byID, func(x, y place) int { return cmp.Compare(s.id(x), s.id(y)) })
	if n := len(s.byID); n > 0 {
		s.lowest, s.highest = s.id(s.byID[0]), s.id(s.byID[n-1])
	}
}

// index fills the table and the postings, those of a key by place.
func (b *builder) index() {
	s := b.out
	for i := range b.leads {
		b.leads[i].rule = uint32(b.distinct[b.leads[i].rule].to)
	}
	slices.SortFunc(b.leads, func(x, y lead) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Compare(x.rule, y.rule)
	})
	keys := 0
	for i := range b.leads {
		if i == 0 || b.leads[i].key != b.leads[i-1].key {
			keys++
		}
	}
	s.table = make([]slot, tableSize(keys))
	s.posts = make([]posting, 0, len(b.leads))
	for i := 0; i < len(b.leads); {
		e := slot{key: b.leads[i].key, off: uint32(i)}
		for ; i < len(b.leads) && b.leads[i].key == e.key; i++ {
			s.posts = append(s.posts, b.posting(b.leads[i]))
			e.n++
		}
		s.insert(e)
	}
	for i := range b.distinct {
		if o := &b.distinct[i]; o.anchors == 0 && !o.never {
			s.always = append(s.always, b.posting(lead{rule: uint32(o.to)}))
		}
	}
}

// posting is that of a lead whose rule is a place by now.
func (b *builder) posting(l lead) posting {
	p := posting{at: l.rule, signature: l.signature}
	p.at |= uint32(b.out.record(place(l.rule)).class()) << postClass
	if l.sure {
		p.at |= postSure
	}
	return p
}

func (s *segment) insert(e slot) {
	mask := uint64(len(s.table) - 1)
	i := hashKey(e.key, s.spread) & mask
	for s.table[i].n != 0 {
		i = (i + 1) & mask
	}
	s.table[i] = e
}

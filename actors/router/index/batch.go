package index

import "github.com/birdwire/birdwire/actors/router/rule"

// programs are compiled queries one behind the other, and whose they are.
type programs struct {
	words []uint32 // the programs
	off   []uint32 // where program r begins; one more at the end
	first []uint32 // where r's owners begin in ids; one more at the end
	ids   []ID
	// atoms are those that no single key decides, by the hash that the
	// programs name them by.
	atoms map[uint64]*rule.Atom
}

func (p *programs) len() int { return max(len(p.off)-1, 0) }

func (p *programs) program(r int) program { return program(p.words[p.off[r]:p.off[r+1]]) }

func (p *programs) owners(r int) (from, to uint32) { return p.first[r], p.first[r+1] }

// batch is what was put since the last segment was sealed: one program a
// query, in order. At most Config.BatchMost.
type batch struct {
	programs
	byID map[ID]uint32 // of those still wanted
	dead tombstones
}

// add takes over the program that was just written behind the last one.
func (b *batch) add(id ID, c *coder) {
	if b.byID == nil {
		b.byID = map[ID]uint32{}
		b.off, b.first = []uint32{0}, []uint32{0}
	}
	at := uint32(len(b.ids))
	b.byID[id] = at
	b.ids = append(b.ids, id)
	b.off = append(b.off, uint32(len(b.words)))
	b.first = append(b.first, at+1)
	for hash, a := range c.atoms {
		if b.atoms == nil {
			b.atoms = map[uint64]*rule.Atom{}
		}
		b.atoms[hash] = a
	}
}

func (b *batch) remove(id ID) bool {
	at, ok := b.byID[id]
	if !ok {
		return false
	}
	delete(b.byID, id)
	b.dead = b.dead.grow(int(at)+1).set(int(at), int(at)+1, 0)
	return true
}

// view is the batch as a source for build; it is not searched.
func (b *batch) view() view {
	return view{segment: &segment{programs: b.programs}, dead: b.dead.grow(len(b.ids))}
}

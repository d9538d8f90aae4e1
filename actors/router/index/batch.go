package index

import (
	"iter"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// place is where in words something is, in twos of words: a record or an
// id, which are both at even ones.
type place uint32

// records are compiled queries one after the other.
type records struct {
	words   []uint32
	count   int // records
	queries int // owners of all of them
	// atoms are those that no single key decides, by the hash that the records
	// name them by.
	atoms map[uint64]*rule.Atom
}

// all is each record and where it is.
func (r *records) all() iter.Seq2[place, record] {
	return func(yield func(place, record) bool) {
		for at := uint32(0); at < uint32(len(r.words)); {
			p := record(r.words[at:])
			if !yield(place(at/2), p) {
				return
			}
			at += p.size()
		}
	}
}

func (r *records) record(at place) record { return record(r.words[2*int(at):]) }

// id is the one at a place. The place is also its tombstone.
func (r *records) id(at place) ID {
	w := r.words[2*int(at):][:2:2]
	return ID(w[0]) | ID(w[1])<<32
}

// places is how many there are.
func (r *records) places() int { return len(r.words) / 2 }

// batch is what was put since the last segment was sealed: a record a query,
// in order. At most Config.BatchMost.
type batch struct {
	records
	byID map[ID]place // of the ids still wanted
	dead tombstones
}

// add appends the record, with its owner.
func (b *batch) add(id ID, e *Encoded) {
	if b.byID == nil {
		b.byID = map[ID]place{}
	}
	begin := len(b.words)
	b.words = append(b.words, e.words...)
	at, _ := record(b.words[begin:]).owners()
	owner := b.words[begin+int(at):]
	owner[0], owner[1] = uint32(id), uint32(id>>32)
	b.byID[id] = place((uint32(begin) + at) / 2)
	b.count++
	b.queries++
	for hash, a := range e.atoms {
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
	b.dead = b.dead.grow(int(at)+1).set(at, int(at)+1, 0)
	return true
}

// view is the batch as a source for build; it is not searched.
func (b *batch) view() view {
	return view{segment: &segment{records: b.records}, dead: b.dead.grow(b.places())}
}

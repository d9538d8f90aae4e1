package index

import "sort"

// segment is an immutable set of queries and the way to find them.
type segment struct {
	programs // identical ones once

	table  []slot // open addressing by key; a power of two, at most three quarters full
	posts  []posting
	always []posting // of queries without a cover
	// several is how many programs have more than one anchor; they come first,
	// so that a document's repeats are known by a bit each.
	several int
	byID    []uint32 // places in ids, in the order of the ids
	learned uint64   // how many documents had been counted when anchors were chosen
}

// slot says where a key's postings are; n is 0 where there is no key.
type slot struct {
	key    uint64
	off, n uint32
}

// posting leads from an anchor to a program.
type posting struct {
	// rule is the program's number, below 2^28; above it postSure, then the
	// query's class.
	rule uint32
	// signature is two fingerprints of keys that the document must have.
	signature uint32
}

const (
	postRule  = 1<<28 - 1
	postSure  = 1 << 28
	postClass = 29 // shift
)

// view is a segment as one snapshot sees it.
type view struct {
	*segment
	dead tombstones
}

// live is how many of the segment's queries are wanted.
func (v *view) live() int { return len(v.ids) - v.dead.count }

// find is id's place in ids, dead or alive.
func (s *segment) find(id ID) (int, bool) {
	i := sort.Search(len(s.byID), func(i int) bool { return s.ids[s.byID[i]] >= id })
	if i == len(s.byID) || s.ids[s.byID[i]] != id {
		return 0, false
	}
	return int(s.byID[i]), true
}

// lookup is the postings of one key.
func (s *segment) lookup(key uint64) []posting {
	mask := uint64(len(s.table) - 1)
	for i := hashKey(key) & mask; ; i = (i + 1) & mask {
		e := &s.table[i]
		if e.n == 0 {
			return nil
		}
		if e.key == key {
			return s.posts[e.off : e.off+e.n]
		}
	}
}

// hashKey spreads keys over a table: they are hashes already, but those of
// kinds differ by a constant and those of numbers may be plain.
func hashKey(key uint64) uint64 {
	h := key * 0x9e3779b97f4a7c15
	return h ^ h>>32
}

// fingerprint is a key's bit in the document's bitmap; never 0, which stands
// for no need.
func fingerprint(key uint64) uint16 {
	f := uint16(key * 0xd6e8feb86659fd93 >> 48)
	if f == 0 {
		return 1
	}
	return f
}

// bytes is the memory the segment keeps, without the atoms it shares.
func (s *segment) bytes() int {
	const atomBytes = 256 // an atom, its name in the map, a few tokens
	return 4*len(s.words) + 4*len(s.off) + 4*len(s.first) + 8*len(s.ids) +
		16*len(s.table) + 8*len(s.posts) + 8*len(s.always) + 4*len(s.byID) + atomBytes*len(s.atoms)
}

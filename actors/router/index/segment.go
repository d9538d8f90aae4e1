package index

import "sort"

// segment is an immutable set of queries and the way to find them.
type segment struct {
	records // identical queries once

	table  []slot // open addressing by key; a power of two, at most three quarters full
	posts  []posting
	always []posting // of queries without a cover
	// several is where the records with more than one anchor end: they come
	// first, so that a document's repeats are known by a bit each.
	several place
	byID    []place // of all ids, in their order
	lowest  ID      // of them
	highest ID
	learned uint64 // how many documents had been counted when anchors were chosen
	spread  uint64 // see seeds
}

// slot says where a key's postings are; n is 0 where there is no key.
type slot struct {
	key    uint64
	off, n uint32
}

// posting leads from an anchor to a record.
type posting struct {
	// at is the record's place, below 2^28; above it postSure, then the query's
	// class.
	at uint32
	// signature is two fingerprints of keys that the document must have.
	signature uint32
}

const (
	postPlace = 1<<28 - 1
	postSure  = 1 << 28
	postClass = 29 // shift

	// segmentWords is how many a segment may have, by what a posting can name.
	segmentWords = 2 << 28
)

// view is a segment as one snapshot sees it.
type view struct {
	*segment
	dead tombstones
}

// live is how many of the segment's queries are wanted.
func (v *view) live() int { return v.queries - v.dead.count }

// size is what building the segment again costs, in words.
func (v *view) size() int { return len(v.words) }

// wanted is about how much of its size would be left then.
func (v *view) wanted() int {
	if v.queries == 0 {
		return 0
	}
	return int(int64(v.size()) * int64(v.live()) / int64(v.queries))
}

// find is where id is, removed or not.
func (s *segment) find(id ID) (place, bool) {
	if id < s.lowest || id > s.highest {
		return 0, false
	}
	i := sort.Search(len(s.byID), func(i int) bool { return s.id(s.byID[i]) >= id })
	if i == len(s.byID) || s.id(s.byID[i]) != id {
		return 0, false
	}
	return s.byID[i], true
}

// lookup is where a key's postings are.
func (s *segment) lookup(key uint64) (off, n uint32) {
	mask := uint64(len(s.table) - 1)
	for i := hashKey(key, s.spread) & mask; ; i = (i + 1) & mask {
		e := &s.table[i]
		if e.n == 0 || e.key == key {
			return e.off, e.n
		}
	}
}

// fingerprint is a key's bit in the document's bitmap; never 0, which means
// for no need.
func fingerprint(key uint64) uint16 {
	f := uint16(key * 0xd6e8feb86659fd93 >> 48)
	if f == 0 {
		return 1
	}
	return f
}

// bytes is the memory the segment keeps.
func (s *segment) bytes() int {
	const atomBytes = 256 // an atom, its name in the map, a few tokens
	return 4*len(s.words) + 16*len(s.table) + 8*len(s.posts) + 8*len(s.always) + 4*len(s.byID) + atomBytes*len(s.atoms)
}

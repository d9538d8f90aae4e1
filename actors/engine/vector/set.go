package vector

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"unsafe"
)

// ID is the caller's name of one filter.
type ID uint64

// Set is the filters as they are now. One goroutine at a time changes it and
// takes snapshots; snapshots are for everyone.
type Set struct {
	kernel  kernel
	edition uint64 // grows with each snapshot; a page of an older one is copied before it changes
	current *Snapshot

	pages    []*page
	shelves  []*shelf          // the owner's side of pages, same indexes
	open     *shelf            // the one with room for new rows, or nil
	sparse   *shelf            // the one closed shelf that is at most half live, or nil
	byVector map[uint64][]*row // by hash of the numbers' bits
	byID     map[ID][]*row
}

// shelf is the owner's side of one page: what a snapshot need not know.
type shelf struct {
	index int
	rows  [pageRows]*row
	live  int
}

// row is one distinct vector.
type row struct {
	shelf *shelf
	slot  int
	hash  uint64
}

// New is a set without filters.
func New() *Set { return newSet(kernels()[0]) }

func newSet(k kernel) *Set {
	return &Set{
		kernel:   k,
		edition:  1,
		byVector: map[uint64][]*row{},
		byID:     map[ID][]*row{},
	}
}

// Add makes or replaces the filter id: an event passes it when it is at least
// thresholds[i] close to vectors[i] for some i. Refused whole, changing
// nothing, with ErrDimension, ErrNotFinite, ErrZero or ErrThreshold.
func (s *Set) Add(id ID, vectors [][]float32, thresholds []float64) error {
	if err := checkAll(vectors, thresholds); err != nil {
		return err
	}
	old := s.byID[id]
	rows := make([]*row, 0, len(vectors))
	delete(s.byID, id)
	// The new rows take their owner before the old ones lose theirs, so that a
	// vector kept by the change is not moved for it.
	s.forget(id, old, func() {
		for i, v := range vectors {
			r := s.rowOf(v)
			p := s.writable(r.shelf)
			if slices.Contains(rows, r) {
				lower(p, r.slot, id, thresholds[i])
				continue
			}
			p.own(r.slot, owner{id: id, threshold: thresholds[i]})
			rows = append(rows, r)
		}
	})
	s.byID[id] = rows
	return nil
}

// lower handles one vector given twice: its lowest threshold decides.
func lower(p *page, slot int, id ID, threshold float64) {
	list := slices.Clone(p.owners[slot])
	for i := range list {
		if list[i].id == id {
			list[i].threshold = min(list[i].threshold, threshold)
		}
	}
	p.owners[slot] = list
	p.floor[slot] = min(p.floor[slot], threshold)
}

// Remove forgets the filter; an unknown id changes nothing.
func (s *Set) Remove(id ID) {
	rows := s.byID[id]
	delete(s.byID, id)
	s.forget(id, rows, func() {})
}

// forget takes id's interest from rows, runs then, and drops the rows that
// nobody owns after it.
func (s *Set) forget(id ID, rows []*row, then func()) {
	for _, r := range rows {
		s.writable(r.shelf).disown(r.slot, id)
	}
	then()
	for _, r := range rows {
		if len(s.pages[r.shelf.index].owners[r.slot]) == 0 {
			s.drop(r)
		}
	}
}

// Len is how many filters there are, Vectors how many distinct vectors.
func (s *Set) Len() int { return len(s.byID) }

// Vectors is how many distinct vectors the filters have.
func (s *Set) Vectors() int {
	n := 0
	for _, h := range s.shelves {
		n += h.live
	}
	return n
}

// Snapshot is the set at this moment; later changes leave it as it is. Cheap:
// pages are shared until they change.
func (s *Set) Snapshot() *Snapshot {
	if s.current == nil {
		s.current = &Snapshot{kernel: s.kernel, pages: s.pages}
		s.edition++
	}
	return s.current
}

// changing must run before anything a snapshot sees is changed.
func (s *Set) changing() {
	if s.current != nil {
		s.current = nil
		s.pages = slices.Clone(s.pages)
	}
}

// writable is the shelf's page, copied first if a snapshot has it.
func (s *Set) writable(h *shelf) *page {
	s.changing()
	p := s.pages[h.index]
	if p.edition != s.edition {
		clone := *p
		clone.edition = s.edition
		p = &clone
		s.pages[h.index] = p
	}
	return p
}

// rowOf finds v or stores it, without an owner yet.
func (s *Set) rowOf(v []float32) *row {
	// A hash that clients cannot foresee collisions of, and that is the same in
	// every run.
	sum := sha256.Sum256(bits(v))
	hash := binary.LittleEndian.Uint64(sum[:])
	for _, r := range s.byVector[hash] {
		if string(bits(s.pages[r.shelf.index].row(r.slot))) == string(bits(v)) {
			return r
		}
	}
	r := &row{hash: hash}
	s.place(r, v)
	s.byVector[hash] = append(s.byVector[hash], r)
	return r
}

// bits views v's numbers as bytes; equal bits are equal vectors.
func bits(v []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), 4*len(v))
}

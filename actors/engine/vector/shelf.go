package vector

import "slices"

// place writes v into the open page, or a new one, as row r.
func (s *Set) place(r *row, v []float32) {
	if s.open == nil {
		s.open = s.addShelf()
	}
	h := s.open
	p := s.writable(h)
	r.shelf, r.slot = h, p.used
	p.put(r.slot, v)
	p.used++
	h.rows[r.slot] = r
	h.live++
	if p.used == pageRows {
		s.open = nil
		s.thin(h)
	}
}

func (s *Set) addShelf() *shelf {
	s.changing()
	h := &shelf{index: len(s.pages)}
	s.pages = append(s.pages, newPage(s.edition))
	s.shelves = append(s.shelves, h)
	return h
}

// drop frees a row without owners. Its slot is not written again, since a
// snapshot may still read it; the space comes back when two half-empty pages
// become one.
func (s *Set) drop(r *row) {
	left := slices.DeleteFunc(s.byVector[r.hash], func(o *row) bool { return o == r })
	if len(left) == 0 {
		delete(s.byVector, r.hash)
	} else {
		s.byVector[r.hash] = left
	}
	h := r.shelf
	h.rows[r.slot] = nil
	h.live--
	s.thin(h)
}

// thin keeps this true after h changed: at most one closed page is half live
// or less. So at most half the rows are dead, except for two pages.
func (s *Set) thin(h *shelf) {
	switch {
	case h == s.open || h.live > pageRows/2:
	case h.live == 0:
		s.removeShelf(h)
	case s.sparse == nil:
		s.sparse = h
	case s.sparse != h:
		s.join(s.sparse, h)
	}
}

// join moves the live rows of two closed pages into a new one.
func (s *Set) join(a, b *shelf) {
	s.sparse = nil
	to := s.addShelf()
	p := s.pages[to.index]
	for _, from := range []*shelf{a, b} {
		old := s.pages[from.index]
		for slot, r := range from.rows {
			if r == nil {
				continue
			}
			at := p.used
			p.used++
			copy(p.row(at), old.row(slot))
			copy(p.ints[at*Dim:(at+1)*Dim], old.ints[slot*Dim:(slot+1)*Dim])
			p.square[at], p.scale[at], p.relErr[at] = old.square[slot], old.scale[slot], old.relErr[slot]
			p.floor[at] = old.floor[slot]
			p.owners[at] = old.owners[slot]
			to.rows[at], r.shelf, r.slot = r, to, at
			to.live++
		}
	}
	s.removeShelf(a)
	s.removeShelf(b)
	s.thin(to)
}

// removeShelf closes the gap with the last page: order means nothing, since
// hits are sorted.
func (s *Set) removeShelf(h *shelf) {
	s.changing()
	if s.sparse == h {
		s.sparse = nil
	}
	last := len(s.shelves) - 1
	moved := s.shelves[last]
	s.pages[h.index], s.shelves[h.index] = s.pages[last], moved
	moved.index = h.index
	s.pages[last], s.shelves[last] = nil, nil
	s.pages, s.shelves = s.pages[:last], s.shelves[:last]
}

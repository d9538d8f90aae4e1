package index

// Stats say what an index holds.
type Stats struct {
	Queries  int // wanted
	Programs int // distinct, dead ones that no merge has dropped included
	Segments int
	Always   int // programs without an anchor: tried on every document
	Dead     int // removed, and not dropped by a merge yet
	Bytes    int // of all segments and counters, without vectors
	Vectors  int // distinct
}

// Stats are those of the index now; the batch that no snapshot has sealed
// counts among Queries only.
func (x *Index) Stats() Stats {
	s := Stats{Queries: x.live, Segments: len(x.views)}
	for i := range x.views {
		v := &x.views[i]
		s.Programs += v.count
		s.Always += len(v.always)
		s.Dead += v.dead.count
		s.Bytes += v.bytes()
		for _, c := range v.dead.chunks {
			if c != nil {
				s.Bytes += chunkBits / 8
			}
		}
	}
	if x.common != nil {
		s.Bytes += 2 * 4 * cells
	}
	for _, set := range x.semantic.sets {
		s.Vectors += set.Vectors()
	}
	return s
}

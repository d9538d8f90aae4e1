package vector

import "math"

// pageRows is how many vectors one page holds: their int8 forms (24 KiB) stay
// in the nearest cache while a batch of events passes over them.
const pageRows = 16

// numbers are the vectors of one page. A row is written once, before the first
// snapshot that counts it, and never changed: snapshots share it.
type numbers struct {
	floats []float32
	ints   []int8
}

// page is what a snapshot knows of pageRows vectors. Immutable once a snapshot
// has it; the owner of the set changes a copy.
type page struct {
	*numbers
	edition uint64 // the set's edition that may still change this page
	used    int    // rows written

	// scale, relErr and floor lie together: kernels fetch them ahead.
	scale  [pageRows]float64
	relErr [pageRows]float64
	// floor is the lowest threshold among the row's owners; +Inf where there
	// are none, so that a dead row passes nothing.
	floor  [pageRows]float64
	square [pageRows]float64
	owners [pageRows][]owner
}

// owner is one filter's interest in a row.
type owner struct {
	id        ID
	threshold float64
}

func newPage(edition uint64) *page {
	p := &page{
		numbers: &numbers{
			floats: make([]float32, pageRows*Dim),
			ints:   make([]int8, pageRows*Dim),
		},
		edition: edition,
	}
	for i := range p.floor {
		p.floor[i] = math.Inf(1)
	}
	return p
}

func (p *page) row(slot int) []float32 {
	return p.floats[slot*Dim : (slot+1)*Dim : (slot+1)*Dim]
}

func (p *page) put(slot int, v []float32) {
	copy(p.row(slot), v)
	q := quantize(v, p.ints[slot*Dim:(slot+1)*Dim])
	p.square[slot], p.scale[slot], p.relErr[slot] = q.square, q.scale, q.relErr
}

// own adds one owner. Appending never disturbs a snapshot: it reads only the
// owners that it counted, and there is one line of editions.
func (p *page) own(slot int, o owner) {
	p.owners[slot] = append(p.owners[slot], o)
	p.floor[slot] = math.Min(p.floor[slot], o.threshold)
}

// disown removes id's interest and says how many owners remain.
func (p *page) disown(slot int, id ID) int {
	var rest []owner
	floor := math.Inf(1)
	for _, o := range p.owners[slot] {
		if o.id != id {
			rest = append(rest, o)
			floor = math.Min(floor, o.threshold)
		}
	}
	p.owners[slot], p.floor[slot] = rest, floor
	return len(rest)
}

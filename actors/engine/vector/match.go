package vector

import (
	"cmp"
	"slices"
)

// slack is what the prefilter allows for rounding; see the package comment.
const slack = 1e-9

// BatchMax is how many events pass over the filters together in MatchBatch: as
// many as stay in the second cache together with a page.
const BatchMax = 8

// Hit is one filter that an event passes.
type Hit struct {
	ID ID
	// Cosine is the best among the filter's vectors whose threshold is reached.
	Cosine float64
}

// Snapshot is a set at one moment. Immutable: any number of goroutines may
// match with it, each with a Scratch of its own.
type Snapshot struct {
	kernel kernel
	pages  []*page
}

// Scratch is what matching needs to write, about 14 KiB an event of a batch.
// The zero value is ready; one at a time.
type Scratch struct {
	probes []probe
	dots   [pageRows]int32 // what a kernel writes; here, since an indirect call would send it to the heap
	sums   [8]float64
	single [1][]float32
	result [1][]Hit
}

// Empty says that nothing can match.
func (s *Snapshot) Empty() bool { return len(s.pages) == 0 }

// Match appends the filters that event passes, by id, each once. An event that
// Check refuses passes none.
func (s *Snapshot) Match(event []float32, scratch *Scratch, hits []Hit) []Hit {
	scratch.single[0], scratch.result[0] = event, hits
	s.MatchBatch(scratch.single[:], scratch, scratch.result[:])
	hits = scratch.result[0]
	scratch.single[0], scratch.result[0] = nil, nil
	return hits
}

// MatchBatch is Match for several events in one pass over the filters, which
// is what costs: up to BatchMax events take little longer than one. It appends
// to hits[i] what events[i] passes; hits is as long as events.
func (s *Snapshot) MatchBatch(events [][]float32, scratch *Scratch, hits [][]Hit) {
	for len(events) > 0 {
		n := min(len(events), BatchMax)
		s.pass(events[:n], scratch, hits[:n])
		events, hits = events[n:], hits[n:]
	}
}

func (s *Snapshot) pass(events [][]float32, scratch *Scratch, hits [][]Hit) {
	if len(s.pages) == 0 {
		return
	}
	for len(scratch.probes) < len(events) {
		scratch.probes = append(scratch.probes, probe{})
	}
	probes := scratch.probes[:len(events)]
	var begin [BatchMax]int
	for i, e := range events {
		probes[i].set(e)
		begin[i] = len(hits[i])
	}
	for n, p := range s.pages {
		next := p
		if n+1 < len(s.pages) {
			next = s.pages[n+1]
		}
		for i := range probes {
			if probes[i].defined {
				hits[i] = s.page(p, next, &probes[i], scratch, hits[i])
			}
		}
	}
	for i := range hits {
		hits[i] = settle(hits[i], begin[i])
	}
}

// page appends what one page says of one event: estimates first, then the
// exact cosine of those rows that the bound cannot exclude.
func (s *Snapshot) page(p, next *page, x *probe, scratch *Scratch, hits []Hit) []Hit {
	if s.kernel.ints == nil {
		return s.whole(p, x, scratch, hits)
	}
	dots := &scratch.dots
	s.kernel.ints(&p.ints[0], p.used, x, next, dots)
	for slot := range p.used {
		estimate := float64(dots[slot]) * p.scale[slot] * x.scale
		bound := p.relErr[slot]*(1+x.relErr) + x.relErr + slack
		if estimate+bound < p.floor[slot] {
			continue
		}
		hits = s.exact(p, slot, x, scratch, hits)
	}
	return hits
}

// whole is page without estimates.
func (s *Snapshot) whole(p *page, x *probe, scratch *Scratch, hits []Hit) []Hit {
	for slot := range p.used {
		if len(p.owners[slot]) > 0 {
			hits = s.exact(p, slot, x, scratch, hits)
		}
	}
	return hits
}

func (s *Snapshot) exact(p *page, slot int, x *probe, scratch *Scratch, hits []Hit) []Hit {
	s.kernel.dot(&p.floats[slot*Dim], &x.wide[0], &scratch.sums)
	c := cosine(&scratch.sums, p.square[slot], x.square)
	if c < p.floor[slot] {
		return hits
	}
	for _, o := range p.owners[slot] {
		if c >= o.threshold {
			hits = append(hits, Hit{ID: o.id, Cosine: c})
		}
	}
	return hits
}

// settle sorts what was appended from begin on and keeps each id's best.
func settle(hits []Hit, begin int) []Hit {
	tail := hits[begin:]
	slices.SortFunc(tail, func(a, b Hit) int {
		if a.ID != b.ID {
			return cmp.Compare(a.ID, b.ID)
		}
		return cmp.Compare(b.Cosine, a.Cosine)
	})
	tail = slices.CompactFunc(tail, func(a, b Hit) bool { return a.ID == b.ID })
	return hits[:begin+len(tail)]
}

// Scan is Match without the prefilter: every row exactly, at the speed of the
// memory. Same answers; the measure that Match is held against.
func (s *Snapshot) Scan(event []float32, scratch *Scratch, hits []Hit) []Hit {
	if len(scratch.probes) == 0 {
		scratch.probes = make([]probe, 1)
	}
	x := &scratch.probes[0]
	x.set(event)
	if !x.defined {
		return hits
	}
	begin := len(hits)
	for _, p := range s.pages {
		hits = s.whole(p, x, scratch, hits)
	}
	return settle(hits, begin)
}

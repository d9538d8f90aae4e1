package index

import "slices"

// Merge is work that makes matching cheaper and changes no answer. Run may be
// called on any goroutine, while the index is used and changed; the result
// takes effect when the owner installs it. A merge that is never installed
// costs nothing but its own time.
type Merge struct {
	sources []view
	common  *frequencies
	spread  uint64
	out     *segment
}

const (
	// deadShare: a segment with more than one dead query in so many is
	// rewritten.
	deadShare = 3
	// relearn: a segment's anchors are chosen again when this many times as many
	// documents have been counted as when they were chosen.
	relearn = 8
	// relearnFrom is how many documents must have been counted at least.
	relearnFrom = 512
)

// Merge is the next work worth doing, or nil. Ask again after each Install and
// now and then in between. Two at a time are safe; the second to be installed
// is void where they overlap.
func (x *Index) Merge() *Merge {
	x.common.age()
	var large []view
	for _, v := range x.views {
		if v.size() > x.cfg.InlineMost {
			large = append(large, v)
		}
	}
	slices.SortFunc(large, bySize)
	sources := x.due(large)
	if len(sources) == 0 {
		return nil
	}
	x.edition++ // the tombstones that the merge has seen stay as they are
	return &Merge{sources: slices.Clone(sources), common: x.common, spread: x.seeds.spread}
}

// due is which of the segments, smallest first, are to become one.
func (x *Index) due(large []view) []view {
	// The largest group of which none is three times what all smaller ones are
	// together: geometric sizes, so each query is rewritten a few times in all.
	most, total, words := 0, 0, 0
	for i, v := range large {
		if words += v.size(); words > segmentWords {
			break
		}
		if i > 0 && v.size() <= 3*total {
			most = i + 1
		}
		total += v.wanted()
	}
	if most > 0 {
		return large[:most]
	}
	seen := x.common.seen()
	for i, v := range large {
		if v.dead.count*deadShare > v.queries || seen >= relearnFrom && seen >= relearn*v.learned {
			return large[i : i+1]
		}
	}
	return nil
}

// Queries is how many queries the merge reads: a measure of how long it runs,
// about a second for half a million.
func (m *Merge) Queries() int {
	n := 0
	for i := range m.sources {
		n += m.sources[i].queries
	}
	return n
}

// Run does the work. Once.
func (m *Merge) Run() { m.out = build(m.sources, m.common, m.spread) }

// Install makes a merge that has run take effect; what was removed since it
// was asked for stays removed. False: what it merged is not there any more,
// since another merge was installed first, and this one is void.
func (x *Index) Install(m *Merge) bool {
	if m.out == nil {
		return false
	}
	merged := view{segment: m.out}
	for _, source := range m.sources {
		at := slices.IndexFunc(x.views, func(v view) bool { return v.segment == source.segment })
		if at < 0 {
			return false
		}
		x.views[at].dead.since(&source.dead, func(at place) {
			if to, ok := m.out.find(source.id(at)); ok {
				merged.dead = merged.dead.set(to, m.out.places(), x.edition)
			}
		})
	}
	views := slices.DeleteFunc(slices.Clone(x.views), func(v view) bool {
		return slices.ContainsFunc(m.sources, func(source view) bool { return v.segment == source.segment })
	})
	if merged.live() > 0 {
		views = append(views, merged)
	}
	x.views, x.current = views, nil
	return true
}

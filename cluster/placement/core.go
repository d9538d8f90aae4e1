package placement

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/membership"
)

// MostNodes is how many nodes a core is sought among: one word of bits. Where more
// could be in one it is the oldest, and the others are apart until there is room.
const MostNodes = 64

// Core is the connected core, by name: the largest set of nodes in which
// everybody reaches everybody both ways. Of several of that size it is the one
// with the oldest members: compared by their oldest, then their second oldest,
// and so on. Nodes whose lease has lapsed are in none, nor are those that leave or
// are unfit.
//
// It is exact. A set in which everybody reaches everybody is one that holds no
// two nodes with a cut between them, an independent set of the graph of cuts,
// and that graph is empty or nearly so: nodes without a cut are in at once, and
// so is one of each pair or ring. A choice has to be tried both ways only at
// nodes with three cuts or more, which makes at most 1.39^n steps (each removes
// one node or four), and what cannot beat the best so far is not tried. See the
// benchmark for the worst graphs of 50 nodes that are known.
func Core(records []membership.Record) []string {
	live := oldestFirst(records)
	live = live[:min(len(live), MostNodes)]
	cuts := cutsOf(live)
	all := uint64(1)<<len(live) - 1
	size := independent(cuts, all)
	// The oldest is in if as large a set can be had with it, and so on.
	var core []string
	for i := range live {
		if all&(1<<i) == 0 {
			continue
		}
		rest := all &^ (1<<i | cuts[i])
		if 1+independent(cuts, rest) == size {
			core, all, size = append(core, live[i].Name), rest, size-1
		} else {
			all &^= 1 << i
		}
	}
	slices.Sort(core)
	return core
}

// View is what the records come to.
func View(number uint64, records []membership.Record) membership.View {
	core := Core(records)
	members := make([]membership.Member, len(records))
	for i, r := range records {
		m := membership.Member{Name: r.Name, Incarnation: r.Incarnation, Version: r.Version, State: membership.Apart, Without: r.Without}
		switch _, inCore := slices.BinarySearch(core, r.Name); {
		case r.Lapsed:
			m.State = membership.Down
		case r.Leaving && r.Unfit == "":
			m.State = membership.Leaving
		case inCore:
			m.State = membership.Core
		}
		members[i] = m
	}
	return membership.NewView(number, members...)
}

// oldestFirst are those that may be in a core.
func oldestFirst(records []membership.Record) []membership.Record {
	live := slices.DeleteFunc(slices.Clone(records), func(r membership.Record) bool { return r.Lapsed || r.Leaving || r.Unfit != "" })
	slices.SortFunc(live, func(a, b membership.Record) int {
		return cmp.Or(cmp.Compare(a.Began, b.Began), strings.Compare(a.Name, b.Name))
	})
	return live
}

// cutsOf is, for each node, those that it does not reach or that do not reach it.
func cutsOf(nodes []membership.Record) []uint64 {
	place := make(map[string]int, len(nodes))
	for i, n := range nodes {
		place[n.Name] = i
	}
	reaches := make([]uint64, len(nodes))
	for i, n := range nodes {
		reaches[i] = 1 << i
		for _, name := range n.Reaches {
			if to, ok := place[name]; ok {
				reaches[i] |= 1 << to
			}
		}
	}
	cuts := make([]uint64, len(nodes))
	for i := range nodes {
		for j := range nodes {
			if reaches[i]&(1<<j) == 0 || reaches[j]&(1<<i) == 0 {
				cuts[i] |= 1 << j
			}
		}
	}
	return cuts
}

// independent is how many nodes of the set can be had with no cut between any.
func independent(cuts []uint64, set uint64) int {
	s := &search{cuts: cuts}
	s.from(set, 0)
	return s.best
}

type search struct {
	cuts []uint64
	best int
}

// from tries the set, with so many nodes chosen before.
func (s *search) from(set uint64, chosen int) {
	for {
		if chosen+s.atMost(set) <= s.best {
			return
		}
		node, degree := s.next(set)
		if node < 0 {
			s.best = chosen
			return
		}
		with := set &^ (1<<node | s.cuts[node])
		if degree > 2 {
			s.from(with, chosen+1)
			set &^= 1 << node
			continue
		}
		// A node with one cut at most is in some largest set; where all that are
		// left have two, they are rings, of which any node is.
		set, chosen = with, chosen+1
	}
}

// next is a node that need not be tried both ways, where there is one, and else
// the one with the most cuts; -1 where the set is empty.
func (s *search) next(set uint64) (node, degree int) {
	node, degree = -1, -1
	for left := set; left != 0; left &= left - 1 {
		n := bits.TrailingZeros64(left)
		d := bits.OnesCount64(s.cuts[n] & set)
		if d <= 1 {
			return n, d
		}
		if d > degree {
			node, degree = n, d
		}
	}
	return node, degree
}

// atMost is more nodes than can be had of the set, or as many: it is covered
// with groups in which everybody has a cut to everybody, and one of each can be
// had.
func (s *search) atMost(set uint64) (groups int) {
	for set != 0 {
		n := bits.TrailingZeros64(set)
		set &^= 1 << n
		for among := s.cuts[n] & set; among != 0; {
			m := bits.TrailingZeros64(among)
			set &^= 1 << m
			among &= s.cuts[m]
		}
		groups++
	}
	return groups
}

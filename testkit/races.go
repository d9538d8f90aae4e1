package testkit

import "slices"

// races has wanted what would have the steps of a burst that may change places do so.
func races(b []*taken) {
	before := make([]bits, len(b)) // of each step, those that came before it for a reason
	for j, t := range b {
		var reasons []int
		for i, earlier := range b[:j] {
			if earlier.process == t.process || t.of == earlier.number || earlier.prints.meets(t.prints) {
				reasons = append(reasons, i)
			}
		}
		indirect := newBits(len(b))
		for _, i := range reasons {
			indirect.or(before[i])
		}
		before[j] = slices.Clone(indirect)
		for _, i := range reasons {
			before[j].set(i)
		}
		for _, i := range reasons {
			if b[i].process != t.process && t.of != b[i].number && !indirect.has(i) {
				reverse(b, before, i, j)
			}
		}
		if slices.ContainsFunc(t.halts, func(p string) bool { return p != t.process && slices.Contains(t.at.due, p) }) {
			t.at.want(nil) // what would have come first was never seen, nor what it meets
		}
	}
}

// reverse has step j of the burst come before step i: with all before j that does not
// come of i.
func reverse(b []*taken, before []bits, i, j int) {
	var between []int // in their order; the last is j
	for k := i + 1; k < j; k++ {
		if !before[k].has(i) {
			between = append(between, k)
		}
	}
	between = append(between, j)
	var could []string // be first of them
	seen := map[string]bool{}
	for _, k := range between {
		if p := b[k].process; !seen[p] {
			seen[p] = true
			if !slices.ContainsFunc(between, func(o int) bool { return o < k && before[k].has(o) }) {
				could = append(could, p)
			}
		}
	}
	b[i].at.want(could)
}

// want has one of the processes tried, unless one of them is, or sleeps. All are where
// none of them is due, since then it is not known which are to be.
func (n *node) want(could []string) {
	for _, p := range could {
		if _, sleeps := n.asleep[p]; sleeps || slices.Contains(n.wanted, p) {
			return
		}
	}
	for _, p := range could {
		if slices.Contains(n.due, p) {
			n.wanted = append(n.wanted, p)
			return
		}
	}
	for _, p := range n.due {
		if !slices.Contains(n.wanted, p) {
			n.wanted = append(n.wanted, p)
		}
	}
}

// bits is a set of small numbers.
type bits []uint64

func newBits(n int) bits { return make(bits, (n+63)/64) }

func (b bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b bits) set(i int)      { b[i/64] |= 1 << (i % 64) }

func (b bits) or(o bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

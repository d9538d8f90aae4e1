package index

import (
	"cmp"
	"slices"
)

// radixFrom is how many hits are worth counting by digits.
const radixFrom = 64

// sortHits sorts by id. Many hits are sorted by those bytes of the ids that
// differ, the lowest first: three passes for the numbers of a million queries,
// where comparing costs ten and a mispredicted branch each.
func sortHits(hits []Hit, scratch *Scratch) {
	if len(hits) < radixFrom {
		slices.SortFunc(hits, func(a, b Hit) int { return cmp.Compare(a.ID, b.ID) })
		return
	}
	differ, sorted := ID(0), true
	for i, h := range hits {
		differ |= h.ID ^ hits[0].ID
		sorted = sorted && (i == 0 || hits[i-1].ID < h.ID)
	}
	if sorted {
		return
	}
	if cap(scratch.other) < len(hits) {
		scratch.other = make([]Hit, len(hits)+len(hits)/2)
	}
	from, to := hits, scratch.other[:len(hits)]
	for shift := 0; shift < 64; shift += 8 {
		if differ>>shift&0xff != 0 {
			digit(from, to, shift)
			from, to = to, from
		}
	}
	if &from[0] != &hits[0] {
		copy(hits, from)
	}
}

// digit copies from to to in the order of one byte, otherwise as they were.
func digit(from, to []Hit, shift int) {
	var next [256]uint32
	for _, h := range from {
		next[h.ID>>shift&0xff]++
	}
	sum := uint32(0)
	for i, n := range next {
		next[i] = sum
		sum += n
	}
	for _, h := range from {
		d := h.ID >> shift & 0xff
		to[next[d]] = h
		next[d]++
	}
}

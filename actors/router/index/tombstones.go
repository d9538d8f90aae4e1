package index

import (
	"math/bits"
	"slices"
)

const chunkBits = 4096

// chunk is the tombstones of some neighbouring places.
type chunk struct {
	edition uint64 // the index's edition that may still change this chunk
	bits    [chunkBits / 64]uint64
}

// tombstones say which owners in a segment are gone. A value: set returns the
// changed one and leaves what a snapshot has as it is. The zero value has none.
type tombstones struct {
	chunks  []*chunk // nil: nobody in it is dead
	edition uint64   // that may still change the slice
	count   int
}

func (t *tombstones) has(at place) bool {
	if t.count == 0 {
		return false
	}
	c := t.chunks[at/chunkBits]
	return c != nil && c.bits[at%chunkBits/64]>>(at%64)&1 != 0
}

// set buries the owner at a place, of as many places; it must be living.
func (t tombstones) set(at place, places int, edition uint64) tombstones {
	if t.chunks == nil {
		t.chunks = make([]*chunk, (places+chunkBits-1)/chunkBits)
		t.edition = edition
	}
	if t.edition != edition {
		t.chunks = slices.Clone(t.chunks)
		t.edition = edition
	}
	c := t.chunks[at/chunkBits]
	switch {
	case c == nil:
		c = &chunk{edition: edition}
	case c.edition != edition:
		c = &chunk{edition: edition, bits: c.bits}
	}
	t.chunks[at/chunkBits] = c
	c.bits[at%chunkBits/64] |= 1 << (at % 64)
	t.count++
	return t
}

// grow makes room for as many places: a batch's, which no snapshot has.
func (t tombstones) grow(places int) tombstones {
	for t.chunks != nil && len(t.chunks)*chunkBits < places {
		t.chunks = append(t.chunks, nil)
	}
	return t
}

// since calls f for each that is dead in t and was not in old.
func (t *tombstones) since(old *tombstones, f func(at place)) {
	for n, c := range t.chunks {
		if c == nil || len(old.chunks) > 0 && old.chunks[n] == c {
			continue
		}
		for w, b := range c.bits {
			if len(old.chunks) > 0 && old.chunks[n] != nil {
				b &^= old.chunks[n].bits[w]
			}
			for ; b != 0; b &= b - 1 {
				f(place(n*chunkBits + w*64 + bits.TrailingZeros64(b)))
			}
		}
	}
}

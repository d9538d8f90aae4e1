package index

import "slices"

const chunkBits = 4096

// chunk is the tombstones of some neighbouring owners.
type chunk struct {
	edition uint64 // the index's edition that may still change this chunk
	bits    [chunkBits / 64]uint64
}

// tombstones say which owners of a segment are gone. A value: set returns the
// changed one and leaves what a snapshot has as it is. The zero value has none.
type tombstones struct {
	chunks  []*chunk // nil: nobody in it is dead
	edition uint64   // that may still change the slice
	count   int
}

func (t tombstones) has(i int) bool {
	if t.count == 0 {
		return false
	}
	c := t.chunks[i/chunkBits]
	return c != nil && c.bits[i%chunkBits/64]>>(i%64)&1 != 0
}

// set buries owner i of n; it must be living.
func (t tombstones) set(i, n int, edition uint64) tombstones {
	if t.chunks == nil {
		t.chunks = make([]*chunk, (n+chunkBits-1)/chunkBits)
		t.edition = edition
	}
	if t.edition != edition {
		t.chunks = slices.Clone(t.chunks)
		t.edition = edition
	}
	c := t.chunks[i/chunkBits]
	switch {
	case c == nil:
		c = &chunk{edition: edition}
	case c.edition != edition:
		c = &chunk{edition: edition, bits: c.bits}
	}
	t.chunks[i/chunkBits] = c
	c.bits[i%chunkBits/64] |= 1 << (i % 64)
	t.count++
	return t
}

// grow makes room for n owners: a batch's, which no snapshot has.
func (t tombstones) grow(n int) tombstones {
	for t.chunks != nil && len(t.chunks)*chunkBits < n {
		t.chunks = append(t.chunks, nil)
	}
	return t
}

// since calls f for each that is dead in t and was not in old.
func (t tombstones) since(old tombstones, f func(i int)) {
	for n, c := range t.chunks {
		if c == nil || len(old.chunks) > 0 && old.chunks[n] == c {
			continue
		}
		for w, bits := range c.bits {
			if len(old.chunks) > 0 && old.chunks[n] != nil {
				bits &^= old.chunks[n].bits[w]
			}
			for b := 0; bits != 0; b, bits = b+1, bits>>1 {
				if bits&1 != 0 {
					f(n*chunkBits + w*64 + b)
				}
			}
		}
	}
}

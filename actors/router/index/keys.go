package index

import "math/bits"

// keys are one document's, ready to be asked for. Reused.
type keys struct {
	list  []uint64 // each once
	table []uint64 // open addressing; 0 is free
	mask  uint64
	// spread is the snapshot's.
	spread uint64
	zero   bool // the key 0 is there
	// prints has the bit of each key's fingerprint, and bit 0 for postings that
	// need nothing.
	prints [1 << 16 / 64]uint64
}

// load replaces the keys.
func (k *keys) load(all []uint64, more int, spread uint64) {
	k.spread = spread
	for _, key := range k.list {
		f := fingerprint(key)
		k.prints[f>>6] &^= 1 << (f & 63)
	}
	k.prints[0] |= 1
	k.list, k.zero = k.list[:0], false
	size := 1 << bits.Len(uint(2*(len(all)+more)))
	if len(k.table) < size {
		k.table = make([]uint64, size)
	} else {
		clear(k.table[:size])
	}
	k.mask = uint64(size - 1)
	for _, key := range all {
		k.add(key)
	}
}

func (k *keys) add(key uint64) {
	if key == 0 {
		if k.zero {
			return
		}
		k.zero = true
	} else {
		i := hashKey(key, k.spread) & k.mask
		for k.table[i] != 0 {
			if k.table[i] == key {
				return
			}
			i = (i + 1) & k.mask
		}
		k.table[i] = key
	}
	k.list = append(k.list, key)
	f := fingerprint(key)
	k.prints[f>>6] |= 1 << (f & 63)
}

func (k *keys) has(key uint64) bool {
	if key == 0 {
		return k.zero
	}
	for i := hashKey(key, k.spread) & k.mask; ; i = (i + 1) & k.mask {
		switch k.table[i] {
		case key:
			return true
		case 0:
			return false
		}
	}
}

// meets says whether the document has the fingerprints of a signature.
func (k *keys) meets(signature uint32) bool {
	a, b := signature&0xffff, signature>>16
	return k.prints[a>>6]>>(a&63)&(k.prints[b>>6]>>(b&63))&1 != 0
}

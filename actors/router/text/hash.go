package text

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// Hash is the 64-bit hash of a folded token; never 0. It is the same on every
// node and in every version that shares a log. It is not keyed: who makes two
// words collide makes a rule match a post that could as well have held the
// word.
func Hash(folded string) uint64 {
	return hashBytes(unsafe.Slice(unsafe.StringData(folded), len(folded)))
}

const (
	k0 = 0xa0761d6478bd642f
	k1 = 0xe7037ed1a0b428db
)

func hashBytes(p []byte) uint64 {
	h := uint64(len(p)) ^ k0
	for len(p) >= 8 {
		h = mix(h^binary.LittleEndian.Uint64(p), k1)
		p = p[8:]
	}
	var tail uint64
	switch n := len(p); {
	case n >= 4:
		tail = uint64(binary.LittleEndian.Uint32(p)) | uint64(binary.LittleEndian.Uint32(p[n-4:]))<<32
	case n > 0:
		tail = uint64(p[0]) | uint64(p[n>>1])<<8 | uint64(p[n-1])<<16
	}
	h = mix(h^tail, k1)
	if h == 0 {
		return k0 // 0 parts two texts in a stream of hashes
	}
	return h
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

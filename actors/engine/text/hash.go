package text

import "math/bits"

// Hash is the 64-bit hash of a folded token; never 0. It is the same on every
// node and in every version that shares a log. It is not keyed: who makes two
// words collide makes a rule match a post that could as well have held the
// word.
func Hash(folded string) uint64 { return hash(folded, 0) }

const (
	k0 = 0xa0761d6478bd642f
	k1 = 0xe7037ed1a0b428db

	// lower turns eight ASCII letters to lower case and leaves eight digits as
	// they are, which is why a word of both needs no folded copy.
	lower = 0x2020202020202020
)

// hash is Hash of s with every byte ORed with mask's.
func hash(s string, mask uint64) uint64 {
	h := uint64(len(s))*k1 ^ k0 // multiplied, so that no short tail undoes the length
	for len(s) >= 8 {
		h = mix(h^(load64(s)|mask), k1)
		s = s[8:]
	}
	var tail uint64
	switch n := len(s); {
	case n >= 4: // two loads that overlap
		tail = load32(s) | load32(s[n-4:])<<32 | mask
	case n > 0: // first, middle and last: all of one, two or three bytes
		tail = uint64(s[0]) | uint64(s[n>>1])<<8 | uint64(s[n-1])<<16 | mask&0xffffff
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

// The loads are little-endian on every machine, so that hashes agree.

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

// Package nearcopy tells texts that are nearly the same from texts on the same
// matter: a wire's report that twenty outlets print, an outlet that posts the
// same thing a hundred times. It keeps nothing: a text becomes 64 bits.
package nearcopy

import (
	"math/bits"

	"github.com/birdwire/birdwire/actors/engine/text"
)

const (
	wordsLeast = 6        // a text with fewer says too little
	textBytes  = 16 << 10 // of a text that are read
	shingle    = 2        // words
	apartMost  = 8        // bits in which copies differ at most
)

// Hash is the text's simhash: each pair of neighbouring words votes on each of
// 64 bits, so that few other words change few bits. 0: the text is too short.
func Hash(title, body string) uint64 {
	var b text.Buffer
	var votes [64]int
	words := 0
	for _, s := range []string{title, body} {
		text.Tokenize(text.Clip(s, textBytes), &b)
		words += len(b.Tokens)
		for i := range b.Tokens {
			h := uint64(0)
			for _, t := range b.Tokens[i:min(i+shingle, len(b.Tokens))] {
				h = mix(h*31 + t.Hash)
			}
			for bit := range votes {
				votes[bit] += int(h>>bit&1)*2 - 1
			}
		}
	}
	if words < wordsLeast {
		return 0
	}
	hash := uint64(0)
	for bit, v := range votes {
		if v > 0 {
			hash |= 1 << bit
		}
	}
	if hash == 0 {
		return 1 // 0 says that there is none
	}
	return hash
}

// Copies says whether two texts are near-copies by their hashes.
func Copies(a, b uint64) bool { return a != 0 && b != 0 && apart(a, b) <= apartMost }

// apart is in how many bits two hashes differ: 32 by chance.
func apart(a, b uint64) int { return bits.OnesCount64(a ^ b) }

func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

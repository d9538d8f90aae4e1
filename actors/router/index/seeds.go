package index

import (
	"encoding/binary"
	"math/rand/v2"
)

// seeds are what an index makes of Config.Seed.
type seeds struct {
	spread uint64   // odd: spreads keys over tables
	names  [32]byte // the key of the hash that names atoms
}

func seedsOf(seed uint64) (s seeds) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	r := rand.NewChaCha8(key)
	_, _ = r.Read(s.names[:]) // never fails
	s.spread = r.Uint64() | 1
	return s
}

// hashKey spreads keys over a table.
func hashKey(key, spread uint64) uint64 {
	h := key * spread
	return h ^ h>>32
}

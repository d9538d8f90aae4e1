package node

import (
	crand "crypto/rand"
	"math/rand/v2"
	"sync"
)

// random is chance for the node's actors, seeded by the system.
type random struct {
	mu sync.Mutex // protects r: actors of many goroutines share it
	r  *rand.Rand
}

func newRandom() *random {
	var seed [32]byte
	crand.Read(seed[:]) // never fails: it ends the process where the system has no randomness
	return &random{r: rand.New(rand.NewChaCha8(seed))}
}

func (r *random) Uint64N(n uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Uint64N(n)
}

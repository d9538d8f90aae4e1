package runtime

import (
	crand "crypto/rand"
	"math/rand/v2"
	"sync"

	"github.com/birdwire/birdwire/actors"
)

// Random is chance for the node's actors, seeded by the operating system.
type Random struct {
	mu sync.Mutex // protects r: actors of many goroutines share it
	r  *rand.Rand
}

var _ actors.Rand = (*Random)(nil)

// NewRandom never fails: the process ends where the system has no randomness.
func NewRandom() *Random {
	var seed [32]byte
	crand.Read(seed[:])
	return &Random{r: rand.New(rand.NewChaCha8(seed))}
}

// Uint64N is uniform in [0, n).
func (r *Random) Uint64N(n uint64) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Uint64N(n)
}

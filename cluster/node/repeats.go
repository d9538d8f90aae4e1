package node

import (
	"sync"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/actors/router/replay"
)

// repeats is replay.Memory for several workers at once: what one replay finds
// out about the log, all others of the node are spared. Nothing is done under
// its lock that waits.
type repeats struct {
	mu    sync.Mutex // protects voids
	voids *replay.Voids
}

var _ replay.Memory = (*repeats)(nil)

func (r *repeats) Known(sequence uint64) (voids []uint64, through uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.voids.Known(sequence)
}

func (r *repeats) Learn(from, through uint64, voids []uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.voids.Learn(from, through, voids)
}

func (r *repeats) Take(sequence uint64) (w *repeat.Window, before uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.voids.Take(sequence)
}

func (r *repeats) Keep(before uint64, w *repeat.Window) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.voids.Keep(before, w)
}

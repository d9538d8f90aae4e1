package feed

import (
	"errors"
	"sync/atomic"
)

// budget bounds what all documents of a Reader take at a time. The first
// freeBytes of each are nobody's matter: there are as many as there are polls.
// What is longer takes from one sum, in steps, and is given up where that is
// used up: waiting with half a document in hand could wait for another that
// does the same.
type budget struct{ left atomic.Int64 }

const (
	freeBytes = 512 << 10
	stepBytes = 512 << 10
)

// errBusy: the document is read when others are done.
var errBusy = errors.New("not read: other large documents are being read; this one will be tried again")

// hold is what one document has taken.
type hold struct {
	b     *budget
	taken int64
}

func (b *budget) hold() *hold { return &hold{b: b} }

// grow takes what a document of so many bytes needs beyond what it has.
func (h *hold) grow(size int) error {
	for h.taken+freeBytes < int64(size) {
		if h.b.left.Add(-stepBytes) < 0 {
			h.b.left.Add(stepBytes)
			return errBusy
		}
		h.taken += stepBytes
	}
	return nil
}

func (h *hold) release() {
	h.b.left.Add(h.taken)
	h.taken = 0
}

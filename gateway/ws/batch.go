package ws

import (
	"sync/atomic"

	"github.com/birdwire/birdwire/messages"
)

// batches shares whole batches of frames: what a thousand connections are sent
// of one frame of the log is looked up once by each of them, queued as one
// reference and written without a copy, however many events it is. Those of one
// form are asked for one after the other, so the newest is all that is kept.
//
// A batch is joined when it is asked for a second time: one that a single
// connection is sent is not worth the copy.
type batches [64]atomic.Pointer[batch]

// batch is one list of deliveries in one form. It is never changed.
type batch struct {
	deliveries []*messages.Delivery // this very list, which nobody changes
	form       form
	frames     int
	joined     []byte // the frames, one after the other; nil: it was asked for once
}

// batchMost is the longest batch that is joined: what is written at once.
const batchMost = chunkSize

// of is where the newest batch of a form is.
func (s *batches) of(f form, deflated bool) *atomic.Pointer[batch] {
	i := f.dialect & 7
	if f.cursors {
		i |= 8
	}
	if f.embeddings {
		i |= 16
	}
	if deflated {
		i |= 32
	}
	return &s[i]
}

// is compares lists by where they are: messages are shared and never changed.
func (b *batch) is(ds []*messages.Delivery, f form) bool {
	return b != nil && len(ds) > 0 && len(b.deliveries) == len(ds) && &b.deliveries[0] == &ds[0] && b.form == f
}

// asked notes that a list was asked for whose frames are these, of size bytes in
// all.
func (b *batch) asked(at *atomic.Pointer[batch], ds []*messages.Delivery, f form, frames [][]byte, size int) {
	if len(ds) == 0 {
		return
	}
	if !b.is(ds, f) {
		at.Store(&batch{deliveries: ds, form: f})
		return
	}
	if len(frames) == 0 || size > batchMost {
		return
	}
	joined := frames[0]
	if len(frames) > 1 {
		joined = make([]byte, 0, size)
		for _, frame := range frames {
			joined = append(joined, frame...)
		}
	}
	at.Store(&batch{deliveries: ds, form: f, frames: len(frames), joined: joined})
}

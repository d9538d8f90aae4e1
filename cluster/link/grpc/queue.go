package grpc

import (
	"sync"

	"github.com/birdwire/birdwire/cluster/link"
)

const (
	// What is written at once: more gains nothing, and delays what comes after.
	writeEnvelopes = 256
	writeBytes     = 128 << 10
	// envelopeCost is what an envelope takes besides its texts and bytes.
	envelopeCost = 128
)

func cost(e *link.Envelope) int {
	return envelopeCost + len(e.Kind) + len(e.Target) + len(e.Sender) + len(e.SenderAt) + len(e.Bytes)
}

// queue is what waits to be written to one peer in one session.
//
// Its bound is in bytes. Past it nothing is taken until half of it is written, so
// that a peer that is a little slow is not told so with every envelope; one
// envelope is always taken by an empty queue, however large.
type queue struct {
	most int

	mu      sync.Mutex // protects what follows
	wake    sync.Cond  // for whoever writes
	waiting []link.Envelope
	first   int // of waiting; those before it are written
	bytes   int // cost of waiting[first:]
	ping    uint64
	pong    uint64
	closed  bool

	low     bool   // nothing is taken
	toldLow bool   // and the handler knows it
	dropped uint64 // since the handler was told that it is not
}

func newQueue(most int) *queue {
	q := &queue{most: most}
	q.wake.L = &q.mu
	return q
}

// put is told whether the handler has something to hear (credit).
func (q *queue) put(e link.Envelope) (result link.Result, tell bool) {
	n := cost(&e)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return link.PeerDown, false
	case q.low || q.bytes > 0 && q.bytes+n > q.most:
		tell = !q.low
		q.low = true
		q.dropped++
		return link.NoCredit, tell
	}
	q.waiting = append(q.waiting, e)
	q.bytes += n
	q.wake.Signal()
	return link.Queued, false
}

// beat has a ping, a pong or both be written soon; 0 is none.
func (q *queue) beat(ping, pong uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ping != 0 {
		q.ping = ping
	}
	if pong != 0 {
		q.pong = pong
	}
	q.wake.Signal()
}

// take waits for what is to be written; ok is false once the queue is closed.
// tell: the handler has something to hear.
func (q *queue) take(f *frame) (tell, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed && q.ping == 0 && q.pong == 0 && q.first == len(q.waiting) {
		q.wake.Wait()
	}
	if q.closed {
		return false, false
	}
	f.ping, f.pong, q.ping, q.pong = q.ping, q.pong, 0, 0
	f.envelopes = f.envelopes[:0]
	for bytes := 0; q.first < len(q.waiting) && len(f.envelopes) < writeEnvelopes; q.first++ {
		e := &q.waiting[q.first]
		n := cost(e)
		if bytes > 0 && bytes+n > writeBytes {
			break
		}
		bytes += n
		f.envelopes = append(f.envelopes, *e)
		*e = link.Envelope{}
	}
	q.took(f)
	if q.low && q.bytes <= q.most/2 {
		q.low, tell = false, true
	}
	return tell, true
}

func (q *queue) took(f *frame) {
	for i := range f.envelopes {
		q.bytes -= cost(&f.envelopes[i])
	}
	switch {
	case q.first == len(q.waiting):
		q.waiting, q.first = q.waiting[:0], 0
		if cap(q.waiting) > 4*writeEnvelopes { // a burst's room is given back
			q.waiting = nil
		}
	case q.first > len(q.waiting)/2:
		n := copy(q.waiting, q.waiting[q.first:])
		clear(q.waiting[n:])
		q.waiting, q.first = q.waiting[:n], 0
	}
}

// credit is what the handler is to hear next, in order; false: nothing.
func (q *queue) credit() (kind link.EventKind, dropped uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.toldLow && q.dropped > 0:
		q.toldLow = true
		return link.CreditLow, 0, true
	case q.toldLow && !q.low:
		dropped = q.dropped
		q.toldLow, q.dropped = false, 0
		return link.CreditOK, dropped, true
	}
	return 0, 0, false
}

// close is told how many envelopes were not written.
func (q *queue) close() (left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	left = len(q.waiting) - q.first
	q.closed, q.waiting, q.first, q.bytes = true, nil, 0, 0
	q.wake.Signal()
	return left
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

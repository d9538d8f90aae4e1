// Package hold is what an actor does with work that cannot be done yet: it
// keeps messages in order, within a bound in bytes, until it can serve, and it
// waits longer after each failure of what it needs for that.
//
// It knows no actor and no clock: what is held is the caller's type, and a wait
// is a duration that the caller sets its timer to.
package hold

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

// Queue keeps items in the order in which they came. The zero Queue has no
// room; Most gives it some.
type Queue[T any] struct {
	Most   int // bytes of all items together; what would pass it is not taken
	Name   string
	Queues gauge.Told // nil, or told of it by its name

	items []sized[T]
	bytes int
}

type sized[T any] struct {
	item T
	size int
}

// Add says whether there was room. An item that is larger than Most has room
// in an empty queue: it would never be taken otherwise.
func (q *Queue[T]) Add(item T, size int) bool {
	if q.Most <= 0 || q.bytes+size > q.Most && len(q.items) > 0 {
		return false
	}
	q.items = append(q.items, sized[T]{item, size})
	q.bytes += size
	q.Queues.Grown(gauge.Queue{Name: q.Name, Items: len(q.items), Bytes: q.bytes, MostBytes: q.Most})
	return true
}

// Take empties the queue.
func (q *Queue[T]) Take() []T {
	all := make([]T, len(q.items))
	for i, s := range q.items {
		all[i] = s.item
	}
	q.items, q.bytes = nil, 0
	return all
}

// Keep drops the items that keep is false for.
func (q *Queue[T]) Keep(keep func(T) bool) {
	kept := q.items[:0]
	for _, s := range q.items {
		if keep(s.item) {
			kept = append(kept, s)
		} else {
			q.bytes -= s.size
		}
	}
	clear(q.items[len(kept):])
	q.items = kept
}

// Len is how many are held, and Bytes what they take.
func (q *Queue[T]) Len() int { return len(q.items) }

// Bytes is what the held items take.
func (q *Queue[T]) Bytes() int { return q.bytes }

// envelope is about what any held message takes besides its content.
const envelope = 128

// Size is about how many bytes a message takes while it is held.
func Size(message any) int {
	switch m := message.(type) {
	case *messages.Matched:
		if m.GetBytes() > 0 { // the router has counted already
			return envelope + int(m.GetBytes())
		}
		return envelope + proto.Size(m)
	case proto.Message:
		return envelope + proto.Size(m)
	}
	return envelope
}

// Backoff is how long to wait before what has failed is tried again: First
// after the first failure, twice as long after each further one, at most Most.
type Backoff struct {
	First, Most time.Duration

	wait time.Duration
}

// Failed is the wait after one more failure.
func (b *Backoff) Failed() time.Duration {
	b.wait = min(max(2*b.wait, b.First), b.Most)
	return b.wait
}

// Succeeded begins again with First.
func (b *Backoff) Succeeded() { b.wait = 0 }

// Store is the backoff of what asks the store.
func Store() Backoff { return Backoff{First: 100 * time.Millisecond, Most: 5 * time.Second} }

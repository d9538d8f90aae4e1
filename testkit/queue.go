package testkit

// queue is a first in, first out, that allocates only when it grows: what it has
// taken leaves its room to what comes. Mailboxes mostly hold one message, and one
// allocation for each was a tenth of a run. The zero queue is empty.
type queue[T any] struct {
	items []T
	head  int // of what is left in items
}

// slack is from how many taken items on their room is given back, once they are
// half of all: with fewer it costs nothing to keep.
const slack = 32

func (q *queue[T]) len() int { return len(q.items) - q.head }

// all are the items, the next one first, until the queue changes.
func (q *queue[T]) all() []T { return q.items[q.head:] }

func (q *queue[T]) push(item T) {
	if q.head >= slack && q.head >= len(q.items)/2 {
		kept := copy(q.items, q.items[q.head:])
		clear(q.items[kept:])
		q.items, q.head = q.items[:kept], 0
	}
	q.items = append(q.items, item)
}

// pop is the next item, of a queue that has one.
func (q *queue[T]) pop() (item T) {
	item, q.items[q.head] = q.items[q.head], item
	if q.head++; q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return item
}

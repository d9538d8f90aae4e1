// Package gauge is how an actor says how much waits in a queue of its own, which nobody
// sees from outside. A simulation holds each against its bound at every change; a node
// shows the fullest of each kind among its metrics. Where nobody listens it costs one
// comparison where a queue grows.
package gauge

// Queue is how much waits in one, and how much may. One item may be larger than all
// that may wait: it would never be taken otherwise.
type Queue struct {
	Name  string // of the actor's kind and of the queue in it
	Items int
	Bytes int
	// Most of each; 0: there is no such bound.
	MostItems, MostBytes int
}

// Passed says whether more waits than may.
func (q Queue) Passed() bool {
	return q.Items > 1 && (q.MostItems > 0 && q.Items > q.MostItems || q.MostBytes > 0 && q.Bytes > q.MostBytes)
}

// Told is told of a queue each time that it has grown; nil: nobody is.
type Told func(Queue)

// Grown says that the queue has.
func (t Told) Grown(q Queue) {
	if t != nil {
		t(q)
	}
}

package journal

import (
	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/messages"
)

// offer is one Offer on its way into frames.
type offer struct {
	id         uint64
	from       *actor.PID
	events     []*messages.Event
	sizes      []int
	next       int // events[next:] are in no frame yet
	duplicates []uint32
	held       []uint64 // one a duplicate: the position that the log holds it at
	last       messages.Position
}

// part is the stretch of an offer that one frame carries.
type part struct {
	offer   *offer
	from    int     // of the offer's events
	settled int     // of its duplicates, before it
	through int     // the frame settles events[:through]
	indexes []int   // places in the frame, none for duplicates
	twice   []twice // duplicates of what the frame itself carries
}

// twice is a duplicate whose position is known once the frame is written.
type twice struct {
	duplicate int // in the offer's duplicates
	index     int // in the frame
}

// duplicate notes that the log holds the next event already, at a position.
func (o *offer) duplicate(at messages.Position) {
	o.duplicates = append(o.duplicates, uint32(o.next))
	o.held = append(o.held, uint64(at))
}

// queue holds what was offered while a frame is being written, in order of
// arrival. Bounds: maxEvents events and maxBytes bytes; past either, offers are
// refused whole, so that an offerer never has to guess which half was taken.
type queue struct {
	maxEvents, maxBytes int
	offers              []*offer
	events, bytes       int
}

// accepts says whether an offer of that size fits. An empty queue takes any
// offer: one that is larger than the bounds would else be refused for ever.
func (q *queue) accepts(events, bytes int) bool {
	return len(q.offers) == 0 || q.events+events <= q.maxEvents && q.bytes+bytes <= q.maxBytes
}

func (q *queue) push(o *offer, bytes int) {
	q.offers = append(q.offers, o)
	q.events += len(o.events)
	q.bytes += bytes
}

// frame takes the next frame's events off the queue: what the log is known to
// hold already is settled as a duplicate without being written again.
func (q *queue) frame(w *repeat.Window) (events []*messages.Event, sizes []uint32, parts []part) {
	bytes := 0
	inFrame := make(map[string]int, MaxFrameEvents)
	for len(q.offers) > 0 {
		o := q.offers[0]
		p := part{offer: o, from: o.next, settled: len(o.duplicates)}
		full := false
		for o.next < len(o.events) {
			e, size := o.events[o.next], o.sizes[o.next]
			if at, again := inFrame[e.GetId()]; again {
				p.twice = append(p.twice, twice{len(o.duplicates), at})
				o.duplicate(0)
			} else if at, known := w.Find(e.GetId()); known {
				o.duplicate(at)
			} else {
				if len(events) == MaxFrameEvents || bytes+size > MaxFrameBytes {
					full = true
					break
				}
				inFrame[e.GetId()] = len(events)
				p.indexes = append(p.indexes, len(events))
				events, sizes = append(events, e), append(sizes, uint32(size))
				bytes += size
			}
			o.next++
			q.events--
			q.bytes -= size
		}
		p.through = o.next
		parts = append(parts, p)
		if full {
			break
		}
		q.offers[0] = nil
		q.offers = q.offers[1:]
	}
	return events, sizes, parts
}

// back undoes that a frame has taken a part of the offer.
func (o *offer) back(p part) {
	o.next = p.from
	o.duplicates, o.held = o.duplicates[:p.settled], o.held[:p.settled]
}

// restore takes an offer back that was accepted before, whatever the bounds.
func (q *queue) restore(o *offer) {
	q.offers = append(q.offers, o)
	q.events += len(o.events) - o.next
	for _, size := range o.sizes[o.next:] {
		q.bytes += size
	}
}

// drop empties the queue and returns what was in it.
func (q *queue) drop() []*offer {
	dropped := q.offers
	q.offers, q.events, q.bytes = nil, 0, 0
	return dropped
}

func measure(events []*messages.Event) (sizes []int, total, largest int) {
	sizes = make([]int, len(events))
	for i, e := range events {
		sizes[i] = proto.Size(e) + 8 // its tag and length in the frame
		total += sizes[i]
		largest = max(largest, sizes[i])
	}
	return sizes, total, largest
}

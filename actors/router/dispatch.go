package router

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/actors/router/match"
	"github.com/birdwire/birdwire/messages"
)

// mask is which events of a frame a connection is sent; 256 is a frame's bound.
type mask [4]uint64

func (m *mask) set(i int) { m[i>>6] |= 1 << (i & 63) }

// dispatch gathers what one frame means to whom, and tells each once.
// Connections that are sent the same events share one message: with ten
// thousand subscribers to everything that is one allocation, not ten thousand.
type dispatch struct {
	matcher     match.Matcher
	deliveries  []*messages.Delivery // by place in the frame; nil where nobody wanted the event
	subscribers []*subscriber
	keys        []*keyed
	picked      map[mask]picked
	shared      map[class]*messages.Deliveries
	last        class // the newest of shared, and its message: neighbours mostly want the same
	message     *messages.Deliveries
	sizes       []uint32 // bytes of the frame's events
}

// picked are the events of a mask, and their bytes.
type picked struct {
	deliveries []*messages.Delivery
	bytes      uint64
}

// class is what connections have in common that are sent one message.
type class struct {
	mask     mask
	join     uint64
	previous uint64
}

// match asks the index for one event and gathers the answer.
func (d *dispatch) match(s *index.Snapshot, owners map[index.ID]owner, p messages.Position, e *messages.Event) (hits int) {
	found := d.matcher.Match(s, e)
	for _, hit := range found {
		o, ok := owners[hit.ID]
		switch {
		case !ok:
		case o.key != nil:
			d.hitKey(o, p, e)
		default:
			d.hitConnection(o.subscriber, p, e, hit)
		}
	}
	return len(found)
}

func (d *dispatch) hitKey(o owner, p messages.Position, e *messages.Event) {
	if len(o.key.hits) == 0 {
		d.keys = append(d.keys, o.key)
		o.key.bytes = 0
	}
	if n := len(o.key.hits); n > 0 && o.key.hits[n-1].GetPosition() == uint64(p) {
		h := o.key.hits[n-1]
		h.K, h.Version = append(h.K, o.query.k), append(h.Version, o.query.version)
		return
	}
	o.key.bytes += uint64(d.sizes[p.Index()])
	one := [2]uint32{o.query.k, o.query.version} // most events hit one query of a key: one allocation for both
	o.key.hits = append(o.key.hits, &messages.Hit{Position: uint64(p), Event: e, K: one[:1:1], Version: one[1:]})
}

func (d *dispatch) hitConnection(s *subscriber, p messages.Position, e *messages.Event, hit match.Hit) {
	if s.mask == (mask{}) && s.special == nil {
		d.subscribers = append(d.subscribers, s)
	}
	if hit.Event == nil && hit.Similarity == 0 {
		i := p.Index()
		for len(d.deliveries) <= i {
			d.deliveries = append(d.deliveries, nil)
		}
		if d.deliveries[i] == nil {
			d.deliveries[i] = &messages.Delivery{Position: uint64(p), Event: e}
		}
		s.mask.set(i)
		return
	}
	own := &messages.Delivery{Position: uint64(p), Event: e, Similarity: float64(hit.Similarity)}
	if hit.Event != nil {
		own.Event = hit.Event
	}
	s.special = append(s.special, own)
}

// send tells everyone what was gathered up to the position number, and is empty
// again.
func (d *dispatch) send(ctx actor.Context, owners actors.Owners, number uint64) (deliveries int) {
	if d.shared == nil {
		d.shared, d.picked = map[class]*messages.Deliveries{}, map[mask]picked{}
	}
	for _, s := range d.subscribers {
		m := d.messageOf(s, number)
		deliveries += len(m.GetDeliveries())
		ctx.Send(s.pid, m)
		s.mask, s.special, s.newest = mask{}, nil, number
	}
	for _, k := range d.keys {
		for _, h := range k.hits {
			sortHit(h)
		}
		k.number++
		ctx.Send(owners.Owner(k.id), &messages.Matched{
			KeyId: k.id, Hits: k.hits, Number: k.number, Numbering: k.numbering, Term: k.term, Bytes: k.bytes,
		})
		k.hits = nil
	}
	d.reset()
	return deliveries
}

// sortHit orders by k and version. Few are hit by one event, and mostly in
// order already.
func sortHit(h *messages.Hit) {
	for i := 1; i < len(h.K); i++ {
		for j := i; j > 0 && (h.K[j] < h.K[j-1] || h.K[j] == h.K[j-1] && h.Version[j] < h.Version[j-1]); j-- {
			h.K[j], h.K[j-1] = h.K[j-1], h.K[j]
			h.Version[j], h.Version[j-1] = h.Version[j-1], h.Version[j]
		}
	}
}

func (d *dispatch) reset() {
	clear(d.deliveries)
	clear(d.subscribers)
	clear(d.keys)
	clear(d.picked)
	clear(d.shared)
	d.last, d.message = class{}, nil
	d.deliveries, d.subscribers, d.keys = d.deliveries[:0], d.subscribers[:0], d.keys[:0]
}

// messageOf is what one connection is told: shared where it is nothing special.
func (d *dispatch) messageOf(s *subscriber, number uint64) *messages.Deliveries {
	c := class{s.mask, s.join, s.newest}
	if s.special == nil {
		if d.message != nil && c == d.last {
			return d.message
		}
		if m := d.shared[c]; m != nil {
			d.last, d.message = c, m
			return m
		}
	}
	shared := d.pick(s.mask)
	m := &messages.Deliveries{
		Number: number, Previous: s.newest, Join: s.join, Deliveries: shared.deliveries, Bytes: shared.bytes,
	}
	if s.special == nil {
		d.shared[c], d.last, d.message = m, c, m
		return m
	}
	m.Deliveries = append(slices.Clip(m.Deliveries), s.special...)
	for _, own := range s.special {
		m.Bytes += uint64(d.sizes[messages.Position(own.GetPosition()).Index()])
	}
	slices.SortFunc(m.Deliveries, func(a, b *messages.Delivery) int {
		return cmp.Compare(a.GetPosition(), b.GetPosition())
	})
	return m
}

// pick lists the events of a mask; the list is shared.
func (d *dispatch) pick(m mask) picked {
	if known, ok := d.picked[m]; ok {
		return known
	}
	n := 0
	for _, word := range m {
		n += bits.OnesCount64(word)
	}
	p := picked{deliveries: make([]*messages.Delivery, 0, n)}
	for w, word := range m {
		for ; word != 0; word &= word - 1 {
			i := w<<6 + bits.TrailingZeros64(word)
			p.deliveries = append(p.deliveries, d.deliveries[i])
			p.bytes += uint64(d.sizes[i])
		}
	}
	d.picked[m] = p
	return p
}

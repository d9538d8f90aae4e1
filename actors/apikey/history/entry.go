package history

import (
	"cmp"
	"slices"
	"unique"

	"github.com/birdwire/birdwire/messages"
)

// Status is what became of a delivery.
type Status uint8

// The statuses.
const (
	Delivered    Status = iota // somebody was connected
	NoConnection               // nobody was
	Unknown                    // found in the log: nobody remembers who was there
)

var statuses = [...]string{"delivered", "no_connection", "unknown"}

func (s Status) String() string { return statuses[s] }

// statusBits is how much of Entry.when is the status.
const statusBits = 2

// Entry is what is kept of one delivery: 32 bytes, so that a key with fifty
// monitors and fifty rules remembers 100,000 deliveries in 3.2 MB, whatever the
// events were. The origin is its version's own, and one author's name is there
// once a process, for all who have been sent posts of his.
type Entry struct {
	Position messages.Position
	when     int64 // Unix milliseconds, and the status in the lowest bits
	origin   *messages.Origin
	author   unique.Handle[string]
}

// NewEntry keeps what the record needs of a delivery and nothing of its event.
func NewEntry(p messages.Position, e *messages.Event, origin *messages.Origin, atMs int64, s Status) Entry {
	return Entry{
		Position: p, when: atMs<<statusBits | int64(s), origin: origin,
		author: unique.Make(e.GetPost().GetAuthor().GetUsername()),
	}
}

func (e Entry) status() Status { return Status(e.when & (1<<statusBits - 1)) }

// Found is a delivery of the monitor or rule with the number.
type Found struct {
	K uint32
	Entry
}

func (f Found) logged() *messages.DeliveryLogged {
	return &messages.DeliveryLogged{
		Position: uint64(f.Position), K: f.K, Origin: f.origin, DeliveredMs: f.when >> statusBits,
		Status: f.status().String(), Author: f.author.Value(),
	}
}

// ring keeps the newest of one monitor or rule, at most most, by position. It
// grows as it fills: most rules never see a thousand.
type ring struct {
	k    uint32
	most int
	all  []Entry
	next int // where the oldest is once full
}

// add is for what was just delivered. Where the log was read before the router
// was as far, it is there already, and its status becomes known.
func (r *ring) add(e Entry) {
	if n := len(r.all); n > 0 && r.at(n-1).Position >= e.Position {
		r.all, r.next = r.inOrder(), 0
		i, there := slices.BinarySearchFunc(r.all, e.Position, func(o Entry, p messages.Position) int { return cmp.Compare(o.Position, p) })
		if there {
			r.all[i] = e
		} else if r.all = slices.Insert(r.all, i, e); len(r.all) > r.most {
			r.all = slices.Delete(r.all, 0, 1)
		}
		return
	}
	if len(r.all) < r.most {
		r.all = append(r.all, e)
		return
	}
	r.all[r.next] = e
	r.next = (r.next + 1) % r.most
}

// at is the i-th oldest, from 0.
func (r *ring) at(i int) Entry { return r.all[(r.next+i)%len(r.all)] }

// extend puts older entries, oldest first, before those that are there.
func (r *ring) extend(older []Entry) {
	all := append(slices.Clone(older), r.inOrder()...)
	r.all, r.next = slices.Clone(all[max(len(all)-r.most, 0):]), 0
}

// inOrder is what the ring has, oldest first.
func (r *ring) inOrder() []Entry {
	if r.next == 0 {
		return r.all
	}
	return slices.Concat(r.all[r.next:], r.all[:r.next])
}

// ring is that of the monitor or rule with the number.
func (h *History) ring(k uint32) *ring {
	i, there := slices.BinarySearchFunc(h.rings, k, func(r *ring, k uint32) int { return int(r.k) - int(k) })
	if !there {
		h.rings = slices.Insert(h.rings, i, &ring{k: k, most: h.most})
	}
	return h.rings[i]
}

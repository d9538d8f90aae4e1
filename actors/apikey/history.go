package apikey

import (
	"context"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// What became of a delivery.
const (
	statusDelivered    = "delivered"
	statusNoConnection = "no_connection"
	statusUnknown      = "unknown" // found in the log: nobody remembers who was there
)

func statusOf(connected bool) string {
	if connected {
		return statusDelivered
	}
	return statusNoConnection
}

// logged is one delivery as the record of deliveries keeps it.
type logged struct {
	delivery *messages.Delivery
	at       time.Time
	status   string
}

// ring keeps the newest of one monitor or rule, at most most. It grows as it
// fills: most rules never see a thousand.
type ring struct {
	most int
	all  []logged
	next int // where the oldest is once full
}

func (r *ring) len() int { return len(r.all) }

func (r *ring) add(l logged) {
	if len(r.all) < r.most {
		r.all = append(r.all, l)
		return
	}
	r.all[r.next] = l
	r.next = (r.next + 1) % r.most
}

// back is the i-th newest, from 0.
func (r *ring) back(i int) logged {
	return r.all[(r.next+len(r.all)-1-i)%len(r.all)]
}

// extend puts older entries, oldest first, before those that are there.
func (r *ring) extend(older []logged) {
	all := append(slices.Clone(older), r.all[r.next:]...)
	all = append(all, r.all[:r.next]...)
	r.all, r.next = all[max(len(all)-r.most, 0):], 0
}

// history is the part of the record from before the actor started. It is read
// from the log when first asked for.
type history struct {
	first   messages.Position // of what this instance has seen match; 0: nothing yet
	read    bool              // done, or there is nothing to read with
	reading bool
	asking  []held // waiting for it; at most askingMost, then answered without
}

const askingMost = 16

// begins notes what this instance has seen itself: the log's word counts only
// before it.
func (h *history) begins(p messages.Position) {
	if h.first == 0 {
		h.first = p
	}
}

// remembered is a worker's answer.
type remembered struct {
	of    *key
	found []*messages.Delivery
	err   error
}

func (k *key) listDeliveries(ctx actor.Context, m *messages.ListDeliveries) {
	if m.GetMonitorId() != "" && k.parts.byID[m.GetMonitorId()] == nil {
		k.respond(ctx, rejected(messages.Rejection_REJECTION_NOT_FOUND, "id", "there is no such monitor or filter rule"))
		return
	}
	if k.cfg.History == nil || k.history.read || len(k.history.asking) >= askingMost {
		k.respond(ctx, k.deliveries(m))
		return
	}
	k.history.asking = append(k.history.asking, held{m, ctx.Sender()})
	if k.history.reading {
		return
	}
	k.history.reading = true
	source, queries, most := k.cfg.History, k.changes.Set.Queries(0, 0), k.cfg.LogMost
	k.workBy(ctx, k.cfg.Reader, k.cfg.HistoryTimeout, func(work context.Context) any {
		r := &remembered{of: k}
		r.found, r.err = source.Newest(work, queries, most)
		return r
	})
}

func (k *key) remembered(ctx actor.Context, r *remembered) {
	if r.of != k {
		return
	}
	k.history.reading = false
	if r.err != nil {
		k.log.Warn("the record of deliveries could not be read from the log; what is remembered is shown", "error", r.err)
	} else {
		k.history.read = true
		k.remember(r.found)
	}
	asking := k.history.asking
	k.history.asking = nil
	for _, h := range asking {
		if h.sender != nil {
			ctx.Send(h.sender, k.deliveries(h.message.(*messages.ListDeliveries)))
		}
	}
}

func (k *key) remember(found []*messages.Delivery) {
	older := map[uint32][]logged{}
	for _, d := range found {
		if p := messages.Position(d.GetPosition()); k.history.first == 0 || p < k.history.first {
			at := time.UnixMilli(d.GetEvent().GetDetectedMs())
			older[d.GetK()] = append(older[d.GetK()], logged{delivery: d, at: at, status: statusUnknown})
		}
	}
	for _, s := range k.parts.sorted {
		if own := older[s.entry.K()]; len(own) > 0 {
			s.log.extend(own)
		}
	}
}

// deliveries is one page of the record, newest first.
func (k *key) deliveries(m *messages.ListDeliveries) *messages.DeliveriesListed {
	var rings []*ring
	listed := &messages.DeliveriesListed{}
	for _, s := range k.parts.sorted {
		if m.GetMonitorId() == "" || s.id == m.GetMonitorId() {
			rings = append(rings, &s.log)
			listed.Total += int32(s.log.len())
		}
	}
	skip, left := int(m.GetOffset()), int(m.GetLimit())
	if left <= 0 {
		left = k.cfg.LogMost
	}
	taken := make([]int, len(rings))
	for left > 0 {
		newest, ok := newestOf(rings, taken)
		if !ok {
			break
		}
		if skip > 0 {
			skip--
			continue
		}
		left--
		d := newest.delivery
		listed.Deliveries = append(listed.Deliveries, &messages.DeliveryLogged{
			Position: d.GetPosition(), K: d.GetK(), Event: d.GetEvent(), Origin: d.GetOrigin(),
			DeliveredMs: newest.at.UnixMilli(), Status: newest.status,
		})
	}
	return listed
}

// newestOf takes the newest of what the rings have left, by (position, k).
func newestOf(rings []*ring, taken []int) (newest logged, ok bool) {
	from := -1
	for i, r := range rings {
		if taken[i] == r.len() {
			continue
		}
		l := r.back(taken[i])
		if from < 0 || later(l.delivery, newest.delivery) {
			newest, from = l, i
		}
	}
	if from < 0 {
		return logged{}, false
	}
	taken[from]++
	return newest, true
}

func later(a, b *messages.Delivery) bool {
	return a.GetPosition() > b.GetPosition() || a.GetPosition() == b.GetPosition() && a.GetK() > b.GetK()
}

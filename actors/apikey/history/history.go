// Package history is the record of one key's deliveries: which posts its
// monitors and rules have matched, newest first, and whether anybody was there.
// It keeps where an event is in the log and never the event: a page reads its
// events from the log when somebody asks for one.
//
//	asked --what is older was found--> page chosen --its events were read--> answered
//
// Every question is answered exactly once: with a page, or with a refusal where
// the log cannot be read, says nothing in time, or too many ask at once.
//
// It knows no actor and no clock: calls in, outputs out. It is not safe for use
// by several goroutines.
package history

import (
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// AskingMost is how many questions may be under way; past it they are refused.
// Each may hold the events of a page.
const AskingMost = 16

// PageMost is how many deliveries a page has at most.
const PageMost = 1000

// Output is something for the caller to do.
type Output interface{ output() }

type (
	// Find asks for what is older than this instance: the answer goes to Found.
	Find struct{}
	// Read asks for the events at the positions: the answer goes to Events.
	Read struct {
		Question  uint64
		Positions []messages.Position
	}
	// Wait says that the question waits for the log from now on. Where nothing
	// comes in time, Silent is to be called.
	Wait struct{ Question uint64 }
	// Answer is for whoever asked. The question is over.
	Answer struct {
		Question uint64
		To       any
		Message  any // *messages.DeliveriesListed or *messages.Rejected
	}
)

func (Find) output()   {}
func (Read) output()   {}
func (Wait) output()   {}
func (Answer) output() {}

// History is the record. What an instance has seen itself counts from its first
// delivery on; before that the log's word counts, which is read when first
// asked for.
type History struct {
	most    int
	rings   []*ring           // k ascending; one for each monitor and rule that has deliveries
	first   messages.Position // of what this instance has seen match; 0: nothing yet
	found   bool              // what is older is known, or there is nothing to read it with
	finding bool

	questions []*question // in order; at most AskingMost
	newest    uint64      // id of a question
}

// question waits: for what is older while page is nil, then for the page's
// events.
type question struct {
	id   uint64
	to   any
	want Selection
	page *messages.DeliveriesListed
}

// New keeps so many deliveries of each monitor and rule. older says whether
// what is older can be found.
func New(most int, older bool) *History { return &History{most: most, found: !older} }

// Begins notes what this instance has seen itself: what is found counts only
// before it.
func (h *History) Begins(p messages.Position) {
	if h.first == 0 {
		h.first = p
	}
}

// Add is the newest delivery of the monitor or rule with the number.
func (h *History) Add(k uint32, e Entry) { h.ring(k).add(e) }

// Forget drops the deliveries of what is no more.
func (h *History) Forget(k uint32) {
	h.rings = slices.DeleteFunc(h.rings, func(r *ring) bool { return r.k == k })
}

// Empty says that no delivery is remembered.
func (h *History) Empty() bool { return len(h.rings) == 0 }

// Idle says that nobody waits and nothing is being read.
func (h *History) Idle() bool { return !h.finding && len(h.questions) == 0 }

// Waits says whether the question is under way.
func (h *History) Waits(id uint64) bool {
	return slices.ContainsFunc(h.questions, func(q *question) bool { return q.id == id })
}

// Sought says whether anybody waits for what is older.
func (h *History) Sought() bool {
	return slices.ContainsFunc(h.questions, func(q *question) bool { return q.page == nil })
}

// Ask is a question; to comes back with its answer.
func (h *History) Ask(want Selection, to any) []Output {
	if len(h.questions) >= AskingMost {
		return []Output{Answer{To: to, Message: unavailable("too many pages of the key's deliveries are being read: try again")}}
	}
	h.newest++
	q := &question{id: h.newest, to: to, want: want}
	h.questions = append(h.questions, q)
	if h.found {
		return h.choose(q)
	}
	out := []Output{Wait{q.id}}
	if !h.finding {
		h.finding = true
		out = append(out, Find{})
	}
	return out
}

// Found is the log's word on what is older, in log order. Where it could not be
// read, whoever waits for it is refused, and the next question has it read
// again: a part of the record would be taken for the whole.
func (h *History) Found(found []Found, err error) (out []Output) {
	h.finding = false
	if err == nil && !h.found {
		h.found = true
		h.remember(found)
	}
	for _, q := range slices.Clone(h.questions) {
		switch {
		case q.page != nil:
		case err != nil:
			out = append(out, h.answer(q, unavailable(detailUnread)))
		default:
			out = append(out, h.choose(q)...)
		}
	}
	return out
}

// remember puts what was found before what this instance has seen.
func (h *History) remember(found []Found) {
	older := map[uint32][]Entry{}
	for _, f := range found {
		if h.first == 0 || f.Position < h.first {
			older[f.K] = append(older[f.K], f.Entry)
		}
	}
	for k, entries := range older {
		h.ring(k).extend(entries)
	}
}

// choose makes the question's page, and has its events read.
func (h *History) choose(q *question) []Output {
	page, total := q.want.of(h.rings)
	q.page = &messages.DeliveriesListed{Total: int32(total)}
	if len(page) == 0 {
		return []Output{h.answer(q, q.page)}
	}
	positions := make([]messages.Position, len(page))
	for i, f := range page {
		positions[i] = f.Position
		q.page.Deliveries = append(q.page.Deliveries, f.logged())
	}
	return []Output{Wait{q.id}, Read{q.id, positions}}
}

// Events are those of the question's page, nil for each that is gone from the
// log. refusal is sent instead where they could not be read.
func (h *History) Events(id uint64, events []*messages.Event, refusal *messages.Rejected) []Output {
	i := slices.IndexFunc(h.questions, func(q *question) bool { return q.id == id })
	if i < 0 {
		return nil // it was answered in between
	}
	q := h.questions[i]
	if refusal != nil {
		return []Output{h.answer(q, refusal)}
	}
	for i, d := range q.page.GetDeliveries() {
		d.Event = events[i]
	}
	return []Output{h.answer(q, q.page)}
}

// Silent is for a question that the log has not answered in time.
func (h *History) Silent(id uint64) []Output { return h.Events(id, nil, Unread()) }

// GiveUp refuses whoever waits: the record ends, or begins again.
func (h *History) GiveUp(detail string) (out []Output) {
	for _, q := range slices.Clone(h.questions) {
		out = append(out, h.answer(q, unavailable(detail)))
	}
	return out
}

func (h *History) answer(q *question, message any) Answer {
	h.questions = slices.DeleteFunc(h.questions, func(o *question) bool { return o == q })
	return Answer{Question: q.id, To: q.to, Message: message}
}

// detailUnread is for somebody who asks: the log says more.
const detailUnread = "the key's deliveries could not be read from the log: try again"

// Unread is the refusal where the log could not be read.
func Unread() *messages.Rejected { return unavailable(detailUnread) }

func unavailable(detail string) *messages.Rejected {
	return &messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: detail}
}

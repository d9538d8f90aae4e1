package follow

import (
	"github.com/birdwire/birdwire/actors/engine/gauge"
	"github.com/birdwire/birdwire/messages"
)

type verdict uint8

const (
	next      verdict = iota // the next of its numbering
	old                      // had already, or of an owner that was replaced
	missing                  // one before it was lost
	restarted                // of an owner that has started again
	foreign                  // of a join that is not followed
)

// judge says what a message is to the stream that is followed.
func (f *Follower) judge(m *messages.Deliveries) verdict {
	switch {
	case m.GetJoin() != f.join && m.GetJoin() != 0:
		return foreign
	case m.GetTerm() != f.term:
		if m.GetTerm() < f.term {
			return old
		}
		return restarted
	case m.GetNumber() <= f.number:
		return old
	case m.GetPrevious() != f.number:
		return missing
	}
	return next
}

func (t *turn) deliveries(m *messages.Deliveries) {
	if t.state == idle || t.state == replaying || t.state == joining && !t.way.joined {
		t.abandoned(m)
		return
	}
	switch v := t.judge(m); {
	case v == old:
	case v == foreign:
		t.abandoned(m)
	case v == restarted || v == missing && len(m.GetDeliveries()) == 0:
		t.again()
	case t.state == leaving && v == missing: // the next subscription reads it: Left names a later number
	case v == missing:
		t.number = m.GetNumber()
		t.gap(messages.Position(m.GetDeliveries()[0].GetPosition())-1, m)
	case t.state == joining:
		t.number = m.GetNumber()
		t.hold(m)
	default:
		t.number = m.GetNumber()
		t.deliver(m.GetDeliveries())
	}
}

// deliver hands on what the subscriber has not had.
func (t *turn) deliver(ds []*messages.Delivery) (some bool) {
	ds = t.hand(ds)
	if len(ds) > 0 {
		t.emit(Deliver{ds})
	}
	return len(ds) > 0
}

// abandoned: whoever sends for a join that was given up has not heard so. Of
// several messages the first is enough to say it again.
func (t *turn) abandoned(m *messages.Deliveries) {
	join := m.GetJoin()
	if join == 0 || join == t.join || join == t.told || t.way != nil && join == t.way.next {
		return
	}
	t.told = join
	t.rare(SentForAFormerJoin)
	for lane := range t.cfg.Lanes {
		t.emit(Leave{Lane(lane), join})
	}
}

// through is the owner's word on how far it is.
func (t *turn) through(m *messages.Through) {
	if m.GetJoin() == t.join {
		t.proof(m.GetTerm(), m.GetNumber(), messages.Position(m.GetPosition()))
	}
}

// proof: with everything up to number, all at or before p has come.
func (t *turn) proof(term, number uint64, p messages.Position) {
	followed := t.state == live || t.state == leaving || t.state == joining && t.way.joined
	switch {
	case !followed || term < t.term || term == t.term && number < t.number:
	case term > t.term:
		t.again()
	case number > t.number && t.state == leaving: // as in deliveries
	case number > t.number:
		t.number = number
		t.gap(p, nil)
	case t.state == joining:
	default:
		t.reach(p)
		if t.way != nil && t.way.await == forThrough {
			t.rest()
		}
	}
}

// prove asks the owner how far it is. Where another question is open its
// answer says so too.
func (t *turn) prove() {
	if t.state != live || t.way != nil && t.way.await != nothing {
		return
	}
	t.work().proofs = 0
	t.told = 0
	t.emit(AskThrough{t.sub.Lane, t.join})
	t.ask(forThrough)
}

// gap: what matched at or before q has not all come, and what comes from m on
// is whole again. It is a Joined that nobody had to send.
func (t *turn) gap(q messages.Position, m *messages.Deliveries) {
	t.rare(DeliveriesMissing)
	w := t.work()
	w.held, w.bytes = nil, 0
	if m != nil {
		t.hold(m)
	}
	if t.state == joining {
		w.q = max(w.q, q) // what is being read ends before it
		return
	}
	w.next = 0 // that change is asked for again once this is read
	t.state = joining
	t.catchUp(q)
}

// catchUp reads through q, after which everything comes live.
func (t *turn) catchUp(q messages.Position) {
	w := t.way
	w.joined, w.q = true, q
	w.voids, w.known = nil, false
	t.proceed()
}

// hold keeps what comes live until everything before it has been handed on.
func (t *turn) hold(m *messages.Deliveries) {
	w := t.way
	size := sizeOf(m)
	if len(w.held) == t.cfg.HeldMost || len(w.held) > 0 && w.bytes+size > t.cfg.HeldBytes {
		t.overflow(m)
		return
	}
	w.held = append(w.held, m)
	w.bytes += size
	t.cfg.Queues.Grown(gauge.Queue{Name: "follower: messages before what is read", Items: len(w.held), Bytes: w.bytes, MostItems: t.cfg.HeldMost, MostBytes: t.cfg.HeldBytes})
}

package follow

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// startJoin asks the owner for everything from now on.
func (t *turn) startJoin() {
	t.beginJoin()
	t.sendJoin()
	t.ask(forJoined)
}

func (t *turn) beginJoin() {
	w := t.work()
	w.joined, w.held, w.bytes, w.next = false, nil, 0, 0
	t.state, t.join = joining, t.question()
}

func (t *turn) sendJoin() {
	t.emit(Join{t.current().Lane, t.join, t.current().Query, t.place.Position})
}

// again joins once more: the owner has started again, or does not know the follower.
func (t *turn) again() {
	if t.state == leaving {
		t.leftLane()
		return
	}
	t.rare(JoinedAgain)
	t.startJoin()
}

func (t *turn) joined(m *messages.Joined) {
	w := t.way
	switch {
	case t.state == joining && w.await == forJoined && m.GetJoin() == t.join:
		w.silent = 0
		t.term, t.number = m.GetTerm(), m.GetNumber()
		q := messages.Position(m.GetPosition())
		first := t.place == Place{}
		if first {
			t.place = End(q)
		}
		t.accept()
		if first {
			t.emit(Reached{Position: q, First: true})
		}
		t.catchUp(q)
	case t.state == live && w != nil && w.next != 0 && m.GetJoin() == w.next:
		t.changed(m)
	case m.GetJoin() == t.join && t.join != 0: // answered twice
		t.proof(m.GetTerm(), m.GetNumber(), messages.Position(m.GetPosition()))
	}
}

// changed: the owner has taken the new subscription, after the last event of
// the old one. Where a message of the old one is missing, the new one decides
// what has not been handed on.
func (t *turn) changed(m *messages.Joined) {
	w, q := t.way, messages.Position(m.GetPosition())
	whole := m.GetTerm() == t.term && m.GetNumber() == t.number
	if whole {
		t.reach(q)
	}
	t.join, t.term, t.number = m.GetJoin(), m.GetTerm(), m.GetNumber()
	w.trial, w.next, w.silent = t.pop(), 0, 0
	t.accept()
	if !whole {
		t.gap(q, nil)
		return
	}
	t.rest()
	t.consider()
}

func (t *turn) refused(m *messages.JoinRefused) {
	w := t.way
	change := t.state == live && w != nil && w.next != 0 && m.GetJoin() == w.next
	switch {
	case !change && (t.state != joining || w.await != forJoined || m.GetJoin() != t.join):
	case m.GetAgain():
		w.detail = m.GetDetail() // the timer asks again
		if after := time.Duration(m.GetRetryAfterMs()) * time.Millisecond; after > 0 {
			w.silent = 0 // it has said when
			t.open(w.await, min(after, t.cfg.Silence/2))
		}
	case change:
		t.emit(Refused{t.pop(), m.GetDetail()})
		w.next, w.silent = 0, 0
		t.rest()
		t.consider()
	case w.trial == nil:
		t.join = 0
		t.over(WhyRefused, m.GetDetail())
	default:
		w.silent = 0
		if t.refuse(m.GetDetail()) {
			t.startJoin()
		}
	}
}

// refuse gives the subscription on trial up. The current one is what is asked
// for again; false where there is none, and the follower waits for another.
func (t *turn) refuse(detail string) (before bool) {
	w := t.way
	t.emit(Refused{w.trial, detail})
	w.trial, w.voids, w.known = nil, nil, false
	t.join = 0
	if t.sub == nil {
		t.state = idle
		t.rest()
		t.consider()
		return false
	}
	return true
}

// left: the lane's owner sends no more of the join.
func (t *turn) left(m *messages.Left) {
	if t.state != leaving || m.GetJoin() != t.join {
		return
	}
	if m.GetPosition() != 0 && m.GetTerm() == t.term && m.GetNumber() == t.number {
		t.reach(messages.Position(m.GetPosition()))
	}
	t.leftLane()
}

func (t *turn) leftLane() {
	t.way.silent, t.way.trial = 0, t.pop()
	t.startJoin()
}

// rejoin: the owner has started again and does not know the join.
func (t *turn) rejoin(m *messages.Rejoin) {
	switch {
	case t.join == 0 || m.GetJoin() != 0 && m.GetJoin() != t.join:
	case t.state == joining && t.way.await == forJoined:
		t.sendJoin() // the Join may have gone with the one before it
	case m.GetJoin() != 0 || m.GetTerm() > t.term:
		t.again()
	}
}

// movedWait is how long the ownership port is given to learn of a move.
const movedWait = 250 * time.Millisecond

// moved: the question went to one that is not the owner. It is asked again
// soon, and the shell asks who the owner is.
func (t *turn) moved() {
	w := t.way
	if w == nil {
		return
	}
	switch w.await {
	case forJoined, forLeft, forQueries, forVoids:
		t.open(w.await, movedWait)
	case forChange, forThrough:
		t.beginJoin()
		w.patience = t.cfg.Patience
		t.open(forJoined, movedWait)
	}
}

// overflow: too much comes live while the last stretch is read. The follower
// leaves, reads on, and joins again nearer the end.
func (t *turn) overflow(m *messages.Deliveries) {
	t.rare(OverflowLeftLive)
	w := t.way
	newest := messages.Position(m.GetDeliveries()[len(m.GetDeliveries())-1].GetPosition())
	t.emit(Leave{t.sub.Lane, t.join})
	t.state, t.join = replaying, 0
	w.joined, w.held, w.bytes = false, nil, 0
	t.nearer(newest.Sequence() - t.place.Position.Sequence())
}

// nearer counts the rounds in which the follower came no nearer to what is
// sent, and ends it after too many. It says whether the follower goes on.
func (t *turn) nearer(left uint64) bool {
	w := t.way
	if left < w.nearest {
		w.nearest, w.rounds = left, 0
		return true
	}
	if w.rounds++; w.rounds < t.cfg.RoundsMost {
		return true
	}
	t.over(WhySlow, "events come faster than they are taken")
	return false
}

// sizeOf is what the events of a message take, about. The sender mostly says so.
func sizeOf(m *messages.Deliveries) (bytes int) {
	if said := m.GetBytes(); said != 0 {
		return int(said)
	}
	for _, d := range m.GetDeliveries() {
		bytes += proto.Size(d.GetEvent())
	}
	return bytes
}

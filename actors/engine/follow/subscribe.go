package follow

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

func (t *turn) subscribe(s *Subscription) {
	w := t.work()
	if len(w.pending) == t.cfg.PendingMost || len(w.pending) > 0 && t.pendingBytes(s) > t.cfg.PendingBytes {
		t.emit(Refused{s, "too many subscribe messages at once: wait for the answers"})
		return
	}
	w.pending = append(w.pending, s)
	t.consider()
}

// pendingBytes is what the queries that wait take, with one more.
func (t *turn) pendingBytes(one *Subscription) int {
	n := proto.Size(one.Query)
	for _, s := range t.way.pending {
		n += proto.Size(s.Query)
	}
	return n
}

// pop takes the next subscription that waits.
func (t *turn) pop() *Subscription {
	w := t.way
	s := w.pending[0]
	w.pending = w.pending[1:]
	if len(w.pending) == 0 {
		w.pending = nil
	}
	return s
}

// consider tries the next subscription, where one can be tried now.
func (t *turn) consider() {
	w := t.way
	if w == nil || len(w.pending) == 0 {
		return
	}
	switch s := w.pending[0]; {
	case t.state == idle:
		w.trial = t.pop()
		if (t.place == Place{}) {
			t.startJoin()
		} else {
			t.startReplay()
		}
	case t.state == replaying && w.trial == nil && (w.await == forVoids || w.await == forQueries || w.await == forAgain):
		t.proceed() // with the new one
	case t.state != live || w.await == forChange:
	case s.Lane == t.sub.Lane:
		w.next = t.question()
		t.sendChange()
		t.ask(forChange)
	default:
		t.state = leaving
		t.emit(Leave{t.sub.Lane, t.join})
		t.ask(forLeft)
	}
}

func (t *turn) sendChange() {
	s := t.way.pending[0]
	t.emit(Join{s.Lane, t.way.next, s.Query, t.place.Position})
}

// accept makes the subscription on trial the current one.
func (t *turn) accept() {
	w := t.way
	if w.trial == nil {
		return
	}
	t.sub, w.trial = w.trial, nil
	t.emit(Accepted{t.sub})
}

// proofsMost is how often a live follower asks for a proof before it takes the
// owner for gone and joins again.
const proofsMost = 3

// fired is the timer: what is open is asked again.
func (t *turn) fired(m Fired) {
	w := t.way
	if w == nil || m.Timer == 0 || m.Timer != w.timer {
		return
	}
	w.timer = 0
	if w.silent += w.wait; w.silent >= t.cfg.Silence {
		t.over(WhySilent, t.silence())
		return
	}
	w.patience = min(2*max(w.patience, t.cfg.Patience), 4*t.cfg.Patience)
	switch w.await {
	case forJoined:
		t.sendJoin()
	case forLeft:
		t.emit(Leave{t.sub.Lane, t.join})
	case forVoids:
		t.askVoids()
	case forQueries:
		t.askQueries()
	case forChange:
		t.sendChange()
	case forRead:
		t.failed("the log was not read in time")
		return
	case forThrough:
		if w.proofs++; w.proofs == proofsMost {
			t.startJoin()
			return
		}
		t.emit(AskThrough{t.sub.Lane, t.join})
	case forAgain:
		w.await = nothing
		t.proceed()
		return
	}
	t.open(w.await, w.patience)
}

// silence says who does not answer.
func (t *turn) silence() string {
	what := map[await]string{
		forJoined: "to a join", forLeft: "to a leave", forChange: "to a change of the subscription", forThrough: "how far it is",
		forVoids: "how far the log may be read", forQueries: "which queries it has", forRead: "a reading of the log", forAgain: "with progress",
	}[t.way.await]
	if d := t.way.detail; d != "" {
		return fmt.Sprintf("no answer %s for %v: %s", what, t.cfg.Silence, d)
	}
	return fmt.Sprintf("no answer %s for %v", what, t.cfg.Silence)
}

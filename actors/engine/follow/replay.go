package follow

import (
	"math"
	"time"

	"github.com/birdwire/birdwire/messages"
)

const (
	pauseFirst = 50 * time.Millisecond
	pauseMost  = 5 * time.Second
)

func (t *turn) startReplay() {
	w := t.work()
	w.voids, w.known = nil, false
	t.state = replaying
	t.proceed()
}

// proceed does what is next where nothing is open: it asks how far may be
// read, and with which queries, reads, and goes on when that is done.
func (t *turn) proceed() {
	w := t.way
	if t.state == joining && !t.place.before(w.q) {
		t.release()
		return
	}
	if t.state == replaying && w.trial == nil && len(w.pending) > 0 {
		w.trial, w.voids, w.known = t.pop(), nil, false
	}
	switch {
	case w.voids == nil:
		w.ask = t.question()
		t.askVoids()
		t.ask(forVoids)
	case !t.place.before(w.target):
		t.roundOver()
	case t.current().Query == nil && !(w.known && t.place.before(w.until)):
		w.known, w.ask = false, t.question()
		t.askQueries()
		t.ask(forQueries)
	default:
		t.readOn()
	}
}

func (t *turn) askVoids() {
	t.emit(AskVoids{t.current().Lane, t.way.ask, t.place.From()})
}

func (t *turn) askQueries() {
	t.emit(AskQueries{t.current().Lane, t.way.ask, t.place.From(), t.way.target})
}

func (t *turn) voidsKnown(m *messages.VoidsKnown) {
	w := t.way
	if w == nil || w.await != forVoids || m.GetAsk() != w.ask {
		return
	}
	w.voids, w.fresh, w.target, w.round = m, true, messages.Position(m.GetThrough()), t.place.Position
	if t.state == joining {
		w.target = min(w.target, w.q)
	}
	t.proceed()
}

func (t *turn) queriesKnown(m *messages.Queries) {
	w := t.way
	if w == nil || w.await != forQueries || m.GetAsk() != w.ask {
		return
	}
	w.until = messages.Position(m.GetPosition())
	if since := messages.Position(m.GetSince()); t.place.before(since) {
		// What decided these events is not kept, so nobody can say which of them
		// were the subscriber's.
		t.accept()
		t.emit(Lost{messages.Lost{From: t.place.Position + 1, To: since, Why: messages.Trimmed}})
		t.place = End(since)
		if !t.place.before(w.until) {
			t.proceed()
			return
		}
	}
	if !t.place.before(w.until) {
		w.pause = min(max(2*w.pause, pauseFirst), time.Second)
		t.open(forQueries, w.pause) // the owner is not there yet
		return
	}
	w.queries, w.known = m.GetQueries(), true
	t.proceed()
}

func (t *turn) readOn() {
	w := t.way
	r := Request{
		After: t.place, Through: w.target, Voids: w.voids.GetPositions(), VoidsSince: messages.Position(w.voids.GetSince()),
		Frames: t.cfg.ReadFrames, Found: t.cfg.ReadFound, Bytes: t.cfg.ReadBytes,
	}
	if q := t.current().Query; q != nil {
		r.Queries = []*messages.Query{q}
	} else {
		r.Queries, r.Through = w.queries, min(r.Through, w.until)
	}
	w.fresh, w.reading = false, t.question()
	t.emit(ReadLog{w.reading, r})
	t.open(forRead, t.cfg.ReadWithin)
}

func (t *turn) read(m Read) {
	w := t.way
	if w == nil || w.await != forRead || m.Reading != w.reading {
		return
	}
	if !t.place.before(m.Result.Through) && len(m.Result.Deliveries) == 0 {
		t.failed("a reading came to no end")
		return
	}
	w.failures, w.silent, w.pause = 0, 0, 0
	t.accept()
	some := t.deliverWith(m.Result.Deliveries, m.Result.Lost)
	t.reach(m.Result.Through)
	if some {
		t.open(forTaken, 0)
		return
	}
	t.proceed()
}

// deliverWith hands on what was read, and names what is lost at its place.
func (t *turn) deliverWith(ds []*messages.Delivery, lost []messages.Lost) (some bool) {
	for _, l := range lost {
		n := 0
		for n < len(ds) && messages.Position(ds[n].GetPosition()) < l.From {
			n++
		}
		some = t.deliver(ds[:n]) || some
		ds = ds[n:]
		if t.place.before(l.To) {
			t.place = End(l.To)
			t.emit(Lost{l})
		}
	}
	return t.deliver(ds) || some
}

func (t *turn) readFailed(m ReadFailed) {
	w := t.way
	if w == nil || w.await != forRead || m.Reading != w.reading {
		return
	}
	switch m.Fault {
	case FaultBusy:
		t.paused(time.Second)
	case FaultTrimmed:
		t.trimmed(m.First)
	case FaultQuery:
		if w.trial == nil {
			t.over(WhyRefused, m.Detail)
			return
		}
		if t.refuse(m.Detail) {
			t.proceed()
		}
	default:
		t.failed(m.Detail)
	}
}

func (t *turn) failed(detail string) {
	w := t.way
	if w.failures++; w.failures >= t.cfg.FailMost {
		t.over(WhyLog, detail)
		return
	}
	t.paused(pauseMost)
}

// paused goes on in a while, which doubles up to most until something is read.
func (t *turn) paused(most time.Duration) {
	w := t.way
	w.pause = min(max(2*w.pause, pauseFirst), most)
	t.open(forAgain, w.pause)
}

// trimmed: what the subscriber missed is gone. It is told so, and goes on from
// now, which is after Q where the owner has been joined.
func (t *turn) trimmed(first messages.Position) {
	t.accept()
	t.emit(Trimmed{first})
	if t.state == joining {
		t.reach(t.way.q)
		t.release()
		return
	}
	t.place = Place{}
	t.startJoin()
}

// roundOver: everything that the frontier had matched when asked is handed on.
func (t *turn) roundOver() {
	w := t.way
	if t.state == joining {
		w.voids = nil
		if w.fresh {
			t.paused(time.Second) // the frontier has not come to Q: it is another node's than the owner's
		} else {
			t.proceed() // Q has moved since it was asked
		}
		return
	}
	// What was read in this round is what came during the one before, or was
	// there at first. Where that is little the end is near.
	read := w.target.Sequence() - min(w.round.Sequence(), w.target.Sequence())
	switch {
	case read <= t.cfg.Near:
		t.startJoin()
	case t.nearer(read):
		w.voids, w.known = nil, false
		t.proceed()
	}
}

// release hands on what was held, as fast as it is taken; with nothing held
// the follower is live.
func (t *turn) release() {
	w := t.way
	held := w.held
	w.held, w.bytes = nil, 0
	some := false
	for _, m := range held {
		some = t.deliver(m.GetDeliveries()) || some
	}
	if some {
		t.open(forTaken, 0)
		return
	}
	w.rounds, w.nearest, w.voids, w.queries, w.joined = 0, math.MaxUint64, nil, nil, false
	t.state = live
	t.rest()
	t.consider()
}

package change_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/change"
	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// world is all that a machine talks to, in memory: a child that takes what it
// is given, a router that may not have heard or answered, a store that may fail
// with any outcome, and a key that may die at any moment.
type world struct {
	t *testing.T
	r *rand.Rand
	m *change.Machine

	inbox    []any  // answers on their way to the machine, and hits, in order
	messages []any  // puts on their way to the router
	timer    uint64 // the token of the one timer; 0: none

	// router, of the node that the key is on
	position uint64
	queries  map[name]*messages.Query
	until    map[name]uint64

	end uint64 // of the log, as far as any router has come

	// store
	key      *messages.Key
	revision uint64
	stored   map[string]definitions.Stored
	past     map[name]*messages.Query
	counter  uint64 // of revisions and ids
	// by record, also of one that was deleted
	revisions map[string]uint64
	written   map[string]string
	late      []lateWrite

	held    []hit   // undecided
	handled uint64  // everything at or before it was decided
	synced  bool    // there can be connections
	live    stretch // what was delivered to them
	lives   []stretch
	replies map[uint64]proto.Message
	faults  bool
	ends    []change.Kind // kinds of what was written, in order
	between bool          // what is late happens between a start's reading and what it does then
	doomed  bool          // it dies of the next write of a rule, which happens some time after that
	dead    bool
}

type name struct{ k, version uint32 }

// stretch is what was delivered of the events in (from, through], each as
// position.k name.
type stretch struct {
	from, through uint64
	told          []string
}

type hit struct {
	position uint64
	names    []name
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, r: rand.New(rand.NewPCG(seed, 2)), position: 10, end: 10, queries: map[name]*messages.Query{}, until: map[name]uint64{},
		stored: map[string]definitions.Stored{}, past: map[name]*messages.Query{}, replies: map[uint64]proto.Message{},
		revisions: map[string]uint64{}, written: map[string]string{},
		key: &messages.Key{Id: "key-1", State: messages.KeyState_KEY_ACTIVE, NextK: 1}, counter: 100,
	}
	w.revision = w.next()
	return w
}

func (w *world) next() uint64 {
	w.counter++
	return w.counter
}

func (w *world) config() change.Config {
	return change.Config{
		KeyID: "key-1", MonitorsMost: 50, RulesMost: 50, QueueMost: 64, AnswerWithin: 1, FirstToken: w.next() << 20,
		NewID:   func(rule bool) string { return fmt.Sprint("id-", w.next()) },
		Now:     func() int64 { return 1 },
		Handled: func() uint64 { return w.handled },
		Fault:   func(*messages.Key) *messages.Rejected { return nil },
		Credits: func() *messages.Rejected { return nil },
	}
}

// start is a key's actor that starts: whatever was on its way to the one before
// is lost, and the router has what it has. moved: the key is on another node, whose
// router may be behind.
func (w *world) start(moved bool) {
	if w.synced {
		w.live.through = w.handled
		w.lives = append(w.lives, w.live)
	}
	if moved {
		w.position -= min(w.position-10, w.r.Uint64N(40))
		clear(w.queries)
		clear(w.until)
		w.messages = nil
	}
	w.doomed, w.dead = false, false
	w.m = change.New(w.config())
	w.inbox, w.held, w.timer, w.synced = nil, nil, 0, false
	w.handled = w.position
	l := w.load(0)
	if w.between {
		w.happen(true)
	}
	w.do(w.m.Start(l))
}

func (w *world) load(token uint64) *change.Loaded {
	l := &change.Loaded{Token: token, Key: w.key, Revision: w.revision, End: w.end}
	for _, s := range w.stored {
		l.Stored = append(l.Stored, definitions.Stored{Definition: s.Clone(), Revision: s.Revision})
	}
	for _, q := range w.past {
		l.Past = append(l.Past, q)
	}
	slices.SortFunc(l.Stored, func(a, b definitions.Stored) int { return cmp.Compare(a.K(), b.K()) })
	return l
}

func (w *world) do(effects []change.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case change.Draft:
			w.inbox = append(w.inbox, w.draft(e))
		case change.Put:
			w.messages = append(w.messages, e.Message)
		case change.Store:
			w.inbox = append(w.inbox, w.write(e))
		case change.Load:
			l := w.load(e.Token)
			if w.faults && w.r.IntN(3) == 0 {
				l = &change.Loaded{Token: e.Token, Err: errors.New("down")}
			}
			w.inbox = append(w.inbox, l)
		case change.Wait:
			w.timer = e.Token
		case change.Reply:
			w.replies[e.Ticket] = e.Message
		case change.Show:
			w.replies[e.Ticket] = &messages.RuleShown{Rule: w.m.Set.ByID(e.ID).Rule}
		case change.Describe:
			w.replies[e.Ticket] = &messages.KeyDescribed{}
		case change.Decided:
			w.decide()
		case change.Synced: // connections join from here on, and read the log up to it
			if !w.synced {
				w.synced, w.live = true, stretch{from: max(e.Position, w.handled)}
			}
		case change.Drop:
			clear(w.queries)
		}
	}
}

func (w *world) draft(e change.Draft) any {
	d := e.Message.(*messages.DraftRule)
	to := &messages.Rule{Status: "active"}
	if d.GetPresent() != nil {
		to = proto.Clone(d.GetPresent()).(*messages.Rule)
	}
	proto.Merge(to, d.GetChange())
	return &messages.RuleDrafted{Id: d.GetId(), Rule: to}
}

// write does what it is asked for, or fails: nothing, all, or some of it, and what is
// not known to have happened may happen later.
func (w *world) write(e change.Store) change.Stored {
	if last := len(e.Writes) - 1; w.doomed && e.Writes[last].Kind == change.OfRule && !e.Writes[last].Never {
		w.dead = true
		for _, write := range e.Writes[:last] {
			w.writeOne(write, w.revisionOf(write))
		}
		w.late = append(w.late, lateWrite{e.Writes[last], w.revisionOf(e.Writes[last])})
		return change.Stored{Token: e.Token} // nobody is there to hear it
	}
	done, known, late := len(e.Writes), true, false
	if w.faults && w.r.IntN(3) == 0 {
		done = w.r.IntN(len(e.Writes) + 1)
		late = done < len(e.Writes) && w.r.IntN(2) == 0
		known = done < len(e.Writes) && (!late || done < len(e.Writes)-1) && w.r.IntN(2) == 0
	}
	answer := change.Stored{Token: e.Token}
	for i, write := range e.Writes[:done] {
		revision, ok := w.writeOne(write, w.revisionOf(write))
		if !ok {
			return change.Stored{Token: e.Token, Err: errors.New("another has written it"), Nothing: i < len(e.Writes)-1, Replaced: true}
		}
		answer.Revision = revision
	}
	if late {
		write := e.Writes[done]
		w.late = append(w.late, lateWrite{write, w.revisionOf(write)})
	}
	if done < len(e.Writes) || !known {
		answer = change.Stored{Token: e.Token, Err: errors.New("fault"), Nothing: known || done < len(e.Writes)-1}
	}
	return answer
}

// lateWrite happens some time after it was answered that nothing is known of it,
// where the record has that revision still.
type lateWrite struct {
	change.Write
	at uint64
}

// happen does what is late, or some of it.
func (w *world) happen(all bool) {
	for len(w.late) > 0 && (all || w.r.IntN(4) == 0) {
		i := w.r.IntN(len(w.late))
		l := w.late[i]
		w.late = slices.Delete(w.late, i, i+1)
		w.writeOne(l.Write, l.at)
	}
}

func (w *world) recordOf(write change.Write) string {
	if write.Kind == change.OfPast {
		return fmt.Sprint("past ", write.Past.GetK(), " ", write.Past.GetVersion())
	}
	return fmt.Sprint(write.Kind, " ", write.ID)
}

// revisionOf is what a try of the write finds there; a record that was deleted has one.
func (w *world) revisionOf(write change.Write) uint64 { return w.revisions[w.recordOf(write)] }

// writeOne writes where the record has the revision at which it was looked at and, but
// for a version that was replaced, the one that it is written under.
func (w *world) writeOne(write change.Write, at uint64) (revision uint64, ok bool) {
	record := w.recordOf(write)
	if w.revisions[record] != at {
		return 0, false
	}
	had := w.stored[write.ID].Revision
	if write.Kind == change.OfKey {
		had = w.revision
	}
	if write.Kind != change.OfPast && had != write.Revision {
		if again := w.written[record]; again == string(write.Data) { // it meets itself
			return had, true
		}
		return 0, false
	}
	w.ends = append(w.ends, write.Kind)
	revision = w.next()
	w.revisions[record], w.written[record] = revision, string(write.Data)
	switch write.Kind {
	case change.OfKey:
		w.key, w.revision = &messages.Key{}, revision
		if err := proto.Unmarshal(write.Data, w.key); err != nil {
			w.t.Fatal(err)
		}
	case change.OfPast:
		n := name{write.Past.GetK(), write.Past.GetVersion()}
		delete(w.past, n)
		if write.Data != nil {
			w.past[n] = write.Past
		}
	default:
		delete(w.stored, write.ID)
		if write.Data != nil {
			d, err := definition.Unmarshal(write.Kind == change.OfRule, write.Data)
			if err != nil {
				w.t.Fatal(err)
			}
			w.stored[write.ID] = definitions.Stored{Definition: d, Revision: revision}
		}
	}
	return revision, true
}

// route has the router take its next message; its answer may get lost.
func (w *world) route() {
	if len(w.messages) == 0 {
		return
	}
	put := w.messages[0].(*messages.PutQueries)
	w.messages = w.messages[1:]
	if w.faults && w.r.IntN(6) == 0 {
		return // lost
	}
	if put.GetAll() {
		clear(w.queries)
	}
	for _, q := range put.GetPut() {
		n := name{q.GetK(), q.GetVersion()}
		if w.queries[n] == nil {
			w.queries[n] = q
		}
		if q.GetUntil() != 0 {
			w.until[n] = q.GetUntil()
		}
	}
	for _, q := range put.GetRemove() {
		w.until[name{q.GetK(), q.GetVersion()}] = q.GetUntil()
	}
	w.over()
	if put.GetId() != 0 && (!w.faults || w.r.IntN(6) > 0) {
		answer := &messages.QueriesPut{Id: put.GetId(), Position: w.position}
		if w.faults && w.r.IntN(4) == 0 { // late: hits from after it overtake it
			for range 1 + w.r.IntN(3) {
				w.event()
			}
		}
		w.inbox = append(w.inbox, answer)
	}
}

// over removes the versions that end where the router is.
func (w *world) over() {
	for n, until := range w.until {
		if until <= w.position {
			delete(w.queries, n)
			delete(w.until, n)
		}
	}
}

// event is one that every query matches.
func (w *world) event() {
	w.position++
	w.end = max(w.end, w.position)
	h := hit{position: w.position}
	for n := range w.queries {
		h.names = append(h.names, n)
	}
	slices.SortFunc(h.names, func(a, b name) int { return cmp.Or(cmp.Compare(a.k, b.k), cmp.Compare(a.version, b.version)) })
	w.inbox = append(w.inbox, h)
	w.over()
}

// receive has the machine take its next answer, or the key a hit.
func (w *world) receive() {
	if len(w.inbox) == 0 {
		return
	}
	next := w.inbox[0]
	w.inbox = w.inbox[1:]
	if h, ok := next.(hit); ok {
		w.hit(h)
		return
	}
	w.do(w.m.Answer(next))
	if w.faults && w.r.IntN(6) == 0 {
		w.do(w.m.Answer(next)) // it came twice
	}
}

func (w *world) silence() {
	if token := w.timer; token != 0 {
		w.timer = 0
		w.do(w.m.Answer(change.Silent{Token: token}))
	}
}

// hit decides, or holds: what comes after something undecided waits for it.
func (w *world) hit(h hit) {
	if len(w.held) > 0 || slices.ContainsFunc(h.names, func(n name) bool {
		_, v := w.m.Set.Decide(n.k, n.version, h.position)
		return v == definitions.Undecided
	}) {
		w.held = append(w.held, h)
		return
	}
	w.handled = h.position
	last := uint32(0)
	for _, n := range h.names {
		origin, v := w.m.Set.Decide(n.k, n.version, h.position)
		switch v {
		case definitions.Deliver:
			if n.k == last {
				w.t.Fatalf("%d is delivered twice to %d", h.position, n.k)
			}
			last = n.k
			if w.synced {
				w.live.told = append(w.live.told, fmt.Sprintf("%d.%d %s", h.position, n.k, origin.GetName()))
			}
		case definitions.Stale:
			w.messages = append(w.messages, &messages.PutQueries{Remove: []*messages.QueryName{{K: n.k, Version: n.version}}})
		}
	}
}

func (w *world) decide() {
	held := w.held
	w.held = nil
	for _, h := range held {
		w.hit(h)
	}
}

// replay is what the versions that the key says it had would have matched of
// the events in (from, through].
func (w *world) replay(from, through uint64) (all []string) {
	queries := w.m.Set.Queries(from, through)
	for p := from + 1; p <= through; p++ {
		var at []string
		for _, q := range queries {
			if p > q.GetAfter() && (q.GetUntil() == 0 || p <= q.GetUntil()) {
				at = append(at, fmt.Sprintf("%d.%d %s", p, q.GetK(), q.GetOrigin().GetName()))
			}
		}
		slices.SortFunc(at, comparePositions)
		all = append(all, at...)
	}
	return all
}

// Package change is how what a key has becomes something else: its own record,
// its monitors and its rules. It is a state machine without an actor: it takes
// commands and answers, and returns what is to be done.
//
// Changes run one after the other, so that tags stay unique and numbers grow
// without further care. Each asks, in this order, those that it needs:
//
//	create:  child (what it is) > store (a number) > router (a position) > store > reply
//	update:  child (what it becomes) >               router (a position) > store > reply
//	delete:                                          router (a position) > store > reply
//
// The router takes the new version in addition to the old one and says from which
// position on both are matched. The store then decides: once the record is
// written the change has taken effect at that position; where it is certain that
// it was not written, nothing has changed; and where neither is known, the same is
// written again until it is, and then the records are read. Hits in between are undecided, see package
// definitions, so what is delivered live is never something else than what the
// records say. Last, the version that lost is taken out of the router.
//
// A router may be behind what an owner before has handed out. Then the change
// takes effect later, where the log ended when this owner began, and until the
// router has come there it keeps the version before.
//
// A version that was replaced is written before its replacement, as a record of
// its own. A crash between the two leaves a record that is void: the version it
// speaks of is the current one. A change that replaces no version is named in the
// key's own record before it is written. So whoever has the key next knows which
// change an owner before may have on its way to the store still, and makes it
// impossible before it goes by what it has read: see fence.
//
// Every question has a number, its answers name it, and an answer to a question
// that is not open any more is dropped: what it says was asked again, or given up.
package change

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

// Config is what the machine is told of its key. The functions are pure.
type Config struct {
	KeyID        string
	MonitorsMost int
	RulesMost    int
	QueueMost    int           // changes waiting for the one under way; past it they are refused
	AnswerWithin time.Duration // of router and children; then they are asked again, or given up
	FirstToken   uint64        // below the number of every question

	NewID   func(rule bool) string                 // one that nobody has had
	Now     func() int64                           // Unix milliseconds
	Handled func() uint64                          // up to here the router's hits were decided on
	Fault   func(*messages.Key) *messages.Rejected // why the fields of a key's own record are wrong; nil
	Credits func() *messages.Rejected              // why the month's credits allow nothing new; nil
}

// Machine is one key's.
type Machine struct {
	cfg Config
	Set *definitions.Set

	Key      *messages.Key // nil: there is no such key. Never changed, only replaced
	revision uint64
	lastUsed int64  // written with the next write of the key's record
	lost     []Lost // what cannot be read of the newest reading
	loose    []loose
	littered bool // something of a revoked key could not be deleted
	// logEnd is where the log ended after the newest reading, and so after the shard's
	// term was taken: what an owner before has handed out is at or before it, and
	// this owner's router may be far below. No change takes effect before it.
	logEnd uint64

	running *operation
	queue   []*operation // at most cfg.QueueMost, and what the machine has to do by itself
	token   uint64       // of the newest question
	backoff hold.Backoff
	out     []Effect
}

// New is the machine of a key of which nothing is known yet.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, Set: definitions.New(), token: cfg.FirstToken, backoff: hold.Store()}
}

// operation is one change.
type operation struct {
	ticket uint64 // of who waits; 0: nobody
	run    func()

	token  uint64 // of the open question; 0: none
	resume func(answer any)
}

// Live says that there is such a key and it is not revoked.
func (m *Machine) Live() bool { return m.Key.GetState() == messages.KeyState_KEY_ACTIVE }

// Idle says that nothing is under way.
func (m *Machine) Idle() bool { return m.running == nil && len(m.queue) == 0 }

// LastUsed is when the key was last used, in Unix milliseconds, and whether
// that is written.
func (m *Machine) LastUsed() (ms int64, written bool) {
	return max(m.lastUsed, m.Key.GetLastUsedMs()), m.lastUsed <= m.Key.GetLastUsedMs()
}

// Used notes that the key was used.
func (m *Machine) Used(ms int64) { m.lastUsed = max(m.lastUsed, ms) }

// Start takes what was read first. The router may have other queries than the
// records say, of an instance before this one: they are made the same.
func (m *Machine) Start(l *Loaded) []Effect {
	m.take(l)
	if m.Key == nil {
		m.emit(Synced{})
	} else {
		m.enqueue(0, func() { m.fence(m.resync) })
	}
	return m.done()
}

// Do begins the command, or queues it. ticket names who waits for the reply; 0
// is nobody.
func (m *Machine) Do(ticket uint64, command any) []Effect {
	run := m.runner(command)
	switch {
	case run == nil:
	case len(m.queue) >= m.cfg.QueueMost:
		m.reply(ticket, unavailable("too many changes at once: try again"))
	default:
		m.enqueue(ticket, run)
	}
	return m.done()
}

// Commands that only the key's actor gives.
type (
	// WriteUsed writes when the key was last used.
	WriteUsed struct{}
	// Expire forgets versions that decided only events before the log's first
	// position.
	Expire struct{ First uint64 }
	// Tidy deletes what is left of a revoked key.
	Tidy struct{}
)

func (m *Machine) runner(command any) func() {
	switch c := command.(type) {
	case *messages.CreateKey:
		return func() { m.createKey(c) }
	case *messages.RevokeKey:
		return m.revoke
	case *messages.RotateKey:
		return func() { m.rotate(c) }
	case *messages.UpdateKey:
		return func() { m.updateKey(c) }
	case *messages.AuthorsLearnt:
		return func() { m.learn(c) }
	case WriteUsed:
		return m.writeUsed
	case Expire:
		return func() { m.expire(c.First) }
	case Tidy:
		return m.reload
	}
	return m.definitionRunner(command)
}

func (m *Machine) enqueue(ticket uint64, run func()) {
	m.queue = append(m.queue, &operation{ticket: ticket, run: run})
	m.advance()
}

// next has run be the first thing that is done after the present operation.
func (m *Machine) next(run func()) {
	m.queue = append([]*operation{{run: run}}, m.queue...)
}

func (m *Machine) advance() {
	for m.running == nil && len(m.queue) > 0 {
		m.running, m.queue = m.queue[0], m.queue[1:]
		m.running.run()
	}
	if len(m.queue) == 0 {
		m.queue = nil
	}
}

// end ends the operation under way with a reply; nil is none.
func (m *Machine) end(reply proto.Message) {
	if reply != nil {
		m.reply(m.running.ticket, reply)
	}
	m.running = nil
	m.advance()
}

func (m *Machine) reply(ticket uint64, message proto.Message) {
	if ticket != 0 {
		m.emit(Reply{ticket, message})
	}
}

// GiveUp ends everything without having done it: the key stops. Whoever waits
// is told to ask again.
func (m *Machine) GiveUp() []Effect {
	for _, o := range append([]*operation{m.running}, m.queue...) {
		if o != nil {
			m.reply(o.ticket, unavailable("the key is moving: look first whether the change was made, and try again"))
		}
	}
	m.running, m.queue = nil, nil
	return m.done()
}

// Answers, besides *messages.MonitorDrafted, *messages.RuleDrafted and
// *messages.QueriesPut, whose id is the question's number.
type (
	// Stored answers Store. Nothing: it is certain that the last of the writes,
	// which decides, was not tried. Replaced: it has failed since another has written
	// the record; no earlier try of it can happen any more.
	Stored struct {
		Token    uint64
		Revision uint64
		Err      error
		Nothing  bool
		Replaced bool
	}
	// Failed: the child that was asked has failed. Silent: the time of Wait is over.
	Failed struct{ Token uint64 }
	Silent struct{ Token uint64 }
)

// Answer goes on with the change that has asked.
func (m *Machine) Answer(answer any) []Effect {
	var token uint64
	switch a := answer.(type) {
	case *messages.MonitorDrafted:
		token = a.GetId()
	case *messages.RuleDrafted:
		token = a.GetId()
	case *messages.QueriesPut:
		token = a.GetId()
	case Stored:
		token = a.Token
	case *Loaded:
		token = a.Token
	case Failed:
		token = a.Token
	case Silent:
		token = a.Token
	}
	if o := m.running; o != nil && token != 0 && token == o.token {
		o.token = 0
		m.emit(Wait{})
		o.resume(answer)
	}
	return m.done()
}

// ask makes the next question: what is emitted with the number is answered, or
// Silent comes after the time; 0 waits for ever.
func (m *Machine) ask(within time.Duration, resume func(answer any)) (token uint64) {
	m.token++
	m.running.token, m.running.resume = m.token, resume
	if within > 0 {
		m.emit(Wait{m.token, within})
	}
	return m.token
}

func (m *Machine) emit(e Effect) { m.out = append(m.out, e) }

func (m *Machine) done() []Effect {
	out := m.out
	m.out = nil
	return out
}

// errRefused: the router does not take the query.
type errRefused struct{ why string }

func (e *errRefused) Error() string { return e.why }

var errRouter = errors.New("the router does not answer: try again; nothing has changed")

// putTries is how often a silent router is asked.
const putTries = 5

// put has the router change what it has, and goes on with the position from
// which on that is matched.
func (m *Machine) put(put *messages.PutQueries, then func(position uint64, err error)) {
	m.tryPut(put, putTries, then)
}

func (m *Machine) tryPut(put *messages.PutQueries, tries int, then func(position uint64, err error)) {
	asked := proto.Clone(put).(*messages.PutQueries) // every try is a message of its own
	asked.KeyId = m.cfg.KeyID
	asked.Id = m.ask(m.cfg.AnswerWithin, func(answer any) {
		a, ok := answer.(*messages.QueriesPut)
		switch {
		case !ok && tries > 1:
			m.tryPut(put, tries-1, then)
		case !ok:
			then(0, errRouter)
		case len(a.GetRefused()) > 0:
			then(a.GetPosition(), &errRefused{a.GetRefused()[0].GetDetail()})
		default:
			then(a.GetPosition(), nil)
		}
	})
	m.emit(Put{asked})
}

// remove takes a version out of the router. If that is lost, its first hit has
// it asked for again.
func (m *Machine) remove(name *messages.QueryName) {
	if name != nil {
		m.emit(Put{&messages.PutQueries{KeyId: m.cfg.KeyID, Remove: []*messages.QueryName{name}}})
	}
}

// resync has the router have exactly what the records say. One that is behind,
// as it may be on the node that a key has moved to, needs versions that were
// replaced too: those that decide what it has still to come to.
func (m *Machine) resync() {
	switch {
	case !m.Live():
		m.emit(Drop{})
		m.synced(0)
	case len(m.Set.Past()) == 0:
		m.restore(0)
	default:
		m.put(&messages.PutQueries{}, func(position uint64, err error) {
			if err != nil {
				m.resyncAgain(err)
				return
			}
			m.restore(position)
		})
	}
}

// restore has a router that has come to the position, or further, have the
// queries that decide what is after it. One that it refuses is left out.
func (m *Machine) restore(from uint64) {
	m.put(&messages.PutQueries{Put: m.Set.Queries(from, 0), All: true}, func(position uint64, err error) {
		var refused *errRefused
		switch {
		case errors.As(err, &refused):
			m.emit(Report{Text: "the router refused a query; it matches nothing", Err: err})
		case err != nil:
			m.resyncAgain(err)
			return
		}
		m.synced(position)
	})
}

func (m *Machine) resyncAgain(err error) {
	m.emit(Report{Text: "the router does not answer; it is asked again", Err: err})
	m.resync()
}

func (m *Machine) synced(position uint64) {
	m.emit(Synced{position})
	m.end(nil)
}

func rejected(why messages.Rejection, field, detail string) *messages.Rejected {
	return &messages.Rejected{Rejection: why, Field: field, Detail: detail}
}

func unavailable(detail string) *messages.Rejected {
	return rejected(messages.Rejection_REJECTION_UNAVAILABLE, "", detail)
}

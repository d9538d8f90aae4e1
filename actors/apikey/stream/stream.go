// Package stream is the funnel of a key: what its router has matched becomes
// deliveries, numbered and in log order, for all who have joined. It is a state
// machine without an actor: it takes messages and says what is to be sent.
//
//	router ── Matched, Through ──▶ stream ── Deliveries, Joined, Through ──▶ followers
//
// The router numbers what it sends a key, and the stream numbers what it sends
// its followers. Where a message of the router was lost, the stream leaves one
// of its own numbers out and says so: each follower finds the hole and reads
// the log. So one mechanism serves both losses (see actors/engine/follow).
//
// A question about how far the key is (a join, a proof, which queries it has)
// waits for the router's word, so that the answer is about the log's head and
// not about where something last matched. One question is on its way to the
// router at a time; who asks in between is served by the same answer. It has
// a timer, which is the driver's: see Again.
//
// Dropped, and why that is safe: Matched and Through of a numbering before, or
// below what was seen, are late; what they say has been said. A Join below the
// one that the follower has joined under is late; the later one counts.
package stream

import (
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// questionsMost bounds the questions that wait; past it one is dropped, and
// its asker asks again.
const questionsMost = 1024

// Stream is one start of a key. It is not safe for use by two goroutines.
type Stream struct {
	term     uint64
	number   uint64            // of the newest Deliveries
	position messages.Position // everything that matched at or before it was sent

	heard     bool   // the router was
	numbering uint64 // of its messages; 0: it does not know the key
	matched   uint64 // number of the newest Matched

	members []*Member   // in order of joining
	waiting []*question // for the router's word, in order; at most questionsMost
	asked   bool        // the router was, and has not answered
}

// Member has joined: it is sent whatever matches.
type Member struct {
	Connection string
	To         any // where messages to it go: the driver's own
	join       uint64
	taken      uint64 // number up to which it has said that it has or will have everything
}

// question is one of a join, a proof, proofs for all members, and queries.
type question struct {
	to      any
	join    *messages.Join
	at      any // the member's To, of a join
	through *messages.AskThrough
	all     bool
	queries *messages.AskQueries
}

// What the stream wants done, in order.
type (
	// Tell sends a message to a member, or to who has asked.
	Tell struct {
		To      any
		Message any
	}
	// TellQueries answers who has asked for the key's queries: they decide every
	// event at or before Position.
	TellQueries struct {
		To       any
		Ask      *messages.AskQueries
		Position messages.Position
	}
	// AskRouter asks the router how far it is. Where it does not answer in time:
	// Again.
	AskRouter struct{}
	// Answered: the router has answered; the timer of AskRouter may end.
	Answered struct{}
	// LostMatched: a message of the router was lost.
	LostMatched struct{ Seen, Sent uint64 }
)

// Output is one of the above.
type Output any

// New is the stream of a key that starts under the term, which is greater than
// that of any start before.
func New(term uint64) Stream { return Stream{term: term} }

// Term is of this start.
func (s *Stream) Term() uint64 { return s.term }

// Position is up to where everything that matched was sent.
func (s *Stream) Position() messages.Position { return s.position }

// Joined says whether anybody is sent what matches.
func (s *Stream) Joined() bool { return len(s.members) > 0 }

// Idle says that nobody has joined or waits to.
func (s *Stream) Idle() bool { return len(s.members) == 0 && len(s.waiting) == 0 }

// Member is the member of a connection, nil where there is none.
func (s *Stream) Member(connection string) *Member {
	for _, m := range s.members {
		if m.Connection == connection {
			return m
		}
	}
	return nil
}

// Matched takes a message of the router and returns the hits in it that are
// new. What becomes of them is the caller's to decide, and told by Deliver.
func (s *Stream) Matched(m *messages.Matched) (hits []*messages.Hit, out []Output) {
	if n := m.GetNumber(); n != 0 {
		if m.GetNumbering() < s.numbering || m.GetNumbering() == s.numbering && n <= s.matched {
			return nil, nil
		}
		out = s.numbered(m.GetNumbering(), n-1, nil)
		s.matched = n
	}
	hits = m.GetHits()
	for len(hits) > 0 && messages.Position(hits[0].GetPosition()) <= s.position {
		hits = hits[1:]
	}
	if len(hits) > 0 {
		s.position = messages.Position(hits[len(hits)-1].GetPosition())
	}
	return hits, out
}

// Deliver is the message for all members: it is shared. The caller sends it to
// each of Members. bytes is what the events take, about.
func (s *Stream) Deliver(ds []*messages.Delivery, bytes uint64) *messages.Deliveries {
	s.number++
	return &messages.Deliveries{Term: s.term, Number: s.number, Previous: s.number - 1, Deliveries: ds, Bytes: bytes}
}

// Members are all who have joined, in order.
func (s *Stream) Members() []*Member { return s.members }

// numbered: as many Matched were sent as before says. If one was lost, a number
// is left out.
func (s *Stream) numbered(numbering, before uint64, out []Output) []Output {
	lost := true // how the numbering before ended is not known
	switch {
	case !s.heard:
		lost = false // nobody was promised anything before
	case numbering == s.numbering:
		lost = before != s.matched
	case s.numbering == 0:
		lost = before != 0
	}
	seen := s.matched
	s.heard, s.numbering, s.matched = true, numbering, before
	if lost {
		s.number++
		out = append(out, LostMatched{seen, before})
	}
	return out
}

// Through is the router's word on how far it is: with every Matched up to its
// number, everything at or before its position was sent.
func (s *Stream) Through(m *messages.Through) (out []Output) {
	before := s.number
	if n := m.GetNumbering(); n != 0 && (n < s.numbering || n == s.numbering && m.GetNumber() < s.matched) {
		return nil // late: the question is still open
	}
	out = s.numbered(m.GetNumbering(), m.GetNumber(), out)
	if s.asked {
		s.asked = false
		out = append(out, Answered{})
	}
	s.position = max(s.position, messages.Position(m.GetPosition()))
	if s.number != before {
		for _, member := range s.members {
			out = append(out, Tell{member.To, s.proof(member)})
		}
	}
	waiting := s.waiting
	s.waiting = nil
	for _, q := range waiting {
		out = s.answer(q, out)
	}
	return out
}

func (s *Stream) proof(m *Member) *messages.Through {
	return &messages.Through{ConnectionId: m.Connection, Position: uint64(s.position), Number: s.number, Term: s.term, Join: m.join}
}

// Unproved are proofs for the members of those that far says are far, where a
// lost message would be found by nothing but the next one: of everything that
// they have not said to have taken.
func (s *Stream) Unproved(far func(to any) bool) (out []Tell) {
	for _, m := range s.members {
		if m.taken < s.number && far(m.To) {
			out = append(out, Tell{m.To, s.proof(m)})
		}
	}
	return out
}

// Taken notes that a member has had a proof.
func (s *Stream) Taken(m *messages.ThroughTaken) {
	member := s.Member(m.GetConnectionId())
	if member != nil && m.GetTerm() == s.term && m.GetJoin() == member.join && m.GetNumber() <= s.number {
		member.taken = max(member.taken, m.GetNumber())
	}
}

func (s *Stream) answer(q *question, out []Output) []Output {
	switch {
	case q.join != nil:
		member := s.Member(q.join.GetConnectionId())
		if member == nil {
			member = &Member{Connection: q.join.GetConnectionId()}
			s.members = append(s.members, member)
		}
		member.To, member.join, member.taken = q.at, q.join.GetJoin(), s.number // Joined names it
		return append(out, Tell{q.to, &messages.Joined{
			Position: uint64(s.position), Term: s.term, Number: s.number, Join: member.join,
		}})
	case q.through != nil:
		member := s.Member(q.through.GetConnectionId())
		if member == nil || member.join != q.through.GetJoin() {
			return out // it has left, or joined again, since it asked
		}
		return append(out, Tell{q.to, s.proof(member)})
	case q.all:
		for _, member := range s.members {
			out = append(out, Tell{member.To, s.proof(member)})
		}
		return out
	default:
		return append(out, TellQueries{q.to, q.queries, s.position})
	}
}

// Join registers a follower once the router has said how far it is: answer to,
// deliveries at.
func (s *Stream) Join(m *messages.Join, to, at any) []Output {
	if member := s.Member(m.GetConnectionId()); member != nil {
		if m.GetJoin() < member.join {
			return nil
		}
		if m.GetJoin() > member.join { // what it had joined before is not followed any more
			s.remove(m.GetConnectionId())
		}
	}
	for _, q := range s.waiting {
		if q.join.GetConnectionId() == m.GetConnectionId() && q.join.GetJoin() > m.GetJoin() {
			return nil
		}
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(q *question) bool { return q.join != nil && q.join.GetConnectionId() == m.GetConnectionId() })
	return s.wait(&question{to: to, join: m, at: at})
}

// AskThrough proves to a member that it has everything, or tells it to join again.
func (s *Stream) AskThrough(m *messages.AskThrough, to any) []Output {
	member := s.Member(m.GetConnectionId())
	switch {
	case member != nil && member.join > m.GetJoin():
		return nil
	case member == nil || member.join != m.GetJoin():
		if slices.ContainsFunc(s.waiting, func(q *question) bool { return q.join.GetConnectionId() == m.GetConnectionId() }) {
			return nil // its Join is being answered
		}
		return []Output{Tell{to, &messages.Rejoin{Join: m.GetJoin(), Term: s.term}}}
	}
	if slices.ContainsFunc(s.waiting, func(q *question) bool { return q.through.GetConnectionId() == m.GetConnectionId() && q.through != nil }) {
		return nil
	}
	return s.wait(&question{to: to, through: m})
}

// ProveAll proves to all members how far the key is, with one word of the router for
// all of them.
func (s *Stream) ProveAll() []Output {
	if len(s.members) == 0 || slices.ContainsFunc(s.waiting, func(q *question) bool { return q.all }) {
		return nil
	}
	return s.wait(&question{all: true})
}

// AskQueries is answered with TellQueries.
func (s *Stream) AskQueries(m *messages.AskQueries, to any) []Output {
	return s.wait(&question{to: to, queries: m})
}

// Leave ends a membership, unless the follower has joined again since.
func (s *Stream) Leave(m *messages.Leave, to any) []Output {
	left := &messages.Left{Join: m.GetJoin()}
	member := s.Member(m.GetConnectionId())
	if member != nil && (m.GetJoin() == 0 || m.GetJoin() >= member.join) {
		if m.GetJoin() == member.join {
			left.Position, left.Term, left.Number = uint64(s.position), s.term, s.number
		}
		s.remove(m.GetConnectionId())
	}
	s.waiting = slices.DeleteFunc(s.waiting, func(q *question) bool {
		return q.join.GetConnectionId() == m.GetConnectionId() && (m.GetJoin() == 0 || m.GetJoin() >= q.join.GetJoin()) && q.join != nil ||
			q.through.GetConnectionId() == m.GetConnectionId() && (m.GetJoin() == 0 || m.GetJoin() >= q.through.GetJoin()) && q.through != nil
	})
	if to == nil {
		return nil
	}
	return []Output{Tell{to, left}}
}

func (s *Stream) remove(connection string) {
	s.members = slices.DeleteFunc(s.members, func(m *Member) bool { return m.Connection == connection })
}

func (s *Stream) wait(q *question) []Output {
	if len(s.waiting) == questionsMost {
		s.waiting = s.waiting[1:]
	}
	s.waiting = append(s.waiting, q)
	if s.asked {
		return nil
	}
	s.asked = true
	return []Output{AskRouter{}}
}

// Again asks the router again, which has not answered in time.
func (s *Stream) Again() []Output {
	if !s.asked {
		return nil
	}
	if len(s.waiting) == 0 { // whoever asked is gone
		s.asked = false
		return nil
	}
	return []Output{AskRouter{}}
}

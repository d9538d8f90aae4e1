// Package definitions is what a key has: its monitors and rules, the versions
// that they had, and which version decides which event.
//
// Every change of what is asked for, of the name or of the status makes a new
// version, which takes effect at one position of the log: the old version
// decides the events up to it, the new one those after it. The router holds
// both while the change is not durable, and its hits name the version, so that
// each of them can be decided once it is known which one holds:
//
//	put in the router --answered--> position known --written--> current
//	       |                              |
//	       └── hits of the old version    └── hits after the position are undecided:
//	           are delivered                  of the old and of the new version alike
//
// A change that fails leaves the old version as it was, as if nothing had been
// asked for. So what is delivered live is what the records say, and a replay
// that reads the same versions delivers the same.
//
// The package has no actor and asks nobody: see package change for the steps.
package definitions

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/definition"
	"github.com/birdwire/birdwire/messages"
)

// Set is what one key has.
type Set struct {
	byID   map[string]*Entry
	byK    map[uint32]*Entry // those that are being created too
	sorted []*Entry          // by k; without those that are being created
	past   past

	deciding []*Entry // whose change takes effect at a known position and is not decided
}

// Entry is one monitor or rule.
type Entry struct {
	definition.Definition        // current, or about to be replaced; nothing while it is being created
	Revision              uint64 // of its record; 0: it has none yet

	query  *messages.Query  // of Definition: what the router is asked for; nil unless active
	origin *messages.Origin // of Definition
	tried  uint32           // the newest version that the router was ever asked for
	coming *coming          // nil: no change is under way
}

// coming is a change that is not durable yet.
type coming struct {
	to     definition.Definition // nothing: it is deleted
	query  *messages.Query       // of to
	origin *messages.Origin
	after  uint64 // the position at which the change takes effect
	known  bool   // after is known: the router has answered
}

// New is the set of a key that has nothing.
func New() *Set {
	return &Set{byID: map[string]*Entry{}, byK: map[uint32]*Entry{}, past: newPast()}
}

// ByID is the monitor or rule with the id, nil where there is none.
func (s *Set) ByID(id string) *Entry { return s.byID[id] }

// Find is the monitor, or the rule, with the id.
func (s *Set) Find(id string, rule bool) *Entry {
	if e := s.byID[id]; e != nil && e.IsRule() == rule {
		return e
	}
	return nil
}

// ByK is the one with the number, nil where there is none or it is being created.
func (s *Set) ByK(k uint32) *Entry {
	if e := s.byK[k]; e != nil && e.exists() {
		return e
	}
	return nil
}

// Tagged is the rule with the tag, nil where there is none.
func (s *Set) Tagged(tag string) *Entry {
	for _, e := range s.sorted {
		if e.IsRule() && e.Rule.GetTag() == tag {
			return e
		}
	}
	return nil
}

// All are the key's monitors and rules by k.
func (s *Set) All() []*Entry { return s.sorted }

// Rules and Monitors are those of one kind with the status ("" is any), by k.
func (s *Set) Rules(status string) (found []*messages.Rule) {
	for _, e := range s.sorted {
		if e.IsRule() && (status == "" || e.Status() == status) {
			found = append(found, e.Rule)
		}
	}
	return found
}

// Monitors is as Rules.
func (s *Set) Monitors(status string) (found []*messages.Monitor) {
	for _, e := range s.sorted {
		if !e.IsRule() && (status == "" || e.Status() == status) {
			found = append(found, e.Monitor)
		}
	}
	return found
}

// InForce are the queries that the router is to have, by k.
func (s *Set) InForce() (queries []*messages.Query) {
	for _, e := range s.sorted {
		if e.query != nil {
			queries = append(queries, e.query)
		}
	}
	return queries
}

// Queries are all versions that decide some event in (from, through], each with
// the stretch for which it holds. No change may be undecided. A through of 0 is
// no bound.
func (s *Set) Queries(from, through uint64) (queries []*messages.Query) {
	within := func(q *messages.Query) bool {
		return (q.GetUntil() == 0 || q.GetUntil() > from) && (through == 0 || q.GetAfter() < through)
	}
	for _, q := range s.past.all {
		if within(q) {
			queries = append(queries, q)
		}
	}
	for _, q := range s.InForce() {
		if within(q) {
			queries = append(queries, q)
		}
	}
	return queries
}

// Newest is the position of the newest change: up to it a router needs versions
// that were replaced.
func (s *Set) Newest() (position uint64) {
	for _, e := range s.sorted {
		position = max(position, e.After())
	}
	return max(position, s.past.newest())
}

func (e *Entry) exists() bool { return !e.Nothing() }

// define sets the current version.
func (e *Entry) define(d definition.Definition, revision uint64) {
	e.Definition, e.Revision = d, revision
	e.query, e.origin = d.Query(), d.Origin()
	e.tried = max(e.tried, d.Version())
}

func (s *Set) insert(e *Entry) {
	s.byID[e.ID()], s.byK[e.K()] = e, e
	i, _ := slices.BinarySearchFunc(s.sorted, e.K(), func(o *Entry, k uint32) int { return cmp.Compare(o.K(), k) })
	s.sorted = slices.Insert(s.sorted, i, e)
}

func (s *Set) remove(e *Entry) {
	delete(s.byID, e.ID())
	delete(s.byK, e.K())
	s.sorted = slices.DeleteFunc(s.sorted, func(o *Entry) bool { return o == e })
}

// Stored is a definition as it was read.
type Stored struct {
	definition.Definition
	Revision uint64
}

// Load makes what was read the truth: whatever was under way is decided by it.
// A version of past whose replacement never became durable is still current,
// and left out. since is the position up to which versions are not kept.
//
// end is the log's last position, or 0. A position beyond it is of a history
// that was lost: what held after it holds from end on, or nothing would match
// until the log has grown as far again.
func (s *Set) Load(stored []Stored, past []*messages.Query, since, end uint64) {
	there := map[string]bool{}
	s.deciding = nil
	for k, e := range s.byK {
		e.coming = nil
		if !e.exists() {
			delete(s.byK, k)
		}
	}
	for _, r := range stored {
		if end != 0 && r.After() > end {
			r.Definition = r.Clone()
			r.SetCreated(min(r.Created(), end))
			r.SetVersion(r.Version(), end)
		}
		there[r.ID()] = true
		e := s.byID[r.ID()]
		if e == nil {
			e = &Entry{}
			e.define(r.Definition, r.Revision)
			s.insert(e)
			continue
		}
		e.define(r.Definition, r.Revision)
	}
	for _, e := range slices.Clone(s.sorted) {
		if !there[e.ID()] {
			s.remove(e)
		}
	}
	s.past = newPast()
	s.past.since = since
	for _, q := range past {
		if e := s.byK[q.GetK()]; e != nil && q.GetVersion() >= e.Version() || end != 0 && q.GetAfter() > end {
			continue
		}
		if end != 0 && q.GetUntil() > end {
			q = proto.Clone(q).(*messages.Query)
			q.Until = end
		}
		s.past.add(q)
	}
	s.past.sort()
}

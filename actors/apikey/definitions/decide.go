package definitions

import "github.com/birdwire/birdwire/messages"

// Verdict is what becomes of a hit.
type Verdict uint8

const (
	// Deliver: the version decides the event.
	Deliver Verdict = iota
	// Skip: another version decides it, or none.
	Skip
	// Undecided: a change of the monitor or rule that would take effect before
	// the event is not durable, and not known to have failed.
	Undecided
	// Stale: the version decides no event after this one, and the router should
	// not have it any more.
	Stale
)

// Decide says what becomes of a hit of the version of k at the position. For
// Deliver, origin names the monitor or rule as it was called.
func (s *Set) Decide(k, version uint32, position uint64) (origin *messages.Origin, v Verdict) {
	e := s.byK[k]
	if e == nil {
		return s.past.decide(k, version, position)
	}
	inForce := e.query != nil && e.query.GetVersion() == version
	c := e.coming
	comes := c != nil && c.query != nil && c.query.GetVersion() == version
	switch {
	case !inForce && !comes:
		return s.past.decide(k, version, position)
	case c != nil && c.known && position > c.after:
		return nil, Undecided
	case comes:
		return nil, Skip // it takes effect later, where it does
	case position <= e.query.GetAfter():
		return nil, Skip
	}
	return e.origin, Deliver
}

// Undecided is the position after which events may be undecided; false where
// every change has been decided.
func (s *Set) Undecided() (after uint64, undecided bool) {
	for _, e := range s.deciding {
		if !undecided || e.coming.after < after {
			after, undecided = e.coming.after, true
		}
	}
	return after, undecided
}

package follow

import (
	"math"

	"github.com/birdwire/birdwire/messages"
)

// Place is how far a subscriber is: everything before Position, and of the
// event at Position the deliveries up to K, is done with. The zero Place is
// none: the subscriber is owed nothing before it has joined.
type Place struct {
	Position messages.Position
	K        uint32
}

// End is the place after everything at p.
func End(p messages.Position) Place { return Place{p, math.MaxUint32} }

// before says whether there may be something in (p, end] to hand on.
func (p Place) before(end messages.Position) bool {
	return p.Position < end || p.Position == end && p.K < math.MaxUint32
}

// reaches says whether the delivery is at or before the place.
func (p Place) reaches(d *messages.Delivery) bool {
	at := messages.Position(d.GetPosition())
	return at < p.Position || at == p.Position && d.GetK() <= p.K
}

// From is a position after which the log is read to find what is after the place.
func (p Place) From() messages.Position {
	if p.K < math.MaxUint32 && p.Position > 0 {
		return p.Position - 1
	}
	return p.Position
}

// Request asks for what matched after After and at or before Through.
type Request struct {
	Queries    []*messages.Query
	After      Place
	Through    messages.Position
	Voids      []uint64          // repeats in (VoidsSince, Through], ascending
	VoidsSince messages.Position // before it the log itself must say what repeats

	Frames int // read at most
	Found  int // deliveries at most, about: a frame is not cut in two
	Bytes  int // of the events in them at most, about; 0: whatever it is
}

// From is a position after which the log is read.
func (r Request) From() messages.Position { return r.After.From() }

// Result is what was found.
type Result struct {
	Deliveries []*messages.Delivery
	Lost       []messages.Lost   // stretches whose events will never come, in order
	Through    messages.Position // read up to here, which may be before the one asked for
}

// QueryError: a subscription's query cannot be understood.
type QueryError struct{ Err error }

func (e *QueryError) Error() string { return e.Err.Error() }

// Unwrap is why.
func (e *QueryError) Unwrap() error { return e.Err }

package follow

import (
	"time"

	"github.com/birdwire/birdwire/messages"
)

// Lane says who sends what is new. Two lanes have different owners.
type Lane uint8

// Subscription is what a subscriber asks for. It is never changed.
type Subscription struct {
	Lane  Lane
	Query *messages.Query // nil: the lane's owner has the queries, and is asked for them before the log is read
	Tag   any             // the subscriber's own
}

// What Step takes, and these messages too: Joined, JoinRefused, Left, Through,
// Deliveries, Rejoin, VoidsKnown, Queries.
type (
	// Subscribe: the subscriber asks for something; the first one starts the
	// follower. Answer: Accepted or Refused.
	Subscribe struct{ Subscription *Subscription }
	// Moved: who was asked is not the owner, or is none any more.
	Moved struct{}
	// Read is what a reading found. Answers to older readings are dropped.
	Read struct {
		Reading uint64
		Result  Result
	}
	// ReadFailed is a reading that found nothing.
	ReadFailed struct {
		Reading uint64
		Fault   Fault
		First   messages.Position // of FaultTrimmed: the first position still held
		Detail  string
	}
	// Taken: everything that was handed on has left the shell's hands. It is
	// told after each Deliver of a follower that Waits.
	Taken struct{}
	// Prove asks the owner how far it is, so that the place moves though
	// nothing matches, and that a lost last message is found.
	Prove struct{}
	// Fired is the timer of Wait.
	Fired struct{ Timer uint64 }
)

// Fault is why a reading found nothing.
type Fault uint8

const (
	FaultLog     Fault = iota // the log could not be read: again, a few times
	FaultBusy                 // nothing was read, there is too much to do: again soon
	FaultTrimmed              // retention has taken what was asked for
	FaultQuery                // the subscription cannot be understood: it is refused
)

// What Step returns, to be done in order.
type (
	// Join, Leave, AskThrough and AskQueries go to the lane's owner, AskVoids to
	// its frontier. All but Leave are asked again when no answer comes.
	Join struct {
		Lane   Lane
		Join   uint64
		Query  *messages.Query
		Cursor messages.Position
	}
	Leave struct {
		Lane Lane
		Join uint64
	}
	AskThrough struct {
		Lane Lane
		Join uint64
	}
	AskVoids struct {
		Lane Lane
		Ask  uint64
		From messages.Position
	}
	AskQueries struct {
		Lane          Lane
		Ask           uint64
		From, Through messages.Position
	}
	// ReadLog has the log read. Answer: Read or ReadFailed.
	ReadLog struct {
		Reading uint64
		Request Request
	}
	// Wait sets the one timer; the one before it is void. For 0: none.
	Wait struct {
		For   time.Duration
		Timer uint64
	}
	// Deliver hands deliveries on. The slice may be shared: it is read only.
	Deliver struct{ Deliveries []*messages.Delivery }
	// Accepted: the subscription is current, after everything that was handed
	// on before. Refused: it is not and will not be.
	Accepted struct{ Subscription *Subscription }
	Refused  struct {
		Subscription *Subscription
		Detail       string
	}
	// Reached: everything at or before the position is handed on. First: the
	// subscriber had no place before, and this is where it begins.
	Reached struct {
		Position messages.Position
		First    bool
	}
	// Trimmed: what the subscriber missed is gone; it goes on from now.
	Trimmed struct{ First messages.Position }
	// Lost: a part of the log is gone that the subscriber would have been
	// handed, or not; what follows is after it.
	Lost struct{ Lost messages.Lost }
	// Over ends the follower. Nothing comes after it.
	Over struct {
		Why    Why
		Detail string
	}
)

// Why a follower ends.
type Why uint8

const (
	WhySlow    Why = iota // the subscriber takes less than is sent
	WhySilent             // an owner or a frontier does not answer
	WhyLog                // the log cannot be read
	WhyRefused            // the owner does not take the current subscription
)

// Output is one of the above.
type Output any

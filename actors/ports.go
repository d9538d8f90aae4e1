package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// Instant is a reading of a node's monotonic clock. Nobody sets that clock, so
// the difference of two readings of one process is how long it took; readings
// of two processes have nothing to do with each other. The zero Instant is a
// century before every reading: "never yet" needs no case of its own.
type Instant = time.Duration

// Clock is the only time that actors know.
type Clock interface {
	// Now is the wall clock, which operators and time servers set, forwards and
	// back: for what is shown or stored, and for the month of a charge. Nothing
	// is decided by how far two of its readings are apart.
	Now() time.Time
	// Elapsed is monotonic: for ages, deadlines, rates and everything else that
	// is a difference.
	Elapsed() Instant
	// After sends message to the actor once d has passed. cancel stops that if
	// it has not been sent; a timer of a stopped actor ends as a dead letter.
	//simvet:sends
	After(d time.Duration, to *actor.PID, message any) (cancel func())
}

// Rand is the only chance that actors know.
type Rand interface {
	// Uint64N is uniform in [0, n); n > 0.
	Uint64N(n uint64) uint64
}

// Worker does what would block an actor: the store, HTTP, the disk.
type Worker interface {
	// Do runs work on a bounded pool and sends what it returns to the actor.
	// ctx ends after timeout. A panic in work is counted and sent as
	// *WorkPanicked. False: the pool's queue is full, nothing will run, and
	// nothing will be sent; the actor asks again later.
	//simvet:sends
	Do(to *actor.PID, timeout time.Duration, work func(ctx context.Context) any) bool
}

// Owners says where the owner of a key is, as this node sees it now.
type Owners interface {
	// Owner is the actor that messages for the key go to: its shard's, on the
	// node that owns it. It is asked for every message and never kept, because
	// shards move. What it says is a hint: the receiver decides, and answers
	// NotOwner where it does not own the key; then it is asked again later.
	Owner(keyID string) *actor.PID
}

// OwnersFunc makes a function the port.
type OwnersFunc func(keyID string) *actor.PID

// Owner is Owners.
func (f OwnersFunc) Owner(keyID string) *actor.PID { return f(keyID) }

// Lease says whether this node may act as an owner at this moment. It may not
// once others may take for dead a node that cannot renew its lease: it then
// delivers nothing and answers NotOwner. On one node it is always live.
type Lease interface{ Live() bool }

// AlwaysLive is the lease of a node that shares with nobody.
type AlwaysLive struct{}

// Live is Lease.
func (AlwaysLive) Live() bool { return true }

// WorkPanicked is a Worker's answer where work panicked.
type WorkPanicked struct{ Reason any }

// Props is the one way to make an actor's props: it sets mailbox, dispatcher
// and how the actor's children are supervised. kind names the actor in logs
// and metrics and chooses the mailbox's bound.
type Props func(kind string, produce actor.Producer, children actor.SupervisorStrategy) *actor.Props

// Records is the control store as actors see it: small records by key, each
// with the revision to write it with. Called inside a Worker only.
type Records interface {
	// Get: messages.ErrNotFound where there is none, ErrDamaged where there was one,
	// ErrNewer where there is one that this program does not know how to read.
	Get(ctx context.Context, key string) (messages.KeptRecord, error)
	// CAS writes where the revision is that of the record (0: there is none) and returns the new
	// one; ErrConflict otherwise.
	CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error)
	Delete(ctx context.Context, key string, revision uint64) error
	// Mend writes a record in the place of one that is damaged, and returns its
	// revision: for those that can be made again. ErrConflict where it is not.
	Mend(ctx context.Context, key string, data []byte) (uint64, error)
	// List is every record under the prefixes, by key, and those that are damaged.
	// No prefix begins with another. One question for several is cheaper than one
	// for each.
	List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error)
}

package store

import (
	"context"
	"io"

	"github.com/birdwire/birdwire/messages"
)

// Journal is the log of frames. Sequences grow by one a frame, from 1; what
// retention or an operator removed is answered as Skipped or TrimmedError.
type Journal interface {
	// Append makes the frame durable and returns its sequence. The same frame
	// name (node, incarnation, number) is written once: a retry returns the
	// first sequence, also past the store's own duplicate window (it reads the
	// tail back). ErrFenced: a later frame of that node is there, of this or a
	// newer incarnation, and this one is not in the log. ErrAmbiguous: ask again
	// with the same frame. ErrFull, ErrClosed. After any other error nothing was
	// written.
	Append(ctx context.Context, frame *messages.Frame) (sequence uint64, err error)
	// Read starts at sequence from (1 or 0: the first held; Bounds' last+1: at
	// the end). A from before the first held sequence: *TrimmedError.
	Read(ctx context.Context, from uint64) (Cursor, error)
	// Bounds are the first and last sequence held; first = last+1 when empty.
	Bounds(ctx context.Context) (first, last uint64, err error)
	// Epoch changes when history was lost or replaced: 8 to 16 letters and
	// digits. Cursors of another epoch mean nothing.
	Epoch() string
	// Tail names the last frame of the node in the log; zero where there is
	// none, or where it cannot be read. A frame that does not come after it is
	// fenced.
	Tail(ctx context.Context, node string) (Name, error)
}

// Cursor reads the log in order. It is for one goroutine.
type Cursor interface {
	// Next returns the next entry, or io.EOF at the log's present end; a
	// later call goes on from there, and so it does after an error. Entries are
	// gapless except for Skipped. *TrimmedError: retention overtook the cursor,
	// which is of no more use.
	Next(ctx context.Context) (Entry, error)
	Close() error
}

// Entry is a frame, or word that frames are gone for good.
type Entry struct {
	Sequence uint64
	Frame    *messages.Frame // nil where Skipped is set
	Skipped  *Skipped
}

// Skipped: the sequences From to To (both included) will never be read; said
// only on the word of the store's leader.
type Skipped struct {
	From, To uint64
	Reason   SkipReason
}

// SkipReason says whether anything was lost with the sequences.
type SkipReason int

const (
	// NeverWritten: a write that failed used the sequence up; what it was to
	// write was never acknowledged there.
	NeverWritten SkipReason = iota
	// Damaged: frames were acknowledged there, and the disk no longer gives
	// them back. Whoever reads over them must say so.
	Damaged
)

func (r SkipReason) String() string {
	if r == Damaged {
		return "damaged"
	}
	return "never written"
}

// Control holds small records by key. Keys are dot-separated tokens of
// [A-Za-z0-9_-]; a prefix ends at a dot. A record that is damaged costs itself:
// it answers ErrDamaged to Get, CAS and Delete, and all others are served.
type Control interface {
	Get(ctx context.Context, key string) (messages.KeptRecord, error)
	// CAS writes if revision is the stored one (0: there is none, or it
	// was deleted) and returns the new one. ErrConflict otherwise. ErrAmbiguous: it
	// has happened, or has not, or will, as long as nothing else was written or
	// deleted under the key since the call.
	CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error)
	// Delete removes if revision is the stored one: ErrConflict where it is
	// another, ErrNotFound where there is none.
	Delete(ctx context.Context, key string, revision uint64) error
	// Mend writes a record in the place of one that is damaged, and returns its
	// revision: for records that can be made again from elsewhere. ErrConflict
	// where the record is not damaged.
	Mend(ctx context.Context, key string, data []byte) (uint64, error)
	// List returns all records under the prefixes ("keys."; "" is all), by key,
	// and those that are damaged as such. No prefix may begin with another.
	List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error)
	// Watch emits what is stored under prefix, then Synced, then what changes,
	// until ctx ends, when the channel is closed. Revisions of a key grow; of
	// several changes of one key in quick succession the newest alone may come.
	// A watcher for which more than 65,536 changes wait, or whose store had to
	// start its server again, has its channel closed: it watches again.
	Watch(ctx context.Context, prefix string) (<-chan Change, error)
}

// Change is one record written or deleted, or Synced.
type Change struct {
	messages.KeptRecord
	Deleted bool
	Synced  bool
}

// Reservation asks for credits. Op names the operation: asked again it
// returns the same grant, of size 0 once it was settled. The newest 64 settled
// operations of a month are known again, and the newest 16 grants are open; an
// older one counts as spent.
type Reservation struct {
	KeyID    string
	Month    string              // "2026-11"
	N        int64               // wanted; fewer are granted where limit is near
	Limit    int64               // charged never grows past it; 0: none
	Spenders []*messages.Spender // kept with the grant
	Op       string

	// Replaces, of the same key and month, is closed by the same write: Used of it
	// was spent, and the rest is in the new grant besides N. nil: none.
	Replaces *messages.Grant
	Used     int64
}

// Counters hold what keys have spent, by month.
type Counters interface {
	// Reserve charges up to N credits and opens a grant. ErrExhausted when none
	// is left; one that replaces another is then what was left of that, which may
	// be nothing. ErrNotFound when what it replaces is not open.
	Reserve(ctx context.Context, r Reservation) (*messages.Grant, error)
	// Settle closes the grant: used of it was spent (0 <= used <= size), the
	// rest is given back. Settling a closed grant changes nothing.
	Settle(ctx context.Context, grant *messages.Grant, used int64) error
	// Prune deletes ledgers of the key except for the newest months, so many of
	// them. It asks no clock: one that was set wrong must not delete what is owed.
	Prune(ctx context.Context, keyID string, keep int) error
	// Usage is the ledger as it is; empty when nothing was charged.
	Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error)
}

// ItemState is an article's last known state and the revision to write it with.
type ItemState struct {
	Item     *messages.Item // nil: never seen
	Revision uint64
}

// Items is the table of articles' last known states, with a retention of its own.
type Items interface {
	// Get returns one state an identity, in order.
	Get(ctx context.Context, identities []string) ([]ItemState, error)
	// CAS writes the items, each against its revision, and returns one error
	// or nil each: ErrConflict where another revision is stored, ErrAmbiguous. err
	// is set when nothing is known of any.
	CAS(ctx context.Context, items []*messages.Item, revisions []uint64) (each []error, err error)
}

// Snapshots keep state that would be long to recompute.
type Snapshots interface {
	// Put stores one snapshot of id as of position; older ones of id may go,
	// but not the last whole one before. Snapshots of another epoch are not
	// found.
	Put(ctx context.Context, id string, at messages.Position, r io.Reader) error
	// Latest returns the newest whole one. ErrNotFound when there is none.
	Latest(ctx context.Context, id string) (at messages.Position, r io.ReadCloser, err error)
}

// Damage is one thing that was found damaged or gone, of what was acknowledged.
type Damage struct {
	Stream string // journal, control, items or snapshots; "store": what the store notes about them
	File   string // under the store's folder; "" where it is not one file
	Lost   string // "frames 17 to 19", "record rules.0007.ab.3"; "": nothing
	Advice string // what to do
}

func (d Damage) String() string {
	where, lost := d.Stream, "nothing is lost"
	if d.File != "" {
		where += " (" + d.File + ")"
	}
	if d.Lost != "" {
		lost = "lost: " + d.Lost
	}
	return where + ": " + lost + ". " + d.Advice
}

// Store is everything one node keeps.
type Store interface {
	Journal() Journal
	Control() Control
	Counters() Counters
	Items() Items
	Snapshots() Snapshots
	// Healthy is nil while reads and the small writes of control records go
	// through; else it says why they do not. It answers at once, also where the
	// disk does not answer at all.
	Healthy(ctx context.Context) error
	// Room is nil while frames, items and snapshots are taken, and ErrFull where
	// the disk has reached its reserve: all else is served then. It answers at
	// once.
	Room() error
	// Damage is what is known to be damaged, since the store was opened or not
	// yet accepted by an operator. What else is served is whole.
	Damage() []Damage
	Close() error
}

package messages

import (
	"errors"
	"fmt"
)

// What a port answers, whoever declares the port and whoever serves it: callers
// branch on these, so that each has one home.
var (
	// ErrNotFound: there is none of that name, or it was deleted.
	ErrNotFound = errors.New("not found")
	// ErrConflict: it exists already, or has another revision: read it again.
	ErrConflict = errors.New("revision conflict")
	// ErrFenced: a newer owner has written; nothing more will ever be taken
	// from the one that asks.
	ErrFenced = errors.New("fenced by a newer owner")
	// ErrAmbiguous: it may have happened. Ask again under the same name, or read
	// back.
	ErrAmbiguous = errors.New("outcome unknown")
	// ErrFull: the disk's reserve is reached; nothing was written.
	ErrFull = errors.New("disk nearly full")
	// ErrInvalid: it can never be written; nothing was.
	ErrInvalid = errors.New("not writable")
	// ErrExhausted: the month's credits are used up.
	ErrExhausted = errors.New("credits exhausted")
	// ErrDamaged: it was there, and the disk does not give it back whole.
	ErrDamaged = errors.New("damaged")
	// ErrNewer: it is there and whole, and a newer program has written it. Whoever
	// reads it does nothing with it: it is neither lost nor absent.
	ErrNewer = errors.New("written by a newer program than this one")
)

// Refuse is an error of that kind that reads as its own words alone: for an operator,
// to whom the kind says nothing.
func Refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

// TrimmedError answers a read of the log from before what it still holds.
type TrimmedError struct {
	First uint64 // sequence of the first frame that it holds
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("log trimmed: the first sequence that it holds is %d", e.First)
}

// Position is the first that the log still holds.
func (e *TrimmedError) Position() Position { return At(e.First, 0) }

// KeptRecord is one small record of the control store, with the revision to
// write it with.
type KeptRecord struct {
	Key      string
	Data     []byte
	Revision uint64
	// Damaged, in lists: the record was acknowledged, and is lost or cannot be
	// read. It has a Key and nothing else.
	Damaged bool
	// Newer, in lists: a newer program has written it in a way that this one does not
	// know. It has a Key and nothing else.
	Newer bool
}

// Unread says why a record of a list has no data; nil: it has.
func (r KeptRecord) Unread() error {
	switch {
	case r.Newer:
		return fmt.Errorf("record %s: %w", r.Key, ErrNewer)
	case r.Damaged:
		return fmt.Errorf("record %s: %w", r.Key, ErrDamaged)
	}
	return nil
}

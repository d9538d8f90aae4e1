package store

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound: no such key, or it was deleted.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the revision is not the one that stands; read again.
	ErrConflict = errors.New("revision conflict")
	// ErrFenced: a newer owner has written; the caller stops.
	ErrFenced = errors.New("fenced by a newer owner")
	// ErrAmbiguous: it may have happened. Ask again under the same name, or read back.
	ErrAmbiguous = errors.New("outcome unknown")
	// ErrFull: the disk's reserve is reached; nothing was written.
	ErrFull = errors.New("disk nearly full")
	// ErrInvalid: what was given can never be stored; nothing was written.
	ErrInvalid = errors.New("not storable")
	// ErrExhausted: the month's credits are used up.
	ErrExhausted = errors.New("credits exhausted")
	// ErrClosed: the store is closing.
	ErrClosed = errors.New("store closed")
	// ErrCorrupt: what is stored is damaged. At opening: nothing was served.
	ErrCorrupt = errors.New("corrupt data")
	// ErrLocked: another process has the data folder.
	ErrLocked = errors.New("data folder in use")
)

// TrimmedError answers a read from before what is still held.
type TrimmedError struct {
	First uint64 // the first sequence still held
}

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("log trimmed: first held sequence is %d", e.First)
}

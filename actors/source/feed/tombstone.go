package feed

import "time"

// tombstone is an at:deleted-entry (RFC 6721): the entry of that id is
// withdrawn, unless the document lists it with a later date.
type tombstone struct {
	id   string
	when time.Time // zero where it is not told
}

// maxTombstones of one document are kept; who lists more keeps an archive.
const maxTombstones = 1000

// buries says whether the tombstone is of this item and younger than it.
func (t tombstone) buries(e *entry) bool {
	if e.id != t.id {
		return false
	}
	at := e.updated.value
	if e.updated.rank == 0 {
		at = e.published.value
	}
	return at.IsZero() || t.when.IsZero() || !at.After(t.when)
}

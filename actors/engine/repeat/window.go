// Package repeat decides which events of a log are repeats.
//
// An event is a repeat if one of the Size events before it has its id.
// That is a property of the log alone, with no clock in it, so every router
// and every replay that has read those events decides alike. It is not exact
// history: an id that comes back later than that is new again.
package repeat

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/birdwire/birdwire/messages"
)

// Size is how many events back an id is remembered.
const Size = 131_072

// key is the first 128 bits of SHA-256: ids come from outside, and a hash that
// can be made to collide would let one publisher silence another's event.
type key [16]byte

// Window holds the ids of the newest Size events. About 3 MB, 4 MB where it
// knows positions; for one goroutine.
//
//	ring   the ids in log order, next is the place of the next one
//	first  for each, the position of the event that it repeats, or its own
//	table  open addressing, ring place + 1 of the newest event with that id
//
// Invariant: every table entry names the newest ring place of its key.
type Window struct {
	ring  []key
	first []messages.Position // nil: positions are not known
	table []uint32
	next  int
	full  bool
}

const tableSize = Size * 2 // a power of two

// New returns an empty window.
func New() *Window {
	return &Window{ring: make([]key, Size), table: make([]uint32, tableSize)}
}

// NewPlaced returns an empty window that knows where its events are in the log.
func NewPlaced() *Window {
	w := New()
	w.first = make([]messages.Position, Size)
	return w
}

// Clone returns an independent copy.
func (w *Window) Clone() *Window {
	c := New()
	copy(c.ring, w.ring)
	c.first = slices.Clone(w.first)
	copy(c.table, w.table)
	c.next, c.full = w.next, w.full
	return c
}

// Find says whether id is in the window, and at which position of the log the
// event is that readers were shown under it; 0 where the window knows no
// positions.
func (w *Window) Find(id string) (first messages.Position, found bool) {
	slot, found := w.find(hash(id))
	if !found || w.first == nil {
		return 0, found
	}
	return w.first[w.table[slot]-1], true
}

// Add moves the window on by one event and says whether that event is a repeat.
func (w *Window) Add(id string) (repeat bool) { return w.AddAt(id, 0) }

// AddAt is Add for an event whose position in the log is known.
func (w *Window) AddAt(id string, p messages.Position) (repeat bool) {
	k := hash(id)
	slot, repeat := w.find(k)
	if repeat && w.first != nil {
		p = w.first[w.table[slot]-1]
	}
	if w.full {
		w.expire(w.next)
	}
	slot, _ = w.find(k)
	w.ring[w.next] = k
	if w.first != nil {
		w.first[w.next] = p
	}
	w.table[slot] = uint32(w.next) + 1
	if w.next++; w.next == Size {
		w.next, w.full = 0, true
	}
	return repeat
}

// find returns the table slot that holds k, or the free one where it belongs.
func (w *Window) find(k key) (slot uint64, found bool) {
	for slot = home(k); ; slot = (slot + 1) % tableSize {
		at := w.table[slot]
		if at == 0 {
			return slot, false
		}
		if w.ring[at-1] == k {
			return slot, true
		}
	}
}

// expire forgets the event at ring place at, unless its id comes again later.
func (w *Window) expire(at int) {
	slot, found := w.find(w.ring[at])
	if !found || w.table[slot] != uint32(at)+1 {
		return
	}
	w.remove(slot)
}

// remove empties a slot and shifts back what probing would no longer find:
// tombstones would fill the table, which turns over once every Size events.
func (w *Window) remove(slot uint64) {
	for next := (slot + 1) % tableSize; w.table[next] != 0; next = (next + 1) % tableSize {
		want := home(w.ring[w.table[next]-1])
		if (next-want)%tableSize >= (next-slot)%tableSize {
			w.table[slot] = w.table[next]
			slot = next
		}
	}
	w.table[slot] = 0
}

func home(k key) uint64 { return binary.LittleEndian.Uint64(k[:]) % tableSize }

func hash(id string) (k key) {
	var buf [128]byte
	sum := sha256.Sum256(append(buf[:0], id...))
	copy(k[:], sum[:])
	return k
}

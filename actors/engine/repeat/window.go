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

// Window holds the ids of the newest Size events. Full, it has about 3 MB, 4 MB
// where it knows positions; it grows as events come, because a young log, and each
// node of a simulated cluster, has few. For one goroutine.
//
//	ring   the ids in log order; next is the place of the next one
//	first  for each, the position of the event that it repeats, or its own
//	table  open addressing, ring place + 1 of the newest event with that id
//
// Invariant: every table entry names the newest ring place of its key, and half of
// the table is free.
// Invariant: next == len(ring), until the ring has Size places and is gone round.
type Window struct {
	ring   []key
	first  []messages.Position // of a window that knows positions
	placed bool
	table  []uint32 // a power of two
	next   int
}

// tableLeast is a power of two, as Size is, so that the table ends at twice Size.
const tableLeast = 64

// New returns an empty window.
func New() *Window { return &Window{table: make([]uint32, tableLeast)} }

// NewPlaced returns an empty window that knows where its events are in the log.
func NewPlaced() *Window {
	w := New()
	w.placed = true
	return w
}

// Clone returns an independent copy.
func (w *Window) Clone() *Window {
	return &Window{ring: slices.Clone(w.ring), first: slices.Clone(w.first), placed: w.placed, table: slices.Clone(w.table), next: w.next}
}

// Find says whether id is in the window, and at which position of the log the
// event is that readers were shown under it; 0 where the window knows no
// positions.
func (w *Window) Find(id string) (first messages.Position, found bool) {
	slot, found := w.find(hash(id))
	if !found || !w.placed {
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
	if repeat && w.placed {
		p = w.first[w.table[slot]-1]
	}
	if len(w.ring) < Size {
		w.grow()
	} else {
		w.expire(w.next)
	}
	slot, _ = w.find(k)
	w.ring[w.next] = k
	if w.placed {
		w.first[w.next] = p
	}
	w.next++
	w.table[slot] = uint32(w.next)
	w.next %= Size
	return repeat
}

// grow makes one more place, and a table of twice the size where half of it would
// be taken.
func (w *Window) grow() {
	w.ring = append(w.ring, key{})
	if w.placed {
		w.first = append(w.first, 0)
	}
	if 2*len(w.ring) <= len(w.table) {
		return
	}
	w.table = make([]uint32, 2*len(w.table))
	for at, k := range w.ring[:w.next] {
		slot, _ := w.find(k) // the same id again: the newest place is the last that is written
		w.table[slot] = uint32(at) + 1
	}
}

// find returns the table slot that holds k, or the free one where it belongs.
func (w *Window) find(k key) (slot uint64, found bool) {
	for slot = w.home(k); ; slot = w.after(slot) {
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
	for next := w.after(slot); w.table[next] != 0; next = w.after(next) {
		want := w.home(w.ring[w.table[next]-1])
		if w.within(next-want) >= w.within(next-slot) {
			w.table[slot] = w.table[next]
			slot = next
		}
	}
	w.table[slot] = 0
}

func (w *Window) home(k key) uint64 { return w.within(binary.LittleEndian.Uint64(k[:])) }

func (w *Window) after(slot uint64) uint64 { return w.within(slot + 1) }

// within is n modulo the table's size.
func (w *Window) within(n uint64) uint64 { return n & uint64(len(w.table)-1) }

func hash(id string) (k key) {
	var buf [128]byte
	sum := sha256.Sum256(append(buf[:0], id...))
	copy(k[:], sum[:])
	return k
}

package memory

import (
	"maps"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Disk is what survives the process. It is safe for concurrent use, and so are
// the handles opened on it.
type Disk struct {
	cfg Config

	mu sync.Mutex // protects all that follows, and the handles' watches

	epoch   string
	space   Space
	frames  []written                               // in order; sequences grow, with holes where frames were skipped
	burnt   map[uint64]bool                         // sequences of holes at which nothing was ever acknowledged
	last    uint64                                  // sequence, also of a log that holds nothing any more
	tails   map[string]tail                         // by node: its last frame
	records *btree.Map[string, messages.KeptRecord] // in order: a listing costs what it lists
	deleted map[string]uint64                       // by key: the revision of its last deletion; a store forgets it after an hour, this one never
	damaged map[string]bool                         // records that cannot be read; each is in records too, where its revision was known
	written uint64                                  // the last revision given, of records and items
	items   map[string]itemRecord
	shots   map[string][]snapshot // by id, in the order they came; the newest two
	watches []*watch
}

type written struct {
	sequence uint64
	frame    *messages.Frame
	at       time.Time
}

type tail struct {
	name     store.Name
	sequence uint64
}

// NewDisk returns an empty disk.
func NewDisk(cfg Config) *Disk {
	cfg = cfg.withDefaults()
	return &Disk{
		cfg:     cfg,
		epoch:   cfg.Epoch,
		burnt:   map[uint64]bool{},
		tails:   map[string]tail{},
		records: new(btree.Map[string, messages.KeptRecord]),
		deleted: map[string]uint64{},
		damaged: map[string]bool{},
		items:   map[string]itemRecord{},
		shots:   map[string][]snapshot{},
	}
}

// Space is how much a disk has left.
type Space int

const (
	Plenty    Space = iota
	AtReserve       // frames, items and snapshots are refused with messages.ErrFull
	None            // every write is
)

// SetSpace says how much the disk has left from now on.
func (d *Disk) SetSpace(space Space) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.space = space
}

// DamageRecord makes the control record unreadable, or takes it away as a lost
// block does: the store knows that there was one.
func (d *Disk) DamageRecord(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.damaged[key] = true
}

// Accept takes every damaged record away, as an operator does who goes on
// without them.
func (d *Disk) Accept() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key := range d.damaged {
		d.records.Delete(key)
	}
	clear(d.damaged)
}

// LoseItem forgets an article's state, as a damaged disk does.
func (d *Disk) LoseItem(identity string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.items, identity)
}

// SetEpoch gives the log another epoch: cursors and snapshots of the old one
// mean nothing.
func (d *Disk) SetEpoch(epoch string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.epoch = epoch
}

// Trim removes the frames before sequence first, as retention does.
func (d *Disk) Trim(first uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trim(first)
}

func (d *Disk) trim(first uint64) {
	n := 0
	for n < len(d.frames) && d.frames[n].sequence < first {
		n++
	}
	clear(d.frames[:n])
	d.frames = d.frames[n:]
}

// Skip removes the frames from sequence from to sequence to: readers are told
// that they are gone for good, and why. At the log's beginning it is the same
// as Trim.
func (d *Disk) Skip(from, to uint64, why store.SkipReason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if why == store.NeverWritten {
		for s := from; s <= to; s++ {
			d.burnt[s] = true
		}
	}
	kept := d.frames[:0:0]
	for _, w := range d.frames {
		if w.sequence < from || w.sequence > to {
			kept = append(kept, w)
		}
	}
	d.frames = kept
}

// Lose forgets the frames after sequence last, as a damaged disk does: the log
// goes on from there, under another epoch.
func (d *Disk) Lose(last uint64, epoch string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.frames) > 0 && d.frames[len(d.frames)-1].sequence > last {
		d.frames = d.frames[:len(d.frames)-1]
	}
	d.last, d.epoch = min(d.last, last), epoch
	clear(d.tails)
	for _, w := range d.frames {
		d.tails[w.frame.GetNode()] = tail{nameOf(w.frame), w.sequence}
	}
}

// retain drops what is older or more than the disk keeps. Holding mu.
func (d *Disk) retain() {
	if age := d.cfg.RetentionAge; age > 0 {
		oldest := d.cfg.Now().Add(-age)
		for len(d.frames) > 0 && d.frames[0].at.Before(oldest) {
			d.trim(d.frames[0].sequence + 1)
		}
	}
	if n := d.cfg.RetentionFrames; n > 0 && len(d.frames) > n {
		d.trim(d.frames[len(d.frames)-n].sequence)
	}
}

// first is the first sequence held, last+1 where there is none. Holding mu.
func (d *Disk) first() uint64 {
	if len(d.frames) == 0 {
		return d.last + 1
	}
	return d.frames[0].sequence
}

func nameOf(f *messages.Frame) store.Name {
	return store.Name{Node: f.GetNode(), Incarnation: f.GetIncarnation(), Number: f.GetNumber()}
}

// CloneRecords is a disk of its own that has the same control records, for a
// test that goes on from one state in several ways.
func (d *Disk) CloneRecords() *Disk {
	clone := NewDisk(d.cfg)
	d.mu.Lock()
	defer d.mu.Unlock()
	clone.records, clone.damaged, clone.written = d.records.Copy(), maps.Clone(d.damaged), d.written
	clone.deleted = maps.Clone(d.deleted)
	return clone
}

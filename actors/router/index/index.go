package index

import (
	"errors"
	"fmt"
	"slices"

	"github.com/birdwire/birdwire/actors/engine/rule"
)

// ID is the caller's name of one standing query.
type ID uint64

// ErrQuery: a query that the index cannot hold.
var ErrQuery = errors.New("query not usable")

// Config tunes an index. The zero value means the defaults.
type Config struct {
	// BatchMost is how many queries are gathered before they are sealed into a
	// segment without waiting for a snapshot; default 8,192. It bounds what
	// one Snapshot has to build.
	BatchMost int
	// InlineMost is the size up to which segments are merged by Snapshot
	// itself, in words of 4 bytes; default 8,192, about 300 rules. Larger ones
	// are left to Merge. It is not a number of queries: one may be as long as
	// a thousand others.
	InlineMost int
	// Seed is chance that clients do not know: with it nobody can choose words
	// that all fall on one place of a table, or a phrase that is taken for
	// somebody else's.
	Seed uint64
}

func (c Config) withDefaults() Config {
	if c.BatchMost <= 0 {
		c.BatchMost = 8192
	}
	if c.InlineMost <= 0 {
		c.InlineMost = 1 << 13
	}
	return c
}

// Index is the queries as they are now. One goroutine at a time changes it and
// takes snapshots; snapshots are for everyone.
type Index struct {
	cfg      Config
	seeds    seeds
	edition  uint64 // grows with each snapshot; tombstones of an older one are copied before they change
	views    []view
	batch    batch
	semantic semantic
	common   *frequencies // nil until there are enough queries for it to matter
	current  *Snapshot    // nil after a change
	live     int
}

// New is an empty index.
func New(cfg Config) *Index {
	x := &Index{cfg: cfg.withDefaults(), seeds: seedsOf(cfg.Seed), edition: 1}
	x.semantic.init()
	return x
}

// Len is how many queries there are.
func (x *Index) Len() int { return x.live }

// Encoder encodes queries for this index.
func (x *Index) Encoder() Encoder { return Encoder{&x.seeds.names} }

// Put adds the query id or replaces it. Refused, with nothing changed, with
// ErrQuery or an error of package vector.
func (x *Index) Put(id ID, q *rule.Compiled) error {
	e, err := x.Encoder().Encode(q)
	if err != nil {
		return fmt.Errorf("put query %d: %w", id, err)
	}
	return x.PutEncoded(id, e)
}

// PutEncoded is Put for a query that this index's Encoder has encoded. It takes
// microseconds, and once in so many words some milliseconds, to seal a batch.
func (x *Index) PutEncoded(id ID, e *Encoded) error {
	meanings, err := x.semantic.acquireAll(e.meanings)
	if err != nil {
		return fmt.Errorf("put query %d: %w", id, err)
	}
	x.remove(id)
	x.batch.add(id, e)
	x.semantic.own(id, meanings)
	x.live++
	x.current = nil
	if x.batch.count >= x.cfg.BatchMost || len(x.batch.words) >= batchWords {
		x.seal()
	}
	return nil
}

// Remove forgets the query; an unknown id changes nothing.
func (x *Index) Remove(id ID) {
	if x.remove(id) {
		x.current = nil
	}
}

func (x *Index) remove(id ID) bool {
	if !x.batch.remove(id) && !x.bury(id) {
		return false
	}
	x.semantic.disown(id)
	x.live--
	return true
}

// bury sets id's tombstone in whichever segment has it living: one at most.
func (x *Index) bury(id ID) bool {
	for i := range x.views {
		v := &x.views[i]
		at, ok := v.find(id)
		if !ok || v.dead.has(at) {
			continue
		}
		v.dead = v.dead.set(at, v.places(), x.edition)
		return true
	}
	return false
}

// Snapshot is the index at this moment; changes after it are not seen by it.
// It seals what was put since the last one: for a few queries microseconds,
// for Config.BatchMost some milliseconds.
func (x *Index) Snapshot() *Snapshot {
	if x.current != nil {
		return x.current
	}
	x.seal()
	if x.common == nil && x.live >= frequenciesFrom {
		x.common = new(frequencies)
	}
	x.current = &Snapshot{
		views:  slices.Clone(x.views),
		models: x.semantic.snapshot(),
		common: x.common,
		spread: x.seeds.spread,
	}
	x.edition++
	return x.current
}

// batchWords bounds a batch of very long queries, as BatchMost does their
// number: sealing it takes about ten milliseconds.
const batchWords = 1 << 18

// seal makes the batch a segment, together with the small segments that it is
// not much smaller than: each is then more than three times what all smaller
// ones are together, so that there are few.
func (x *Index) seal() {
	if len(x.batch.byID) == 0 {
		x.batch = batch{}
		return
	}
	sources := []view{x.batch.view()}
	total := len(x.batch.words)
	slices.SortFunc(x.views, bySize)
	n := 0
	for n < len(x.views) && x.views[n].size() <= min(3*total, x.cfg.InlineMost) {
		total += x.views[n].size()
		n++
	}
	sources = append(sources, x.views[:n]...)
	out := build(sources, x.common, x.seeds.spread)
	x.views = append(slices.Clone(x.views[n:]), view{segment: out})
	x.batch = batch{}
}

func bySize(a, b view) int { return a.size() - b.size() }

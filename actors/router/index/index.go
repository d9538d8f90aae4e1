// Package index holds standing queries and answers which of them want a
// document. It owns the queries' compiled form; it never reads a clock, starts
// no goroutine and delivers nothing.
package index

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/birdwire/birdwire/actors/router/rule"
)

// ID is the caller's name of one standing query.
type ID uint64

// ErrQuery: a query that the index cannot hold.
var ErrQuery = errors.New("query not usable")

// Config tunes an index. The zero value means the defaults.
type Config struct{}

// Hit is one query that wants the document.
type Hit struct {
	ID ID
	// Similarity is the best cosine where a semantic filter of the query is
	// passed; else 0.
	Similarity float32
}

// Index is the queries as they are now. One goroutine at a time changes it and
// takes snapshots; snapshots are for everyone.
type Index struct {
	queries map[ID]*rule.Compiled
	current *Snapshot
}

// New is an empty index.
func New(cfg Config) *Index { return &Index{queries: map[ID]*rule.Compiled{}} }

// Put adds the query id or replaces it. Refused, with nothing changed, with
// ErrQuery or an error of package vector.
func (x *Index) Put(id ID, q *rule.Compiled) error {
	if q == nil || q.Expr == nil {
		return fmt.Errorf("put query %d: %w: it has no expression", id, ErrQuery)
	}
	x.queries[id] = q
	x.current = nil
	return nil
}

// Remove forgets the query; an unknown id changes nothing.
func (x *Index) Remove(id ID) {
	delete(x.queries, id)
	x.current = nil
}

// Len is how many queries there are.
func (x *Index) Len() int { return len(x.queries) }

// Snapshot is the index at this moment; changes after it are not seen by it.
func (x *Index) Snapshot() *Snapshot {
	if x.current == nil {
		x.current = &Snapshot{queries: maps.Clone(x.queries)}
	}
	return x.current
}

// Snapshot is an index at one moment. Immutable: any number of goroutines may
// match with it, each with a Scratch of its own.
type Snapshot struct {
	queries map[ID]*rule.Compiled
}

// Scratch is what matching needs to write. The zero value is ready; for one
// goroutine at a time.
type Scratch struct{}

// Match appends the queries that want the document, by id, each once. It
// allocates nothing while hits and scratch have room.
func (s *Snapshot) Match(d *rule.Doc, scratch *Scratch, hits []Hit) []Hit {
	begin := len(hits)
	for id, q := range s.queries {
		if q.Match(d) {
			hits = append(hits, Hit{ID: id})
		}
	}
	slices.SortFunc(hits[begin:], func(a, b Hit) int { return cmp.Compare(a.ID, b.ID) })
	return hits
}

// MatchBatch is Match for several documents: it appends to hits[i] the queries
// that want docs[i]. Events with vectors share one pass over the semantic
// filters, so that a lane of their own costs little more for eight than for
// one. hits is as long as docs.
func (s *Snapshot) MatchBatch(docs []*rule.Doc, scratch *Scratch, hits [][]Hit) {
	for i, d := range docs {
		hits[i] = s.Match(d, scratch, hits[i])
	}
}

// Merge is work that makes matching cheaper and changes no answer. Run may be
// called on any goroutine, while the index is used and changed; the result
// takes effect when the owner installs it. A merge that is never installed
// costs nothing but its own time.
type Merge struct{}

// Merge is the next work worth doing, or nil.
func (x *Index) Merge() *Merge { return nil }

// Run does the work. Once.
func (m *Merge) Run() {}

// Install makes a merge that has run take effect, with all changes made since
// it was asked for. False: another merge was installed first and this one is
// void.
func (x *Index) Install(m *Merge) bool { return false }

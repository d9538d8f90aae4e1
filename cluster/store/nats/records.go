package nats

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// records knows which control records there must be, so that one that is not
// found is told from one that never was, and which of them are closed because
// they are damaged.
type records struct {
	mu     sync.RWMutex // protects all
	seed   maphash.Seed
	live   map[uint64]struct{} // hashes of keys: a million of them are 20 MB
	closed map[string]struct{}
}

func newRecords() *records {
	return &records{seed: maphash.MakeSeed(), live: map[uint64]struct{}{}, closed: map[string]struct{}{}}
}

func (r *records) hash(key string) uint64 { return maphash.String(r.seed, key) }

func (r *records) fill(l *listing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, is := range l.records {
		if !is.deleted {
			r.live[r.hash(key)] = struct{}{}
		}
	}
}

func (r *records) wrote(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[r.hash(key)] = struct{}{}
}

func (r *records) deleted(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, r.hash(key))
}

// must says whether there must be such a record.
func (r *records) must(key string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.live[r.hash(key)]
	return ok
}

func (r *records) isClosed(key string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.closed[key]
	return ok
}

func (r *records) close(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed[key] = struct{}{}
}

func (r *records) reopen(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.closed, key)
}

// closedUnder are the damaged keys with the prefix, sorted.
func (r *records) closedUnder(prefix string) (keys []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(r.closed)) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// quarantine closes a record that is lost or damaged: it answers an error until
// it is mended, or an operator goes on without it.
func (s *Store) quarantine(key string) {
	s.records.close(key)
	s.report(s.recordLost(key))
}

func (s *Store) recordLost(key string) store.Damage {
	if s.cfg.shared() {
		return store.Damage{
			Stream: "control", Lost: "record " + key,
			Advice: "it answers an error, all others are served. `birdwire cluster audit` says which node's copy is damaged; else restore a backup of the cluster",
		}
	}
	return store.Damage{
		Stream: "control", Lost: "record " + key,
		Advice: fmt.Sprintf("it answers an error, all others are served. Put a backup of the whole folder %s in its place; or, to go on without the record, create the file %s and start again", s.cfg.Dir, s.acceptPath()),
	}
}

// broken is what it means that a record was not found: that there is none, or,
// where there must be one, that it is damaged. Before that is said the list has
// the last word: of two who change a record at once, one may note it late.
func (c *control) broken(ctx context.Context, key string) error {
	s := c.store
	if !s.records.must(key) {
		return messages.ErrNotFound
	}
	l, err := s.controlList.read(math.MaxInt)
	if err != nil {
		return err
	}
	if is, ok := l.records[key]; ok && is.deleted {
		s.records.deleted(key)
		return messages.ErrNotFound
	}
	if _, deleted, err := c.read(ctx, key); err == nil && !deleted || err != nil && !isNotFound(err) {
		return messages.ErrNotFound // somebody is changing it: it was not there when it was asked for
	}
	s.quarantine(key)
	s.auditSoon()
	return fmt.Errorf("%w: the record is lost or cannot be read", messages.ErrDamaged)
}

// uncertain remembers a record of which it is not known whether a write or
// deletion happened: the list is to say.
func (s *Store) uncertain(key string, err error) {
	if !errors.Is(err, messages.ErrAmbiguous) {
		return
	}
	s.unsureMu.Lock()
	defer s.unsureMu.Unlock()
	s.unsure[key] = struct{}{}
}

// resolve reads the unsure records, which notes what it finds.
func (s *Store) resolve() {
	s.unsureMu.Lock()
	keys := make([]string, 0, len(s.unsure))
	for key := range s.unsure {
		keys = append(keys, key)
	}
	s.unsureMu.Unlock()
	for _, key := range keys {
		ctx, cancel := context.WithTimeout(s.life, opTimeout)
		_, err := s.control.Get(ctx, key)
		cancel()
		if err != nil && !isNotFound(err) && !errors.Is(err, messages.ErrDamaged) {
			return // later
		}
		s.unsureMu.Lock()
		delete(s.unsure, key)
		s.unsureMu.Unlock()
	}
}

package testkit

import (
	"bytes"
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// Op names a call of actors.Records in a Fault.
type Op string

// The calls that a Fault can be told to meet.
const (
	Get    Op = "get"
	CAS    Op = "cas"
	Delete Op = "delete"
	List   Op = "list"
	Mend   Op = "mend"
)

// Fault makes one call fail. Inject it again for the next.
type Fault struct {
	Op     Op     // "" is any call
	Prefix string // of the key; "" is any key
	Err    error  // what the call returns
	// Commit does what was asked for all the same: with ErrAmbiguous, the
	// write that happened though its answer was lost.
	Commit bool
}

// Records is an actors.Records in memory. Revisions grow over the whole
// store, as in the real one: a record that is made again does not begin at 1.
type Records struct {
	mu       sync.Mutex // protects all fields below
	records  map[string]messages.KeptRecord
	damaged  map[string]bool
	revision uint64
	faults   []Fault
	down     error
	calls    map[Op]int
}

var _ actors.Records = (*Records)(nil)

func newRecords() *Records {
	return &Records{records: map[string]messages.KeptRecord{}, damaged: map[string]bool{}, calls: map[Op]int{}}
}

// Inject has the next call that f fits fail; several are met in order.
func (r *Records) Inject(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, f)
}

// Down has every call fail with err until Down(nil), and do nothing.
func (r *Records) Down(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

// Damage makes the record unreadable, also one that is not there: the store
// knows that it was.
func (r *Records) Damage(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.damaged[key] = true
}

// Put writes as another writer would, whatever is stored, and returns the
// revision. No fault meets it.
func (r *Records) Put(key string, data []byte) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(key, data)
}

// All is every record, by key. No fault meets it.
func (r *Records) All() []messages.KeptRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.under("")
}

// Calls is how often op was called, failed calls included.
func (r *Records) Calls(op Op) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[op]
}

// Get is actors.Records.
func (r *Records) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.meet(ctx, Get, key); err != nil {
		return messages.KeptRecord{}, err
	}
	record, ok := r.records[key]
	if r.damaged[key] {
		return messages.KeptRecord{}, messages.ErrDamaged
	}
	if !ok {
		return messages.KeptRecord{}, messages.ErrNotFound
	}
	record.Data = bytes.Clone(record.Data)
	return record, nil
}

// CAS is actors.Records.
func (r *Records) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	commit, err := r.meet(ctx, CAS, key)
	if err != nil && !commit {
		return 0, err
	}
	if r.damaged[key] {
		return 0, messages.ErrDamaged
	}
	if r.records[key].Revision != revision {
		return 0, messages.ErrConflict
	}
	written := r.write(key, data)
	if err != nil {
		return 0, err
	}
	return written, nil
}

// Delete is actors.Records.
func (r *Records) Delete(ctx context.Context, key string, revision uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	commit, err := r.meet(ctx, Delete, key)
	if err != nil && !commit {
		return err
	}
	if r.damaged[key] {
		return messages.ErrDamaged
	}
	if r.records[key].Revision != revision {
		return messages.ErrConflict
	}
	delete(r.records, key)
	return err
}

// Mend is actors.Records.
func (r *Records) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	commit, err := r.meet(ctx, Mend, key)
	if err != nil && !commit {
		return 0, err
	}
	if !r.damaged[key] {
		return 0, messages.ErrConflict
	}
	delete(r.damaged, key)
	return r.write(key, data), err
}

// List is actors.Records.
func (r *Records) List(ctx context.Context, prefix string) ([]messages.KeptRecord, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.meet(ctx, List, prefix); err != nil {
		return nil, err
	}
	return r.under(prefix), nil
}

// meet counts the call and finds the fault it meets, if any.
func (r *Records) meet(ctx context.Context, op Op, key string) (commit bool, err error) {
	r.calls[op]++
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if r.down != nil {
		return false, r.down
	}
	for i, f := range r.faults {
		if (f.Op == "" || f.Op == op) && strings.HasPrefix(key, f.Prefix) {
			r.faults = append(r.faults[:i:i], r.faults[i+1:]...)
			return f.Commit, f.Err
		}
	}
	return false, nil
}

func (r *Records) write(key string, data []byte) uint64 {
	r.revision++
	r.records[key] = messages.KeptRecord{Key: key, Data: bytes.Clone(data), Revision: r.revision}
	return r.revision
}

func (r *Records) under(prefix string) []messages.KeptRecord {
	var found []messages.KeptRecord
	for key := range r.damaged {
		if strings.HasPrefix(key, prefix) {
			found = append(found, messages.KeptRecord{Key: key, Damaged: true})
		}
	}
	for key, record := range r.records {
		if strings.HasPrefix(key, prefix) && !r.damaged[key] {
			record.Data = bytes.Clone(record.Data)
			found = append(found, record)
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Key < found[j].Key })
	return found
}

package memory

import (
	"bytes"
	"strings"
	"sync"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Records are the control records of a store of their own, with what the test
// of one actor needs: faults by key, what another writer has written, and how
// often something was called.
type Records struct {
	store.Control
	disk *Disk

	mu     sync.Mutex // protects all fields below
	faults []RecordFault
	down   error
	calls  map[Op]int
}

// RecordFault makes one call fail. Inject it again for the next.
type RecordFault struct {
	Op     Op     // "" is any call
	Prefix string // of the key; "" is any key
	Err    error  // what the call answers, having done nothing
	// Ambiguous does what was asked for all the same, and answers
	// messages.ErrAmbiguous, whatever Err is.
	Ambiguous bool
	Late      func(happen func()) // as Fault.Late
}

// NewRecords are records of a store that is empty.
func NewRecords() *Records {
	r := &Records{calls: map[Op]int{}}
	s := NewDisk(Config{}).Open(r.fault)
	r.Control, r.disk = s.Control(), s.disk
	return r
}

// fault is what this call meets.
func (r *Records) fault(c Call) Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[c.Op]++
	if r.down != nil {
		return Fault{Err: r.down}
	}
	for i, f := range r.faults {
		if (f.Op == "" || f.Op == c.Op) && strings.HasPrefix(c.Key, f.Prefix) {
			r.faults = append(r.faults[:i:i], r.faults[i+1:]...)
			if f.Ambiguous {
				return Fault{Ambiguous: true}
			}
			return Fault{Err: f.Err, Late: f.Late}
		}
	}
	return Fault{}
}

// Inject has the next call that f fits fail; several are met in order.
func (r *Records) Inject(f RecordFault) {
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

// Calls is how often op was called, failed calls included.
func (r *Records) Calls(op Op) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls[op]
}

// Damage makes the record unreadable, also one that is not there.
func (r *Records) Damage(key string) { r.disk.DamageRecord(key) }

// Put writes as another writer would, whatever is stored, and returns the
// revision. No fault meets it.
func (r *Records) Put(key string, data []byte) uint64 {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	return r.disk.put(key, bytes.Clone(data))
}

// All is every record, by key. No fault meets it.
func (r *Records) All() []messages.KeptRecord {
	r.disk.mu.Lock()
	defer r.disk.mu.Unlock()
	return r.disk.list("")
}

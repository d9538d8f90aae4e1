package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// Store is one node's handle on a disk, as a store.Store.
type Store struct {
	disk  *Disk
	fault func(Call) Fault

	calls    uint64         // protected by disk.mu, like what follows
	injected map[Op][]Fault // asked before fault
	closed   bool
	counters store.Counters
}

// New is a handle on a disk of its own.
func New(cfg Config) *Store { return NewDisk(cfg).Open(nil) }

// Open is another handle. fault replaces Config.Fault where it is not nil, so
// that each node of a simulation has faults of its own.
func (d *Disk) Open(fault func(Call) Fault) *Store {
	if fault == nil {
		fault = d.cfg.Fault
	}
	s := &Store{disk: d, fault: fault, injected: map[Op][]Fault{}}
	s.counters = store.NewCounters(control{s})
	return s
}

// Disk is what the handle is on.
func (s *Store) Disk() *Disk { return s.disk }

// Inject makes the next calls of that kind meet these faults, one each, before
// the fault function is asked.
func (s *Store) Inject(op Op, faults ...Fault) {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.injected[op] = append(s.injected[op], faults...)
}

func (s *Store) Journal() store.Journal     { return journal{s} }
func (s *Store) Control() store.Control     { return control{s} }
func (s *Store) Counters() store.Counters   { return s.counters }
func (s *Store) Items() store.Items         { return items{s} }
func (s *Store) Snapshots() store.Snapshots { return snapshots{s} }

// Healthy is nil, store.ErrClosed, messages.ErrFull, or a fault.
func (s *Store) Healthy(ctx context.Context) error {
	_, err := s.begin(ctx, Health, "")
	if err != nil {
		return err
	}
	defer s.disk.mu.Unlock()
	if s.disk.space == None {
		return messages.ErrFull
	}
	return nil
}

// Room is nil or messages.ErrFull.
func (s *Store) Room() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	if s.disk.space != Plenty {
		return messages.ErrFull
	}
	return nil
}

// Damage names the damaged records and the frames that are gone.
func (s *Store) Damage() (all []store.Damage) {
	d := s.disk
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(d.damaged)) {
		all = append(all, store.Damage{Stream: "control", Lost: "record " + key, Advice: "accept the loss"})
	}
	next := d.first()
	for _, w := range append(slices.Clone(d.frames), written{sequence: d.last + 1}) {
		for next < w.sequence {
			gone := d.gone(next, w.sequence-1)
			if next = gone.To + 1; gone.Reason == store.Damaged {
				all = append(all, store.Damage{Stream: "journal", Lost: fmt.Sprintf("frames %d to %d", gone.From, gone.To), Advice: "readers are told"})
			}
		}
		next = w.sequence + 1
	}
	return all
}

// Close closes the handle's watches; every later call answers store.ErrClosed.
func (s *Store) Close() error {
	s.disk.mu.Lock()
	defer s.disk.mu.Unlock()
	s.closed = true
	for _, w := range s.disk.watches {
		if w.store == s {
			w.end()
		}
	}
	s.disk.dropEnded()
	return nil
}

// begin is how every call starts: it meets its fault, then takes the disk. On
// nil the caller holds disk.mu and gives it back.
func (s *Store) begin(ctx context.Context, op Op, key string) (Fault, error) {
	s.disk.mu.Lock()
	s.calls++
	call := Call{Op: op, Key: key, Number: s.calls}
	var fault Fault
	if next := s.injected[op]; len(next) > 0 {
		fault, s.injected[op] = next[0], next[1:]
		s.disk.mu.Unlock()
	} else {
		s.disk.mu.Unlock()
		fault = s.fault(call)
	}
	err := ctx.Err()
	if fault.Delay > 0 && err == nil {
		err = s.disk.cfg.Sleep(ctx, fault.Delay)
	}
	if err == nil {
		err = fault.Err
	}
	if err != nil {
		return fault, fmt.Errorf("%s: %w", call, err)
	}
	s.disk.mu.Lock()
	if s.closed {
		s.disk.mu.Unlock()
		return fault, fmt.Errorf("%s: %w", call, store.ErrClosed)
	}
	s.disk.retain()
	return fault, nil
}

// beginWrite is begin for what needs space.
func (s *Store) beginWrite(ctx context.Context, op Op, key string) (Fault, error) {
	fault, err := s.begin(ctx, op, key)
	if err == nil && s.disk.full(op) {
		s.disk.mu.Unlock()
		err = fmt.Errorf("%s %q: %w", op, key, messages.ErrFull)
	}
	return fault, err
}

// write does a write that begin has let through, or has it done later. Holding mu.
func write[T any](d *Disk, fault Fault, op Op, key string, do func() (T, error)) (none T, err error) {
	if fault.Late == nil {
		done, err := do()
		if err == nil {
			err = fault.after(op, key)
		}
		if err != nil {
			return none, err
		}
		return done, nil
	}
	fault.Late(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.full(op) {
			_, _ = do() // nobody waits for the answer
		}
	})
	return none, fmt.Errorf("%s %q: %w", op, key, messages.ErrAmbiguous)
}

// full says whether there is no room for such a write. Holding mu.
func (d *Disk) full(op Op) bool {
	return d.space == None || d.space == AtReserve && op != ControlCAS && op != ControlDelete
}

// after is what a write that happened is answered with.
func (f Fault) after(op Op, key string) error {
	if f.Ambiguous {
		return fmt.Errorf("%s %q: %w", op, key, messages.ErrAmbiguous)
	}
	return nil
}

package shard

import (
	"maps"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// entry is one slot: it counts against its key's limit from the moment it is
// here, and its connection is admitted once it is durable.
type entry struct {
	slot    *messages.Slot
	waiting *actor.PID // told when it is durable; nil once it is
	at      int        // in slots.all
	gone    bool       // freed
}

// slots are those that should be in the record.
type slots struct {
	all          []*entry          // no order
	byConnection map[string]*entry // nil: as the shard's
	byKey        map[string][]*entry
}

// load adds those of a record.
func (s *slots) load(record *messages.Shard) {
	for _, slot := range record.GetSlots() {
		if s.byConnection[slot.GetConnectionId()] == nil {
			s.add(slot)
		}
	}
}

func (s *slots) add(slot *messages.Slot) *entry {
	e := &entry{slot: slot, at: len(s.all)}
	s.all = append(s.all, e)
	set(&s.byConnection, slot.GetConnectionId(), e)
	set(&s.byKey, slot.GetKeyId(), append(s.byKey[slot.GetKeyId()], e))
	return e
}

func (s *slots) remove(e *entry) {
	last := s.all[len(s.all)-1]
	s.all[e.at], last.at = last, e.at
	s.all[len(s.all)-1] = nil
	s.all = s.all[:len(s.all)-1]
	e.gone = true
	delete(s.byConnection, e.slot.GetConnectionId())
	key := e.slot.GetKeyId()
	left := slices.DeleteFunc(s.byKey[key], func(o *entry) bool { return o == e })
	if s.byKey[key] = left; len(left) == 0 {
		delete(s.byKey, key)
	}
}

// count is how many slots a key has on an API.
func (s *slots) count(keyID string, api messages.Api) (n int) {
	for _, e := range s.byKey[keyID] {
		if e.slot.GetApi() == api {
			n++
		}
	}
	return n
}

// which are those of a key on an API for which it holds.
func (s *slots) which(keyID string, api messages.Api, holds func(*messages.Slot) bool) (found []*entry) {
	for _, e := range s.byKey[keyID] {
		if e.slot.GetApi() == api && holds(e.slot) {
			found = append(found, e)
		}
	}
	return found
}

func (s *slots) of(keyID string) []*messages.Slot {
	return list(s.byKey[keyID])
}

// keys are those that have a slot, in order.
func (s *slots) keys() []string {
	if len(s.byKey) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(s.byKey))
}

func list(entries []*entry) []*messages.Slot {
	all := make([]*messages.Slot, len(entries))
	for i, e := range entries {
		all[i] = e.slot
	}
	return all
}

package router

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// subscriptions say whose each standing query of the index is.
type subscriptions struct {
	owners      map[index.ID]owner
	connections map[string]*subscriber // by connection id
	keys        map[string]*keyed      // by key id
	next        index.ID               // never reused
	numberings  uint64                 // given to keys so far
}

// owner is a connection's subscription or a key's query k.
type owner struct {
	subscriber *subscriber
	key        *keyed
	k          uint32
}

// subscriber is a connection on this node. The fields below pid gather what
// one frame means to it, so that it is told once a frame.
type subscriber struct {
	id  string
	pid *actor.PID
	at  index.ID

	join   uint64 // number of the join in force
	newest uint64 // number of the newest Deliveries sent to it: the frame's sequence

	mask    mask
	special []*messages.Delivery // this subscriber's own form of an event
}

// keyed is a key that has queries here.
type keyed struct {
	id      string
	notify  *actor.PID
	queries map[uint32]index.ID
	number  uint64 // of the newest Matched

	numbering uint64 // that number belongs to

	hits []*messages.Hit // of the frame being handled
}

func newSubscriptions() subscriptions {
	return subscriptions{
		owners: map[index.ID]owner{}, connections: map[string]*subscriber{}, keys: map[string]*keyed{},
	}
}

// subscribe puts or replaces a connection's query.
func (s *subscriptions) subscribe(x *index.Index, connection string, pid *actor.PID, q *messages.Query) error {
	compiled, err := rule.Compile(q)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	at := s.next
	if err := x.Put(at, compiled); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.next++
	sub := s.connections[connection]
	if sub == nil {
		sub = &subscriber{id: connection}
		s.connections[connection] = sub
	} else {
		s.drop(x, sub.at)
	}
	sub.pid, sub.at = pid, at
	s.owners[at] = owner{subscriber: sub}
	return nil
}

// leave forgets a connection.
func (s *subscriptions) leave(x *index.Index, connection string) {
	if sub := s.connections[connection]; sub != nil {
		s.drop(x, sub.at)
		delete(s.connections, connection)
	}
}

// put changes a key's queries, all or none.
func (s *subscriptions) put(x *index.Index, m *messages.PutQueries, notify *actor.PID) error {
	compiled := make([]*rule.Compiled, len(m.GetPut()))
	for i, q := range m.GetPut() {
		c, err := rule.Compile(q)
		if err != nil {
			return fmt.Errorf("put query %d of %s: %w", q.GetK(), m.GetKeyId(), err)
		}
		compiled[i] = c
	}
	key := s.keys[m.GetKeyId()]
	if key == nil {
		s.numberings++
		key = &keyed{id: m.GetKeyId(), queries: map[uint32]index.ID{}, numbering: s.numberings}
		s.keys[m.GetKeyId()] = key
	}
	key.notify = notify
	for _, k := range m.GetRemove() {
		s.remove(x, key, k)
	}
	for i, q := range m.GetPut() {
		s.remove(x, key, q.GetK())
		if err := x.Put(s.next, compiled[i]); err != nil {
			return fmt.Errorf("put query %d of %s: %w", q.GetK(), m.GetKeyId(), err)
		}
		key.queries[q.GetK()] = s.next
		s.owners[s.next] = owner{key: key, k: q.GetK()}
		s.next++
	}
	return nil
}

func (s *subscriptions) remove(x *index.Index, key *keyed, k uint32) {
	if at, ok := key.queries[k]; ok {
		s.drop(x, at)
		delete(key.queries, k)
	}
}

func (s *subscriptions) dropKey(x *index.Index, id string) {
	key := s.keys[id]
	if key == nil {
		return
	}
	for _, at := range key.queries {
		s.drop(x, at)
	}
	delete(s.keys, id)
}

func (s *subscriptions) drop(x *index.Index, at index.ID) {
	x.Remove(at)
	delete(s.owners, at)
}

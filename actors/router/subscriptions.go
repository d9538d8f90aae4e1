package router

import (
	"fmt"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// subscriptions say whose each standing query of the index is.
type subscriptions struct {
	owners      map[index.ID]owner
	connections map[string]*subscriber // by connection id
	shards      map[int]*sharded
	next        index.ID // never reused
	numberings  uint64   // given to keys so far
}

// owner is a connection's subscription or a key's query.
type owner struct {
	subscriber *subscriber
	key        *keyed
	query      queryName
}

// queryName is one version of a key's query k.
type queryName struct{ k, version uint32 }

// subscriber is a connection on this node. The fields below pid gather what
// one frame means to it, so that it is told once a frame.
type subscriber struct {
	id  string
	pid *actor.PID
	at  index.ID

	join   uint64 // number of the join in force
	newest uint64 // number of the newest Deliveries sent to it: the position up to which it tells

	mask    mask
	special []*messages.Delivery // this subscriber's own form of an event
}

// sharded are the keys of one shard that have queries here.
type sharded struct {
	keys map[string]*keyed
	// dropped is the newest term whose owner has given the shard up: its late
	// messages must not bring queries back that nobody would take away again.
	dropped uint64
}

// keyed is a key that has queries here.
type keyed struct {
	id      string
	term    uint64 // of the owner that asked last; an older one is not heard
	queries map[queryName]index.ID
	number  uint64 // of the newest Matched

	numbering uint64 // that number belongs to

	hits  []*messages.Hit // of the turn
	bytes uint64          // their events'
}

func newSubscriptions() subscriptions {
	return subscriptions{
		owners: map[index.ID]owner{}, connections: map[string]*subscriber{}, shards: map[int]*sharded{},
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

// shard is the shard of a key, nil where nothing was ever put for it.
func (s *subscriptions) shard(keyID string) *sharded { return s.shards[actors.ShardOf(keyID)] }

// key is nil where the key has nothing here.
func (s *subscriptions) key(keyID string) *keyed {
	if shard := s.shard(keyID); shard != nil {
		return shard.keys[keyID]
	}
	return nil
}

// everyKey is all keys by id.
func (s *subscriptions) everyKey() (all []*keyed) {
	for _, shard := range s.shards {
		for _, key := range shard.keys {
			all = append(all, key)
		}
	}
	slices.SortFunc(all, func(a, b *keyed) int { return strings.Compare(a.id, b.id) })
	return all
}

// put changes a key's queries. Those that do not compile are returned and left
// out: they were accepted by a newer version of the language. newest is not 0
// where a later owner of the key has spoken: then nothing was changed.
func (s *subscriptions) put(x *index.Index, m *messages.PutQueries) (refused []*messages.QueryRefused, newest uint64) {
	key, newest := s.keyOf(m.GetKeyId(), m.GetTerm())
	if newest != 0 {
		return nil, newest
	}
	wanted := map[queryName]bool{}
	for _, q := range m.GetPut() {
		name := queryName{q.GetK(), q.GetVersion()}
		wanted[name] = true
		if _, there := key.queries[name]; there {
			continue
		}
		if err := s.putOne(x, key, name, q); err != nil {
			refused = append(refused, &messages.QueryRefused{
				Query: &messages.QueryName{K: name.k, Version: name.version}, Detail: err.Error(),
			})
		}
	}
	for _, r := range m.GetRemove() {
		s.remove(x, key, queryName{r.GetK(), r.GetVersion()})
	}
	if m.GetAll() {
		for name := range key.queries {
			if !wanted[name] {
				s.remove(x, key, name)
			}
		}
	}
	return refused, 0
}

// keyOf is the key, made where it is new, or the newest term when that is later.
func (s *subscriptions) keyOf(keyID string, term uint64) (key *keyed, newest uint64) {
	number := actors.ShardOf(keyID)
	shard := s.shards[number]
	if shard == nil {
		shard = &sharded{keys: map[string]*keyed{}}
		s.shards[number] = shard
	}
	if dropped := shard.dropped; actors.ShardTerm(term) <= dropped && dropped != 0 {
		return nil, actors.KeyTerm(dropped, 0)
	}
	key = shard.keys[keyID]
	if key == nil {
		s.numberings++
		key = &keyed{id: keyID, queries: map[queryName]index.ID{}, numbering: s.numberings}
		shard.keys[keyID] = key
	}
	if term < key.term {
		return nil, key.term
	}
	key.term = term
	return key, 0
}

func (s *subscriptions) putOne(x *index.Index, key *keyed, name queryName, q *messages.Query) error {
	compiled, err := rule.Compile(q)
	if err != nil {
		return err
	}
	if err := x.Put(s.next, compiled); err != nil {
		return err
	}
	key.queries[name] = s.next
	s.owners[s.next] = owner{key: key, query: name}
	s.next++
	return nil
}

func (s *subscriptions) remove(x *index.Index, key *keyed, name queryName) {
	if at, ok := key.queries[name]; ok {
		s.drop(x, at)
		delete(key.queries, name)
	}
}

func (s *subscriptions) dropKey(x *index.Index, id string, term uint64) {
	if key := s.key(id); key != nil && term >= key.term {
		s.forget(x, key)
		delete(s.shard(id).keys, id)
	}
}

// dropShard forgets all keys of a shard whose owner of that term gives it up.
func (s *subscriptions) dropShard(x *index.Index, number int, term uint64) {
	shard := s.shards[number]
	if shard == nil {
		shard = &sharded{keys: map[string]*keyed{}}
		s.shards[number] = shard
	}
	shard.dropped = max(shard.dropped, term)
	for id, key := range shard.keys {
		if actors.ShardTerm(key.term) <= term {
			s.forget(x, key)
			delete(shard.keys, id)
		}
	}
}

func (s *subscriptions) forget(x *index.Index, key *keyed) {
	for _, at := range key.queries {
		s.drop(x, at)
	}
}

func (s *subscriptions) drop(x *index.Index, at index.ID) {
	x.Remove(at)
	delete(s.owners, at)
}

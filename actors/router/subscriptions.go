package router

import (
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
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
	ends        ends
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
	id     string
	pid    *actor.PID
	at     index.ID
	query  *messages.Query // as it was asked for
	budget bucket          // of its changes

	join   uint64 // number of the current join
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
		ends: ends{},
	}
}

// newID is one that no query ever had.
func (s *subscriptions) newID() index.ID {
	s.next++
	return s.next - 1
}

// subscribe gives the query that was put as at to the connection, in the place
// of the one it had. first: it had none.
func (s *subscriptions) subscribe(x *index.Index, m *messages.Join, pid *actor.PID, at index.ID) (sub *subscriber, first bool) {
	sub = s.connections[m.GetConnectionId()]
	if first = sub == nil; first {
		sub = &subscriber{id: m.GetConnectionId()}
		s.connections[sub.id] = sub
	} else {
		s.drop(x, sub.at)
	}
	sub.pid, sub.at, sub.query, sub.join = pid, at, m.GetQuery(), m.GetJoin()
	s.owners[at] = owner{subscriber: sub}
	return sub, first
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

// put changes a key's queries, all at once: at[i] is what m.Put[i] was put as,
// noID where the key has it already or it was refused. through is how far the
// router has come: what others decide up to a later position stays until then.
func (s *subscriptions) put(x *index.Index, key *keyed, m *messages.PutQueries, at []index.ID, through messages.Position) {
	wanted := map[queryName]bool{}
	for i, q := range m.GetPut() {
		name := nameOf(q)
		wanted[name] = true
		if at[i] != noID {
			s.remove(x, key, name) // where one message names a query twice
			key.queries[name] = at[i]
			s.owners[at[i]] = owner{key: key, query: name}
		}
		if q.GetUntil() != 0 {
			s.end(x, key, name, q.GetUntil(), through)
		}
	}
	for _, r := range m.GetRemove() {
		s.end(x, key, queryName{r.GetK(), r.GetVersion()}, r.GetUntil(), through)
	}
	if m.GetAll() {
		for name := range key.queries {
			if !wanted[name] {
				s.remove(x, key, name)
			}
		}
	}
}

func nameOf(q *messages.Query) queryName { return queryName{q.GetK(), q.GetVersion()} }

// newer is the newest term of the key that is known, where it is later than
// term; else 0.
func (s *subscriptions) newer(keyID string, term uint64) uint64 {
	if shard := s.shard(keyID); shard != nil && shard.dropped != 0 && actors.ShardTerm(term) <= shard.dropped {
		return actors.KeyTerm(shard.dropped, 0)
	}
	if key := s.key(keyID); key != nil && term < key.term {
		return key.term
	}
	return 0
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
	delete(s.ends, at)
}

package router

import (
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// ends are the queries that stay until the router has come to a position: past
// it another version decides, or none. There are some where a key has moved to a
// node whose router is behind the one that the key had: changes hold from the
// log's end as the key found it, and up to there the versions before them match.
//
// Invariant: each is in the index, so there are never more than queries.
type ends map[index.ID]messages.Position

// end removes a version of the key's, as soon as the router has come to until.
func (s *subscriptions) end(x *index.Index, key *keyed, name queryName, until uint64, through messages.Position) {
	if messages.Position(until) <= through {
		s.remove(x, key, name)
		return
	}
	if at, ok := key.queries[name]; ok {
		s.ends[at] = messages.Position(until)
	}
}

// endThrough removes what is due. It may come late: of a version that is over the
// key delivers nothing.
func (s *subscriptions) endThrough(x *index.Index, through messages.Position) (ended bool) {
	for at, until := range s.ends {
		if until <= through {
			o := s.owners[at]
			s.remove(x, o.key, o.query)
			ended = true
		}
	}
	return ended
}

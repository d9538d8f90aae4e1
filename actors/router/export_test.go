package router

import (
	"github.com/birdwire/birdwire/actors/router/index"
	"github.com/birdwire/birdwire/messages"
)

// Queries are all that the index holds, and those of them that nobody owns.
func (s *State) Queries() (all, unowned int) { return s.index.Len(), len(s.unowned) }

// Spoil has every commit of the key fail before it has given anything to it.
func (s *State) Spoil(keyID string) (mend func()) {
	key := s.subscriptions.key(keyID)
	queries := key.queries
	key.queries = nil
	return func() { key.queries = queries }
}

// Put is how many queries were ever put.
func (s *State) Put() int { return int(s.subscriptions.next) }

// Words is how much there is to put of the query.
func (s *State) Words(q *messages.Query) int {
	all, _ := prepare(s.index.Encoder(), []*messages.Query{q})
	return all[0].encoded.Words()
}

// Words is how much a worker's answer has to put.
func Words(answer any) (words int) {
	for _, p := range answer.(*compiled).prepared {
		words += p.encoded.Words()
	}
	return words
}

// SpoilPut has putting the answer's query i panic.
func SpoilPut(answer any, i int) {
	answer.(*compiled).prepared[i] = prepared{encoded: new(index.Encoded)}
}

// Cut takes the answers from i on away: the commit of the change panics there.
func Cut(answer any, i int) {
	m := answer.(*compiled)
	m.prepared = m.prepared[:i]
}

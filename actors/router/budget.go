package router

import (
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// What clients' subscriptions may cost. A term is about a keyword: two
// microseconds to compile, and its part of every merge. Every subscription
// counts four more, so that their number is bounded too.
//
// The burst is what a client, and all connections of a key that come back at
// once, may ask for before it has to wait: a hundred connections with a
// thousand keywords each, or thirty thousand that want everything. The rates
// leave a key less than a hundredth of a core.
const (
	joinCost = 4

	connectionBurst = 12_000
	connectionRate  = 600 // terms a second
	keyBurst        = 120_000
	keyRate         = 4_000

	// bucketsMost: past it those that are full again are forgotten.
	bucketsMost = 1024
)

// bucket is what is left of a budget. The zero value is a full one.
type bucket struct {
	used float64 // of the burst
	at   actors.Instant
}

// take spends the cost, or says how long to wait for it. What costs more than
// the whole burst may be had with a full bucket.
func (b *bucket) take(cost, burst, rate float64, now actors.Instant) (wait time.Duration) {
	b.used = max(0, b.used-(now-b.at).Seconds()*rate)
	b.at = now
	if over := b.used + min(cost, burst) - burst; over > 0 {
		return time.Duration(over / rate * float64(time.Second))
	}
	b.used += cost
	return 0
}

// giveBack undoes a take.
func (b *bucket) giveBack(cost float64) { b.used = max(0, b.used-cost) }

// budgets are what keys have left.
type budgets map[string]*bucket

// of is a key's bucket.
func (b budgets) of(keyID string, now actors.Instant) *bucket {
	k := b[keyID]
	if k != nil {
		return k
	}
	if len(b) >= bucketsMost {
		for id, k := range b {
			if k.used <= (now-k.at).Seconds()*keyRate {
				delete(b, id)
			}
		}
	}
	k = &bucket{at: now}
	b[keyID] = k
	return k
}

// costOf is about what compiling queries costs, in terms.
func costOf(queries []*messages.Query) (n int) {
	for _, q := range queries {
		n += termsOf(q)
	}
	return n
}

func termsOf(q *messages.Query) int {
	switch want := q.GetWant().(type) {
	case *messages.Query_Rule:
		return 1 + len(want.Rule)/8
	case *messages.Query_Monitor:
		return listCost(want.Monitor.GetUsernames()) + listCost(want.Monitor.GetAuthorIds())
	case *messages.Query_Newsrank:
		f := want.Newsrank
		n := listCost(f.GetTopics()) + listCost(f.GetCategories()) + listCost(f.GetSources()) + listCost(f.GetKeywords()) + listCost(f.GetTickers())
		n += len(f.GetEntities())
		for _, e := range f.GetEmbeddingFilters() {
			n += 1 + len(e.GetEmbedding())/64
		}
		return n
	case *messages.Query_Kite:
		f := want.Kite
		return listCost(f.GetSources()) + listCost(f.GetCategories()) + listCost(f.GetKeywords()) + listCost(f.GetTickers()) + listCost(f.GetCompanies())
	}
	return 1
}

func listCost(list []string) int {
	n := len(list)
	for _, s := range list {
		n += len(s) / 16
	}
	return n
}

package router_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// term is of a key's actor that its shard has started second in its third term.
var term = actors.KeyTerm(3, 2)

func ruleQuery(k, version uint32, text string) *messages.Query {
	return &messages.Query{K: k, Version: version, Want: &messages.Query_Rule{Rule: text}}
}

func name(k, version uint32) *messages.QueryName { return &messages.QueryName{K: k, Version: version} }

// put asks in the name of the key's owner.
func (r *rig) put(m *messages.PutQueries) *messages.QueriesPut {
	m.KeyId = "key-1"
	if m.GetTerm() == 0 {
		m.Term = term
	}
	r.owner.Request(r.pid, m)
	return testkit.Expect[*messages.QueriesPut](r.owner)
}

// hits appends the posts and says what the key's owner is told of them, as
// place: k.version.
func (r *rig) hits(texts ...string) (hits []string) {
	var events []*messages.Event
	for _, text := range texts {
		events = append(events, post(fmt.Sprintf("%d-%d", r.log.last, len(events)), text))
	}
	r.Tell(r.pid, r.log.append(events...))
	r.Settle()
	for _, m := range r.owner.Messages() {
		for _, h := range m.(*messages.Matched).GetHits() {
			at := fmt.Sprintf("%d:", messages.Position(h.GetPosition()).Index())
			for i, k := range h.GetK() {
				at += fmt.Sprintf(" %d.%d", k, h.GetVersion()[i])
			}
			hits = append(hits, at)
		}
	}
	return hits
}

func wantHits(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestOneMessageAKeyAndFrame(t *testing.T) {
	run(t, func(r *rig) {
		put := r.put(&messages.PutQueries{Id: 5, Put: []*messages.Query{
			ruleQuery(3, 1, "mars"), ruleQuery(1, 1, "moon"), ruleQuery(2, 1, "from:nasa"),
		}})
		if put.GetId() != 5 || put.GetPosition() != 0 || len(put.GetRefused()) != 0 {
			t.Fatalf("put: %v", put)
		}
		r.Tell(r.pid, r.log.append(post("1", "the moon"), article("9", "the moon"), post("2", "nothing"), post("3", "mars and the moon")))
		m := testkit.Expect[*messages.Matched](r.owner)
		if m.GetNumber() != 1 || m.GetTerm() != term || m.GetKeyId() != "key-1" {
			t.Errorf("matched: %v", m)
		}
		var hits []string
		for _, h := range m.GetHits() {
			hits = append(hits, fmt.Sprint(messages.Position(h.GetPosition()).Index(), h.GetK()))
		}
		wantHits(t, hits, "0 [1 2]", "2 [2]", "3 [1 2 3]")
		r.owner.Request(r.pid, &messages.AskThrough{KeyId: "key-1"})
		if m := testkit.Expect[*messages.Through](r.owner); m.GetPosition() != uint64(messages.EndOf(1)) || m.GetKeyId() != "key-1" || m.GetNumber() != 1 || m.GetNumbering() != 1 {
			t.Errorf("through: %v", m)
		}
		r.Tell(r.pid, &messages.DropKey{KeyId: "key-1", Term: term - 1}) // of an owner before
		wantHits(t, r.hits("mars"), "0: 2.1 3.1")
		r.Tell(r.pid, &messages.DropKey{KeyId: "key-1", Term: term})
		wantHits(t, r.hits("mars"))
	})
}

// A removal names the version: one that was decided on an older state, and
// comes late or twice, takes nothing newer away.
func TestVersionsOfAQueryAreHeldBesideEachOther(t *testing.T) {
	run(t, func(r *rig) {
		first := &messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 4, "moon")}}
		r.put(first)
		r.put(&messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 5, "moon OR sun")}})
		wantHits(t, r.hits("moon", "sun"), "0: 1.4 1.5", "1: 1.5")
		for range 2 {
			r.put(&messages.PutQueries{Remove: []*messages.QueryName{name(1, 4), name(7, 1)}})
			wantHits(t, r.hits("moon", "sun"), "0: 1.5", "1: 1.5")
		}
		// What is there already is not put again, whatever the text.
		r.put(&messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 5, "mars")}})
		wantHits(t, r.hits("sun", "mars"), "0: 1.5")
		all := &messages.PutQueries{All: true, Put: []*messages.Query{ruleQuery(1, 6, "mars"), ruleQuery(2, 1, "sun")}}
		for range 2 {
			r.put(all)
			wantHits(t, r.hits("sun", "mars"), "0: 2.1", "1: 1.6")
		}
	})
}

// A key that has moved here names versions that end further on than this router
// has come: they match until it is there, and go by themselves.
func TestAVersionStaysUntilTheRouterHasComeToItsEnd(t *testing.T) {
	run(t, func(r *rig) {
		ending := func(q *messages.Query, sequence uint64) *messages.Query {
			q.Until = uint64(messages.EndOf(sequence))
			return q
		}
		r.put(&messages.PutQueries{All: true, Put: []*messages.Query{
			ruleQuery(1, 2, "moon"), ending(ruleQuery(1, 1, "sun OR moon"), 1), ending(ruleQuery(2, 1, "moon"), 2),
		}})
		removal := name(1, 2)
		removal.Until = uint64(messages.EndOf(3))
		for range 2 { // it may come twice
			r.put(&messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 3, "mars OR moon")}, Remove: []*messages.QueryName{removal}})
		}
		wantHits(t, r.hits("moon", "sun"), "0: 1.1 1.2 1.3 2.1", "1: 1.1")
		wantHits(t, r.hits("moon", "sun"), "0: 1.2 1.3 2.1")
		wantHits(t, r.hits("moon", "mars"), "0: 1.2 1.3", "1: 1.3")
		wantHits(t, r.hits("moon", "mars"), "0: 1.3", "1: 1.3")
		// What is over where the router is is not put at all.
		r.put(&messages.PutQueries{Put: []*messages.Query{ending(ruleQuery(3, 1, "moon"), 4)}})
		wantHits(t, r.hits("moon"), "0: 1.3")
		if all, unowned := r.state.Queries(); all != 1 || unowned != 0 {
			t.Errorf("the index holds %d queries, %d of nobody", all, unowned)
		}
		// A key that goes takes along what was to end later.
		r.put(&messages.PutQueries{Remove: []*messages.QueryName{{K: 1, Version: 3, Until: uint64(messages.EndOf(9))}}})
		r.Tell(r.pid, &messages.DropKey{KeyId: "key-1", Term: term})
		for range 9 {
			wantHits(t, r.hits("moon"))
		}
		if all, _ := r.state.Queries(); all != 0 {
			t.Errorf("the index holds %d queries", all)
		}
	})
}

func TestAQueryThatDoesNotCompileIsNamedAndTheOthersArePut(t *testing.T) {
	run(t, func(r *rig) {
		m := &messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 1, "moon"), ruleQuery(2, 9, "(("), ruleQuery(3, 1, "sun")}}
		for range 2 {
			got := r.put(m).GetRefused()
			if len(got) != 1 || got[0].GetQuery().GetK() != 2 || got[0].GetQuery().GetVersion() != 9 || got[0].GetDetail() == "" {
				t.Fatalf("refused: %v", got)
			}
			wantHits(t, r.hits("moon", "sun"), "0: 1.1", "1: 3.1")
		}
	})
}

// The newest owner is heard, and none before it.
func TestAnOwnerBeforeIsNotHeard(t *testing.T) {
	run(t, func(r *rig) {
		r.put(&messages.PutQueries{Put: []*messages.Query{ruleQuery(1, 1, "moon")}})
		for _, late := range []*messages.PutQueries{
			{Term: term - 1, Put: []*messages.Query{ruleQuery(2, 1, "moon")}},
			{Term: term - 1, Remove: []*messages.QueryName{name(1, 1)}},
			{Term: actors.KeyTerm(2, 99), All: true},
		} {
			late.KeyId = "key-1"
			r.owner.Request(r.pid, late)
			if got := testkit.Expect[*messages.NotOwner](r.owner); got.GetKeyId() != "key-1" || got.GetTerm() != term || got.GetShard() != uint32(actors.ShardOf("key-1")) {
				t.Fatalf("answered %v", got)
			}
			wantHits(t, r.hits("moon"), "0: 1.1")
		}
		r.put(&messages.PutQueries{Term: actors.KeyTerm(4, 0), All: true, Put: []*messages.Query{ruleQuery(1, 1, "moon"), ruleQuery(3, 1, "moon")}})
		wantHits(t, r.hits("moon"), "0: 1.1 3.1")
	})
}

// A shard that is given up takes all its keys' queries along, and what its
// owner said before and comes late does not bring them back.
func TestAShardThatIsGivenUpLeaves(t *testing.T) {
	run(t, func(r *rig) {
		number := uint32(actors.ShardOf("key-1"))
		put := &messages.PutQueries{KeyId: "key-1", Term: term, Put: []*messages.Query{ruleQuery(1, 1, "moon")}}
		r.put(put)
		drop := &messages.DropShard{Shard: number, Term: actors.ShardTerm(term)}
		for range 2 {
			r.owner.Request(r.pid, drop)
			if got := testkit.Expect[*messages.ShardDropped](r.owner); got.GetShard() != number || got.GetTerm() != drop.GetTerm() {
				t.Fatalf("answered %v", got)
			}
			wantHits(t, r.hits("moon"))
			r.owner.Request(r.pid, put)
			testkit.Expect[*messages.NotOwner](r.owner)
			wantHits(t, r.hits("moon"))
		}
		r.put(&messages.PutQueries{Term: actors.KeyTerm(4, 0), Put: []*messages.Query{ruleQuery(1, 1, "moon")}})
		wantHits(t, r.hits("moon"), "0: 1.1")
		r.owner.Request(r.pid, drop) // late: a newer owner is there
		testkit.Expect[*messages.ShardDropped](r.owner)
		wantHits(t, r.hits("moon"), "0: 1.1")
		r.owner.ExpectNoMessage(time.Second)
	})
}

package connection_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// This file is what happens to a key whose rules change, and whose shard is
// given up and taken again, while clients follow it, come and go.

// between are the messages between a key, its shard and a router, besides those
// of the conversation with followers.
var between = append([]string{"PutQueries", "QueriesPut", "DropKey", "DropShard", "ShardDropped", "NotOwner"}, conversationNames...)

// owned has harm come to what changes of rules and of ownership send.
func owned(w *world) *world {
	w.faults.names = between
	return w
}

// owner is somebody who changes the key's rules, without waiting, and notes
// what is answered.
type owner struct {
	w     *world
	r     *rand.Rand
	asker *testkit.Probe
	rules map[string]*messages.Rule // that there are, by id, as they were shown last
	n     int
}

func newOwner(w *world, r *rand.Rand) *owner {
	o := &owner{w: w, r: r, asker: w.k.Probe(), rules: map[string]*messages.Rule{}}
	for _, rule := range w.ask(&messages.ListRules{KeyId: worldKey}).(*messages.RulesListed).GetRules() {
		o.rules[rule.GetId()] = rule
	}
	return o
}

// change asks for one change of one rule.
func (o *owner) change() {
	o.n++
	word, tag := words[o.r.IntN(len(words))], fmt.Sprint("tag-", o.n)
	var some *messages.Rule
	for _, rule := range o.rules { // any
		if some == nil || rule.GetK() < some.GetK() == (o.n%2 == 0) {
			some = rule
		}
	}
	if some == nil || len(o.rules) < 2 {
		o.asker.Request(o.w.shard, &messages.CreateRule{KeyId: worldKey, Rule: &messages.Rule{Tag: tag, Query: word}})
		return
	}
	set := func(rule *messages.Rule, field string) {
		rule.Id = some.GetId()
		o.asker.Request(o.w.shard, &messages.UpdateRule{KeyId: worldKey, Rule: rule, Fields: []string{field}})
	}
	switch o.r.IntN(7) {
	case 0:
		o.asker.Request(o.w.shard, &messages.DeleteRule{KeyId: worldKey, RuleId: some.GetId()})
		delete(o.rules, some.GetId())
	case 1:
		set(&messages.Rule{Tag: tag}, "tag")
	case 2:
		set(&messages.Rule{Query: word}, "query")
	case 3:
		set(&messages.Rule{Status: "paused"}, "status")
		set(&messages.Rule{Status: "active"}, "status")
	case 4:
		set(&messages.Rule{Status: "paused"}, "status")
	default:
		set(&messages.Rule{Status: "active"}, "status")
	}
}

// hear takes the answers: what a rule is now decides every event that
// is appended from now on.
func (o *owner) hear() {
	o.w.t.Helper()
	end := messages.EndOf(uint64(len(o.w.log.frames)))
	for _, m := range o.asker.Messages() {
		if s, ok := m.(*messages.RuleShown); ok {
			o.rules[s.GetRule().GetId()] = s.GetRule()
			if after := messages.Position(s.GetRule().GetAfter()); after > end {
				o.w.t.Errorf("a change is answered that takes effect after %d, and the log ends at %d", after, end)
			}
		}
	}
}

// times are what happens in these tests.
func (w *world) times(r *rand.Rand, moves bool) {
	stays, comes := w.connect(messages.Api_API_TWITTER, nil), w.connect(messages.Api_API_TWITTER, nil)
	w.connect(messages.Api_API_NEWSRANK, &filters{words: []string{"moon"}})
	o := newOwner(w, r)
	for i := range 24 {
		for range r.IntN(3) {
			o.change()
		}
		// Events come while a change is in the router and not in the store.
		if r.IntN(2) == 0 {
			w.k.Worker.Hold()
			for range r.IntN(3) {
				w.k.Settle()
				w.k.Worker.ReleaseNext()
			}
			w.k.Settle()
		}
		for range 1 + r.IntN(2) {
			w.random(r)
		}
		w.k.Worker.Release()
		if r.IntN(2) == 0 {
			w.k.Advance(time.Duration(r.IntN(400)) * time.Millisecond)
			w.step()
		}
		if i%6 == 5 && !comes.closed {
			w.k.Tell(comes.pid, &messages.End{Reason: messages.EndReason_END_EVICTED})
			w.k.Settle()
		}
		if moves && i%8 == 7 {
			w.k.Tell(w.shard, &messages.Deactivate{})
			w.random(r)
			w.k.Advance(time.Duration(r.IntN(3000)) * time.Millisecond)
			w.random(r)
			w.k.Tell(w.shard, &messages.Activate{})
		}
		o.hear()
	}
	w.faults.end()
	w.k.Tell(w.shard, &messages.Activate{})
	w.advance(15 * time.Second)
	o.hear()
	// Whatever is active now matches.
	for range 3 {
		w.append(w.event(true, 0, words...))
	}
	w.k.Settle()
	_ = stays
}

// judgeChanges asks the oracle with the versions that the key says there were.
func (w *world) judgeChanges(name string) {
	w.t.Helper()
	w.advance(time.Second)
	end := messages.EndOf(uint64(len(w.log.frames)))
	answer := w.ask(&messages.AskQueries{KeyId: worldKey, Through: uint64(end)}).(*messages.Queries)
	if messages.Position(answer.GetPosition()) < end {
		w.t.Errorf("%s: what decides is known up to %d, of %d", name, answer.GetPosition(), end)
	}
	w.versions = answer.GetQueries()
	// Those that there are, and are active, match the last events.
	rules := w.ask(&messages.ListRules{KeyId: worldKey, Status: "active"}).(*messages.RulesListed).GetRules()
	last := 0
	for _, u := range w.units(messages.Api_API_TWITTER) {
		if u.position.Sequence() == uint64(len(w.log.frames)) {
			last++
		}
	}
	if last != len(rules) {
		w.t.Errorf("%s: %d rules are active, and %d match", name, len(rules), last)
	}
	w.judge(name)
}

// TestRulesThatChange: in every order of events, with messages harmed by
// chance, what a client sees is what the rules wanted as they were then,
// whether it stayed or came back.
func TestRulesThatChange(t *testing.T) {
	t.Parallel()
	seeds := 150
	if testing.Short() {
		seeds = 40
	}
	testkit.RunSeeds(t, seeds, func(t *testing.T, k *testkit.Kit) {
		r := rand.New(rand.NewPCG(k.Rand.Uint64N(1<<62), 11))
		w := owned(newWorld(t, k, "moon", "sun"))
		if r.IntN(3) == 0 {
			w.cfg.Follow = follow.Config{Near: 1}
			w.log.found = 1 + r.IntN(4)
		}
		if r.IntN(4) > 0 {
			w.faults.begin(func(string, int) harm {
				if r.IntN(15) > 0 {
					return none
				}
				return lost + harm(r.IntN(4))
			}, nil)
		}
		w.times(r, k.Rand.Uint64N(2) == 0)
		w.judgeChanges("by chance")
	})
}

// TestEachMessageOfAChangeHarmed: each message, by its turn, comes to each harm
// while rules change and the shard is given up and taken again.
func TestEachMessageOfAChangeHarmed(t *testing.T) {
	t.Parallel()
	turns := 5
	if testing.Short() {
		turns = 2
	}
	for _, name := range append([]string{"Matched", "Through", "AskQueries", "Queries", "Join", "Joined", "Rejoin", "Deliveries"}, between[:6]...) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= turns; n++ {
				for _, h := range []harm{lost, doubled, late, veryLate} {
					testkit.Run(t, func(k *testkit.Kit) {
						w := owned(newWorld(t, k, "moon", "sun"))
						w.faults.begin(func(message string, i int) harm {
							if message == name && i == n {
								return h
							}
							return none
						}, nil)
						w.times(rand.New(rand.NewPCG(uint64(n), 13)), true)
						w.judgeChanges(fmt.Sprintf("%s %d %v", name, n, h))
					})
				}
			}
		})
	}
}

// TestActorsFailWhileRulesChange: a key, a shard or a router fails with any
// message of a change.
func TestActorsFailWhileRulesChange(t *testing.T) {
	t.Parallel()
	turns := 4
	if testing.Short() {
		turns = 2
	}
	for kind, names := range map[string][]string{
		"apikey": {"QueriesPut", "send PutQueries", "Matched", "send Deliveries", "AskQueries", "send Queries"},
		"shard":  {"QueriesPut", "ShardDropped", "send DropShard"},
		"router": {"PutQueries", "send QueriesPut", "send Matched", "DropShard"},
	} {
		for _, name := range names {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				for n := 1; n <= turns; n++ {
					testkit.Run(t, func(k *testkit.Kit) {
						w := owned(newWorld(t, k, "moon", "sun"))
						w.faults.begin(nil, func(at, message string, i int) bool { return at == kind && message == name && i == n })
						w.times(rand.New(rand.NewPCG(uint64(n), 17)), true)
						w.k.Panics()
						w.judgeChanges(fmt.Sprintf("%s fails at %s %d", kind, name, n))
					})
				}
			})
		}
	}
}

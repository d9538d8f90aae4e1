package apikey_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// bounds are a log's.
type bounds struct{ first, last messages.Position }

func (b *bounds) Bounds(context.Context) (first, last messages.Position, err error) {
	return b.first, b.last, nil
}

// versions are what the key says it had, as text.
func (r *rig) versions() string {
	r.t.Helper()
	var all []string
	for _, q := range ask[*messages.Queries](r, &messages.AskQueries{KeyId: keyID, Through: 1 << 40}).GetQueries() {
		all = append(all, fmt.Sprintf("%s=%s(%d,%d]", q.GetOrigin().GetName(), q.GetRule(), q.GetAfter(), q.GetUntil()))
	}
	return strings.Join(all, " ")
}

func (r *rig) at(position uint64) *rig {
	r.router.position = position
	return r
}

// A key keeps what its rules were, over restarts, for as long as the log keeps
// events that they decided.
func TestVersionsAreKeptAsLongAsTheLog(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		log := &bounds{first: 1, last: 1000}
		r := newRig(t, k, func(c *apikey.Config) { c.Log = log }).create()
		a := r.rule("A", "a")
		b := r.at(110).rule("B", "b")
		ask[*messages.RuleShown](r.at(120), updateRule(a.GetId(), &messages.Rule{Query: "c"}, "query"))
		ask[*messages.RuleShown](r.at(130), updateRule(a.GetId(), &messages.Rule{Tag: "A2"}, "tag"))
		ask[*messages.Deleted](r.at(140), &messages.DeleteRule{KeyId: keyID, RuleId: b.GetId()})
		ask[*messages.RuleShown](r.at(150), updateRule(a.GetId(), &messages.Rule{Status: "paused"}, "status"))
		r.at(200)
		const all = "A=a(100,120] A=c(120,130] B=b(110,140] A2=c(130,150]"
		if got := r.versions(); got != all {
			t.Errorf("versions %s, want %s", got, all)
		}
		k.Stop(r.shard)
		r.startShard()
		if got := r.versions(); got != all {
			t.Errorf("after a restart %s", got)
		}
		// The rule that is gone keeps nothing else.
		if r.has(actors.RuleRecord(keyID, b.GetId())) || !r.has(actors.PastRecord(keyID, b.GetK(), b.GetVersion())) {
			t.Errorf("records %v", records(k).All())
		}

		log.first = 131
		p, _ := r.join("c1") // so that the key stays
		k.Advance(2 * time.Hour)
		p.Messages()
		if got := r.versions(); got != "B=b(110,140] A2=c(130,150]" {
			t.Errorf("after the log has let go of a part: %s", got)
		}
		left := 0
		for _, record := range records(k).All() {
			if strings.HasPrefix(record.Key, actors.PastRecords(keyID)) {
				left++
			}
		}
		if left != 2 {
			t.Errorf("%d records of versions are left", left)
		}

		// Nobody asks for what a revoked key had.
		ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
		k.Advance(time.Second)
		for _, record := range records(k).All() {
			if strings.Contains(record.Key, keyID) && record.Key != actors.KeyRecord(keyID) {
				t.Errorf("%s is left", record.Key)
			}
		}
	})
}

// What the router says while a change is not durable waits at the gate, in
// order, and is decided by what became of the change.
func TestHitsWaitForAChangeThatDecidesThem(t *testing.T) {
	for name, c := range map[string]struct {
		fault *memory.RecordFault
		want  string // who is told of which post
	}{
		"it becomes durable": {nil, "before A, after B"},
		"it fails":           {&memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Err: messages.ErrFull}, "before A, after A"},
		"it happened although the answer was lost": {&memory.RecordFault{Op: memory.ControlCAS, Prefix: "rules.", Ambiguous: true}, "before A, after B"},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
				a := r.rule("A", "a")
				p, _ := r.join("c1")
				k.Worker.Hold()
				r.at(110)
				r.client.Request(r.shard, updateRule(a.GetId(), &messages.Rule{Tag: "B"}, "tag"))
				k.Settle()
				if k.Worker.Held() != 1 || len(r.router.queries) != 2 {
					t.Fatalf("%d jobs, router %v", k.Worker.Held(), r.router.queries)
				}
				r.at(105).matchBoth("before", a) // on its way when the router answered
				r.at(110).matchBoth("after", a)
				var told []string
				read := func() {
					for _, m := range p.Messages() {
						for _, d := range m.(*messages.Deliveries).GetDeliveries() {
							told = append(told, d.GetEvent().GetId()+" "+d.GetOrigin().GetName())
						}
					}
				}
				if read(); len(told) != 1 {
					t.Errorf("while the change is not durable: %v", told)
				}
				if c.fault != nil {
					records(k).Inject(*c.fault)
				}
				k.Worker.Release()
				k.Advance(time.Second)
				if read(); strings.Join(told, ", ") != c.want {
					t.Errorf("told %v, want %s", told, c.want)
				}
			})
		})
	}
}

// A key has moved to a node whose router is behind what was handed out already.
// A change takes effect after all of that: until the router has come there, whoever
// joined here is told of what the version before matches, and so is who resumes.
func TestAChangeWhileTheRouterIsBehind(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		b := ask[*messages.RuleShown](r.at(115), updateRule(a.GetId(), &messages.Rule{Tag: "B"}, "tag")).GetRule()
		k.Stop(r.shard)
		r.cfg.Log = &bounds{first: 1, last: 120}
		clear(r.router.queries)
		r.router.number = 0
		r.at(112).startShard()
		p, joined := r.join("c1")
		if joined.GetPosition() != 112 || len(r.router.queries) != 2 {
			t.Errorf("joined at %d, and the router has %v", joined.GetPosition(), r.router.queries)
		}
		c := ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Tag: "C"}, "tag")).GetRule()
		if c.GetAfter() != 120 || len(r.router.queries) != 3 {
			t.Errorf("changed at %d, and the router has %v", c.GetAfter(), r.router.queries)
		}
		var told []string
		for r.router.position < 122 {
			r.matchAll(a)
		}
		for _, m := range p.Messages() {
			for _, d := range m.(*messages.Deliveries).GetDeliveries() {
				told = append(told, d.GetEvent().GetId()+d.GetOrigin().GetName())
			}
		}
		if got := strings.Join(told, " "); got != "113A 114A 115A 116B 117B 118B 119B 120B 121C 122C" {
			t.Errorf("told %s", got)
		}
		if got := r.versions(); got != "A=a(100,115] B=a(115,120] C=a(120,0]" || b.GetAfter() != 115 {
			t.Errorf("versions %s", got)
		}
	})
}

// A connection joins where the router has all of the key's queries, not where it
// was before: what came in between would not have matched all that it should.
func TestAJoinWaitsForTheQueries(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.rule("A", "a")
		p := r.connect(messages.Api_API_TWITTER, "c1")
		k.Stop(r.shard)
		clear(r.router.queries)
		r.router.slow = true
		r.startShard()
		p.Messages()
		p.Request(r.shard, &messages.Join{ConnectionId: "c1", KeyId: keyID, Connection: actors.RefOf(p.PID())})
		r.compiled() // what the shard has put of all its keys
		testkit.Expect[*messages.Rejoin](p)
		p.ExpectNoMessage(0)
		r.at(140).compiled()
		if joined := testkit.Expect[*messages.Joined](p); joined.GetPosition() != 140 {
			t.Errorf("joined at %d, and the router has had the rule from 140", joined.GetPosition())
		}
	})
}

// compiled has the router be done with what it is compiling.
func (r *rig) compiled() {
	r.t.Helper()
	r.k.Tell(r.cfg.Router, act(func(actor.Context) {
		for _, put := range r.router.compiling {
			put()
		}
		r.router.compiling = nil
	}))
	r.k.Settle()
}

// matchAll has the router find a post, which is named by its position, for all
// versions of the rule that it has.
func (r *rig) matchAll(rule *messages.Rule) {
	r.t.Helper()
	r.router.position++
	r.router.number++
	id := fmt.Sprint(r.router.position)
	hit := &messages.Hit{Position: r.router.position, Event: &messages.Event{Id: id, Body: &messages.Event_Post{Post: &messages.Post{Id: id}}}}
	for version := range uint32(10) {
		if r.router.queries[name{rule.GetK(), version}] != nil {
			hit.K, hit.Version = append(hit.K, rule.GetK()), append(hit.Version, version)
		}
	}
	r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number, Hits: []*messages.Hit{hit}})
	r.router.over()
}

// matchBoth has the router find the post for both versions of the rule that it has.
func (r *rig) matchBoth(id string, rule *messages.Rule) {
	r.t.Helper()
	r.router.position++
	r.router.number++
	r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number, Hits: []*messages.Hit{{
		Position: r.router.position, K: []uint32{rule.GetK(), rule.GetK()}, Version: []uint32{rule.GetVersion(), rule.GetVersion() + 1},
		Event: &messages.Event{Id: id, Body: &messages.Event_Post{Post: &messages.Post{Id: id}}},
	}}})
}

// Past its bound the gate drops, and the connection sees that something is
// missing.
func TestTheGateIsBounded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.GateBytes = 1 }).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1")
		k.Worker.Hold()
		r.client.Request(r.shard, updateRule(a.GetId(), &messages.Rule{Tag: "B"}, "tag"))
		k.Settle()
		for range 3 {
			r.matchBoth("post", a)
		}
		p.ExpectNoMessage(0)
		if r.counts["gate_full"] != 2 {
			t.Errorf("counts %v", r.counts)
		}
		k.Worker.Release()
		if got := testkit.Expect[*messages.Deliveries](p); got.GetNumber() != 1 {
			t.Errorf("delivered %v", got)
		}
		r.matchBoth("post", a)
		if got := testkit.Expect[*messages.Deliveries](p); got.GetPrevious() == 1 {
			t.Errorf("delivered %v, as if nothing were missing", got)
		}
	})
}

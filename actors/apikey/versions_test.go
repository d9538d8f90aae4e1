package apikey_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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

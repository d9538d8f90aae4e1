package apikey_test

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// A post that a monitor and two rules match makes three deliveries, for every
// connection of the key, as one shared message.
func TestMatchedBecomesOneSharedMessage(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		m, a, b := r.monitor("Tech", "nasa"), r.rule("A", "a"), r.rule("B", "b")
		p1, j1 := r.join("c1")
		p2, j2 := r.join("c2")
		if j1.GetPosition() != 100 || j1.GetNumber() != 0 || j1.GetTerm() == 0 || j2.GetTerm() != j1.GetTerm() {
			t.Errorf("joined %v, %v", j1, j2)
		}
		r.match("1", m.GetK(), a.GetK(), b.GetK())
		d1, d2 := testkit.Expect[*messages.Deliveries](p1), testkit.Expect[*messages.Deliveries](p2)
		if d1 != d2 {
			t.Error("not shared")
		}
		origins := []*messages.Origin{
			{Kind: messages.OriginKind_ORIGIN_MONITOR, Id: m.GetId(), Name: "Tech"},
			{Kind: messages.OriginKind_ORIGIN_RULE, Id: a.GetId(), Name: "A"},
			{Kind: messages.OriginKind_ORIGIN_RULE, Id: b.GetId(), Name: "B"},
		}
		if d1.GetTerm() != j1.GetTerm() || d1.GetNumber() != 1 || len(d1.GetDeliveries()) != 3 {
			t.Fatalf("deliveries %v", d1)
		}
		for i, d := range d1.GetDeliveries() {
			if d.GetPosition() != 101 || d.GetK() != uint32(i+1) || !proto.Equal(d.GetOrigin(), origins[i]) || d.GetEvent().GetId() != "1" {
				t.Errorf("delivery %d: %v", i, d)
			}
		}
		_, j3 := r.join("c3")
		if j3.GetPosition() != 101 || j3.GetNumber() != 1 {
			t.Errorf("joined %v", j3)
		}
		r.match("2", b.GetK())
		if d := testkit.Expect[*messages.Deliveries](p1); d.GetNumber() != 2 || len(d.GetDeliveries()) != 1 {
			t.Errorf("deliveries %v", d)
		}
		r.disconnect(messages.Api_API_TWITTER, "c1")
		r.match("3", b.GetK())
		p1.ExpectNoMessage(0)
		if d := p2.Messages(); len(d) != 2 {
			t.Errorf("c2 got %v", d)
		}
	})
}

func TestRepeatedAndForeignHitsAreDropped(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1")
		hit := func(number, position uint64, ks ...uint32) {
			r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: number, Hits: []*messages.Hit{{Position: position, K: ks, Version: r.router.versions(ks), Event: &messages.Event{}}}})
		}
		hit(1, 101, a.GetK())
		testkit.Expect[*messages.Deliveries](p)
		hit(2, 101, a.GetK()) // the router began again: the key has had it
		r.router.queries[name{77, 2}] = &messages.Query{K: 77, Version: 2}
		hit(3, 102, 77) // no such rule: the router is told to forget it
		p.ExpectNoMessage(0)
		if r.router.query(77) != nil || r.router.query(a.GetK()) == nil {
			t.Errorf("router has %v", r.router.queries)
		}
		hit(4, 100, a.GetK())
		p.ExpectNoMessage(0)
	})
}

func TestARuleDeliversNothingBeforeItsCreation(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a") // live from position 100 on
		p, _ := r.join("c1")
		k.Stop(r.shard) // a new instance has no position of its own yet
		r.startShard()
		k.Settle()
		p.Messages()
		r.rejoin(p, "c1")
		r.router.position = 98
		r.tell(&messages.Matched{KeyId: keyID, Term: r.router.term, Number: 1, Hits: []*messages.Hit{{Position: 100, K: []uint32{a.GetK()}, Version: []uint32{a.GetVersion()}, Event: &messages.Event{}}}})
		p.ExpectNoMessage(0)
	})
}

func TestJoinNeedsASlot(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		p := k.Probe()
		p.Request(r.shard, &messages.Join{ConnectionId: "c1", KeyId: keyID, Connection: actors.RefOf(p.PID())})
		testkit.Expect[*messages.JoinRefused](p)
	})
}

// A lost Matched is found by the next one, or by the router's word on how many
// there were. It is a hole in the key's own numbers: connections find it there,
// and read the log.
func TestALostMatchedIsFoundOut(t *testing.T) {
	for name, find := range map[string]func(r *rig, p *testkit.Probe, k uint32){
		"by the next": func(r *rig, p *testkit.Probe, k uint32) { r.match("3", k) },
		"by how many were": func(r *rig, p *testkit.Probe, k uint32) {
			p.Request(r.shard, &messages.AskThrough{ConnectionId: "c1", KeyId: keyID})
		},
		"by another's asking": func(r *rig, p *testkit.Probe, k uint32) { r.join("c2") },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
				a := r.rule("A", "a")
				p, _ := r.join("c1")
				r.match("1", a.GetK())
				testkit.Expect[*messages.Deliveries](p)
				r.router.number++ // the second is lost
				r.router.position++
				find(r, p, a.GetK())
				if name == "by the next" {
					if d := testkit.Expect[*messages.Deliveries](p); d.GetPrevious() != 2 || d.GetNumber() != 3 {
						t.Errorf("after number 1 came %v", d)
					}
				} else if m := testkit.Expect[*messages.Through](p); m.GetNumber() != 2 || m.GetPosition() != 102 {
					t.Errorf("after number 1: %v", m)
				}
				if r.counts["matched_lost"] != 1 {
					t.Errorf("counts %v", r.counts)
				}
				p.Messages()
				j := r.rejoin(p, "c1")
				r.match("4", a.GetK())
				if d := testkit.Expect[*messages.Deliveries](p); d.GetPrevious() != j.GetNumber() || d.GetNumber() != j.GetNumber()+1 {
					t.Errorf("joined %v, then %v", j, d)
				}
			})
		})
	}
}

func TestThroughComesAfterDeliveries(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		p1, _ := r.join("c1")
		p2, _ := r.join("c2")
		for _, p := range []*testkit.Probe{p1, p2} {
			id := map[*testkit.Probe]string{p1: "c1", p2: "c2"}[p]
			p.Request(r.shard, &messages.AskThrough{ConnectionId: id, KeyId: keyID})
			p.Request(r.shard, &messages.AskThrough{ConnectionId: id, KeyId: keyID})
		}
		r.match("1", a.GetK())
		for id, p := range map[string]*testkit.Probe{"c1": p1, "c2": p2} {
			through := testkit.FishFor[*messages.Through](p)
			if through.GetConnectionId() != id || through.GetPosition() < 100 {
				t.Errorf("%s: %v", id, through)
			}
		}
	})
}

func TestASilentRouterIsAskedAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		p := r.connect(messages.Api_API_TWITTER, "c1")
		r.router.mute = true
		p.Request(r.shard, &messages.Join{ConnectionId: "c1", KeyId: keyID, Connection: actors.RefOf(p.PID())})
		p.ExpectNoMessage(1999 * time.Millisecond)
		r.router.mute = false
		k.Advance(time.Millisecond)
		testkit.Expect[*messages.Joined](p)
	})
}

// After a failure the key begins again: its connections join again, under a
// higher term, and the router holds what the records say.
func TestARestartBringsConnectionsBack(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		a := r.rule("A", "a")
		p, j := r.join("c1")
		r.router.queries = map[name]*messages.Query{}
		r.failKey()
		testkit.Expect[*messages.Rejoin](p)
		if r.router.query(a.GetK()) == nil {
			t.Error("the router was not told again")
		}
		p.Request(r.shard, &messages.AskThrough{ConnectionId: "c1", KeyId: keyID})
		testkit.Expect[*messages.Rejoin](p) // it has not joined this instance
		j2 := r.rejoin(p, "c1")
		if j2.GetTerm() <= j.GetTerm() {
			t.Errorf("term %d after %d", j2.GetTerm(), j.GetTerm())
		}
		r.match("1", a.GetK())
		testkit.Expect[*messages.Deliveries](p)
		if d := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); d.GetConnections() != 1 {
			t.Errorf("described %v", d)
		}
	})
}

// failKey has the key's actor panic.
func (r *rig) failKey() {
	r.t.Helper()
	r.k.Tell(r.key, &actors.WorkPanicked{Reason: "boom"})
	if len(r.k.Panics()) != 1 {
		r.t.Fatal("the key did not fail")
	}
}

func TestAskQueries(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		m, a, b := r.monitor("M", "nasa"), r.rule("A", "a"), r.rule("B", "b")
		r.router.position = 110
		ask[*messages.RuleShown](r, &messages.UpdateRule{KeyId: keyID, Rule: &messages.Rule{Id: a.GetId(), Status: "paused"}, Fields: []string{"status"}})
		r.router.position = 120
		answer := ask[*messages.Queries](r, &messages.AskQueries{KeyId: keyID, Ask: 7, From: 110, Through: 130})
		got := answer.GetQueries()
		if len(got) != 2 || got[0].GetK() != m.GetK() || got[0].GetMonitor().GetUsernames()[0] != "nasa" ||
			got[1].GetK() != b.GetK() || got[1].GetRule() != "b" || got[1].GetAfter() != 100 || got[1].GetUntil() != 0 || got[1].GetOrigin().GetName() != "B" {
			t.Errorf("queries %v", got)
		}
		if answer.GetAsk() != 7 || answer.GetPosition() != 120 || answer.GetSince() != 0 {
			t.Errorf("answer %v", answer)
		}
		// The rule that is paused decided what came before.
		got = ask[*messages.Queries](r, &messages.AskQueries{KeyId: keyID, From: 109, Through: 130}).GetQueries()
		if len(got) != 3 || got[0].GetK() != a.GetK() || got[0].GetAfter() != 100 || got[0].GetUntil() != 110 {
			t.Errorf("queries %v", got)
		}
	})
}

// No order of events repeats a delivery, loses one, or changes the order.
func TestOrderInEveryOrder(t *testing.T) {
	testkit.RunSeeds(t, 40, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		p, j := r.join("c1")
		for i := range 30 {
			if k.Rand.Uint64N(3) == 0 {
				p.Request(r.shard, &messages.AskThrough{ConnectionId: "c1", KeyId: keyID})
			}
			k.Tell(r.cfg.Router, act(func(ctx actor.Context) {
				r.router.position++
				r.router.number++
				ctx.Send(r.shard, &messages.Matched{KeyId: keyID, Term: r.router.term, Number: r.router.number, Hits: []*messages.Hit{
					{Position: r.router.position, K: []uint32{a.GetK()}, Version: []uint32{a.GetVersion()}, Event: &messages.Event{}},
				}})
			}))
			if i%7 == 0 {
				k.Settle()
			}
		}
		number, position := j.GetNumber(), j.GetPosition()
		for _, m := range p.Messages() {
			switch m := m.(type) {
			case *messages.Deliveries:
				number++
				for _, d := range m.GetDeliveries() {
					if position++; d.GetPosition() != position || m.GetNumber() != number {
						t.Fatalf("number %d, position %d, want %d, %d", m.GetNumber(), d.GetPosition(), number, position)
					}
				}
			case *messages.Through:
				if m.GetPosition() > position {
					t.Fatalf("through %d, delivered up to %d", m.GetPosition(), position)
				}
			default:
				t.Fatalf("%T", m)
			}
		}
		if position != r.router.position {
			t.Errorf("delivered up to %d of %d", position, r.router.position)
		}
	})
}

// Every two minutes a key tells all its connections how far it is, by one word of the
// router: so none of them has to ask, and a message that was lost is noticed.
func TestAQuietKeyTellsAllItsConnectionsHowFarItIs(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		rule := r.rule("A", "a")
		p1, _ := r.join("c1")
		p2, _ := r.join("c2")
		asked := r.router.asked
		told := func(want uint64) {
			t.Helper()
			for _, p := range []*testkit.Probe{p1, p2} {
				var all []*messages.Through
				for _, m := range p.Messages() {
					if through, ok := m.(*messages.Through); ok {
						all = append(all, through)
					}
				}
				if len(all) == 0 || all[len(all)-1].GetNumber() != want || all[len(all)-1].GetPosition() != uint64(r.router.position) {
					t.Errorf("told %v, want number %d at %d", all, want, r.router.position)
				}
			}
		}
		k.Advance(2*time.Minute + time.Second)
		told(0)
		if n := r.router.asked - asked; n != 1 {
			t.Errorf("the router was asked %d times", n)
		}
		r.router.number++ // of a match that never came
		r.match("1", rule.GetK())
		p1.Messages()
		p2.Messages()
		r.router.number++
		k.Advance(2 * time.Minute)
		told(3) // the hole, what came, and another hole
	})
}

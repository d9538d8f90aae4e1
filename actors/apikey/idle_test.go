package apikey_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func TestAKeyThatNobodyNeedsStops(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		ask[*messages.Authorized](r, &messages.Authorize{Credential: credential("s")})
		k.Advance(5 * time.Minute)
		if r.running() {
			t.Fatal("still runs")
		}
		if got := r.storedKey().GetLastUsedMs(); got != testkit.Start.UnixMilli() {
			t.Errorf("last used %d", got)
		}
		// What matches starts it again, and it remembers for an hour.
		r.match("1", a.GetK())
		k.Advance(59 * time.Minute)
		if !r.running() {
			t.Error("stopped with a record of a delivery")
		}
		if l := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID}); l.GetTotal() != 1 || l.GetDeliveries()[0].GetStatus() != "no_connection" {
			t.Errorf("deliveries %v", l)
		}
		k.Advance(5 * time.Minute)
		if r.running() {
			t.Error("still runs")
		}
	})
}

func TestAConnectionKeepsItsKey(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		r.connect(messages.Api_API_KITE, "c1")
		k.Advance(time.Hour)
		if !r.running() {
			t.Fatal("stopped")
		}
		r.disconnect(messages.Api_API_KITE, "c1")
		k.Advance(5 * time.Minute)
		if r.running() {
			t.Error("still runs")
		}
	})
}

// Nothing that is sent while a key stops is lost: it is asked something at
// every instant around the moment it goes.
func TestNothingIsLostAroundTheEnd(t *testing.T) {
	testkit.RunSeeds(t, 40, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k).create()
		k.DeadLetters()
		for range 20 {
			// Up to the minute at which it asks to be stopped, and then at once.
			k.Advance(time.Minute - time.Duration(k.Rand.Uint64N(3))*time.Millisecond)
			r.client.Messages()
			n := int(k.Rand.Uint64N(3)) + 1
			for range n {
				r.client.Request(r.shard, &messages.DescribeKey{KeyId: keyID})
			}
			k.Advance(time.Duration(k.Rand.Uint64N(3)) * time.Millisecond)
			if got := len(r.client.Messages()); got != n {
				t.Fatalf("%d answers to %d questions", got, n)
			}
		}
		for _, l := range k.DeadLetters() {
			if _, system := l.Message.(actor.SystemMessage); !system {
				if _, timer := l.Message.(interface{ GetKeyId() string }); timer {
					t.Errorf("lost: %T", l.Message)
				}
			}
		}
	})
}

// Unknown ids come and go at once; several questions at once are all answered.
func TestNothingIsLostOfAnUnknownKey(t *testing.T) {
	testkit.RunSeeds(t, 40, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k)
		for range 20 {
			r.client.Request(r.shard, &messages.DescribeKey{KeyId: keyID})
			r.client.Request(r.shard, admitMessage(messages.Api_API_KITE, "c"))
			if k.Rand.Uint64N(2) == 0 {
				k.Settle()
			}
		}
		if got := len(r.client.Messages()); got != 40 {
			t.Errorf("%d answers", got)
		}
		if r.running() {
			t.Error("its actor stays")
		}
	})
}

// A child goes home after a minute and hands its figures over.
func TestFiguresSurviveTheirChild(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		starts := 0
		r := newRig(t, k, func(c *apikey.Config) {
			rule := c.Rule
			c.Rule = func(id string, f *messages.Figures) *actor.Props {
				starts++
				return rule(id, f)
			}
		}).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1") // keeps the key
		r.match("1", a.GetK())
		r.match("2", a.GetK())
		k.Advance(3 * time.Minute)
		r.match("3", a.GetK())
		k.Advance(3 * time.Minute)
		r.disconnect(messages.Api_API_TWITTER, "c1")
		p.Messages()
		r.match("4", a.GetK())
		at := k.Clock.Now()
		got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()})
		if want := (&messages.Figures{Matched: 4, Delivered: 3, LastMatchMs: at.UnixMilli()}); !proto.Equal(got.GetFigures(), want) || !proto.Equal(got.GetRule(), a) {
			t.Errorf("shown %v, want %v", got, want)
		}
		if starts != 3 {
			t.Errorf("%d starts", starts)
		}
	})
}

// A hit in the very moment of going home is counted.
func TestNoHitIsLostWhileAChildRetires(t *testing.T) {
	testkit.RunSeeds(t, 30, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k).create()
		a := r.rule("A", "a")
		r.join("c1")
		hits := int64(0)
		for range 10 {
			k.Advance(time.Minute - time.Duration(k.Rand.Uint64N(2))*time.Millisecond)
			k.Advance(time.Minute)
			r.match("x", a.GetK())
			hits++
		}
		got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()})
		if got.GetFigures().GetMatched() != hits {
			t.Errorf("counted %d of %d", got.GetFigures().GetMatched(), hits)
		}
	})
}

// A query that brings the parser down brings down one rule's actor.
func TestAFailureInOneRuleIsItsOwn(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		a, b := r.rule("A", "a"), r.rule("B", "b")
		p, _ := r.join("c1")
		r.match("1", b.GetK())
		for i := range 8 { // more often than a child's budget
			got := r.rejected(updateRule(a.GetId(), &messages.Rule{Query: "panic"}, "query"))
			if got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
				t.Fatalf("%d: %v", i, got)
			}
		}
		if n := len(k.Panics()); n != 6 || r.counts["child_stopped"] != 1 || r.counts["child_restarted"] != 6 {
			t.Errorf("%d panics, counts %v", n, r.counts)
		}
		// It delivers all the same, and can be read.
		r.match("2", a.GetK(), b.GetK())
		if d := p.Messages(); len(d) != 2 || len(d[1].(*messages.Deliveries).GetDeliveries()) != 2 {
			t.Errorf("deliveries %v", d)
		}
		ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()})
		got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: b.GetId()})
		if got.GetFigures().GetMatched() != 2 {
			t.Errorf("the other's figures %v", got)
		}
		k.Advance(5 * time.Second)
		ask[*messages.RuleShown](r, updateRule(a.GetId(), &messages.Rule{Query: "fine"}, "query"))

		create := r.rejected(&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "C", Query: "panic"}})
		if create.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE || len(k.Panics()) != 1 {
			t.Errorf("create: %v", create)
		}
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 2 {
			t.Errorf("rules %v", l)
		}
	})
}

func TestRecordsThatCannotBeReadYet(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		a := r.rule("A", "a")
		k.Advance(10 * time.Minute)
		if r.running() {
			t.Fatal("still runs")
		}
		records(k).Inject(memory.RecordFault{Op: memory.ControlList, Prefix: "monitors.", Err: errors.New("down")})
		r.client.Messages()
		r.client.Request(r.shard, &messages.Authorize{Credential: credential("s")})
		r.match("1", a.GetK())
		if got := testkit.Expect[*messages.Refused](r.client); got.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD {
			t.Errorf("refused %v", got)
		}
		k.Advance(100 * time.Millisecond)
		if l := ask[*messages.DeliveriesListed](r, &messages.ListDeliveries{KeyId: keyID}); l.GetTotal() != 1 {
			t.Errorf("what matched in between is lost: %v", l)
		}
	})
}

func TestACorruptRuleIsLeftOut(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		r.rule("A", "a")
		records(k).Put(actors.RuleRecord(keyID, "rule-broken"), []byte{0xff})
		k.Stop(r.shard)
		r.startShard()
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID, Status: "active"}); l.GetTotal() != 1 || r.counts["record_corrupt"] != 1 {
			t.Errorf("rules %v, counts %v", l, r.counts)
		}
		ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: "rule-broken"})
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 1 {
			t.Errorf("after it was deleted: rules %v", l)
		}
	})
}

// What is damaged is shown as that, cannot be changed, and is deleted by its
// owner's word, which is final.
func TestADamagedRecordIsDeletedByItsOwner(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		rule := r.rule("A", "a")
		monitor := ask[*messages.MonitorShown](r, &messages.CreateMonitor{KeyId: keyID, Monitor: &messages.Monitor{Name: "m", Usernames: []string{"ada"}}}).GetMonitor()
		records(k).Damage(actors.RuleRecord(keyID, rule.GetId()))
		records(k).Damage(actors.MonitorRecord(keyID, monitor.GetId()))
		restart := func() {
			k.Stop(r.shard)
			r.startShard()
		}
		restart()
		if got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: rule.GetId()}).GetRule(); got.GetStatus() != "error" || !strings.Contains(got.GetStatusReason(), "damaged") {
			t.Errorf("shown %v", got)
		}
		if l := ask[*messages.MonitorsListed](r, &messages.ListMonitors{KeyId: keyID, Status: "error"}); l.GetTotal() != 1 || l.GetMonitors()[0].GetId() != monitor.GetId() {
			t.Errorf("monitors in error %v", l)
		}
		change := &messages.UpdateRule{KeyId: keyID, Rule: &messages.Rule{Id: rule.GetId(), Tag: "x"}, Fields: []string{"tag"}}
		if got := ask[*messages.Rejected](r, change); got.GetRejection() != messages.Rejection_REJECTION_CONFLICT || !strings.Contains(got.GetDetail(), "damaged") {
			t.Errorf("changed: %v", got)
		}
		if got := ask[*messages.Rejected](r, &messages.DeleteMonitor{KeyId: keyID, MonitorId: rule.GetId()}); got.GetRejection() != messages.Rejection_REJECTION_NOT_FOUND {
			t.Errorf("deleted as a monitor: %v", got)
		}
		ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: rule.GetId()})
		for range 2 { // as it is, and as it is read again
			if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 0 {
				t.Errorf("after it was deleted: %v", l)
			}
			if got := ask[*messages.Rejected](r, &messages.DeleteRule{KeyId: keyID, RuleId: rule.GetId()}); got.GetRejection() != messages.Rejection_REJECTION_NOT_FOUND {
				t.Errorf("deleted again: %v", got)
			}
			restart()
		}
		ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
		if kept(k, actors.MonitorRecord(keyID, monitor.GetId())) {
			t.Error("a revoked key has left its damaged monitor")
		}
	})
}

func kept(k *testkit.Kit, record string) bool {
	return slices.ContainsFunc(records(k).All(), func(r messages.KeptRecord) bool { return r.Key == record })
}

// Each of the two steps may fail, or be done with nobody to say so; and between
// them the process may end.
func TestDeletingADamagedRecordMayBeCut(t *testing.T) {
	for _, op := range []memory.Op{memory.ControlCAS, memory.ControlDelete, memory.ControlGet} {
		for _, ambiguous := range []bool{false, true} {
			for most := range 4 {
				testkit.Run(t, func(k *testkit.Kit) {
					r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
					rule := r.rule("A", "a")
					name := actors.RuleRecord(keyID, rule.GetId())
					records(k).Damage(name)
					k.Stop(r.shard)
					r.startShard()
					ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID})
					for range most {
						records(k).Inject(memory.RecordFault{Op: op, Prefix: name, Err: messages.ErrAmbiguous, Ambiguous: ambiguous})
					}
					r.client.Messages()
					r.client.Request(r.shard, &messages.DeleteRule{KeyId: keyID, RuleId: rule.GetId()})
					k.Advance(time.Minute)
					switch m := r.client.Messages()[0].(type) {
					case *messages.Deleted:
						if kept(k, name) {
							t.Errorf("%s failing %d times: deleted, and the record is there", op, most)
						}
					case *messages.Rejected:
						if m.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE || most == 0 {
							t.Errorf("%s failing %d times: %v", op, most, m)
						}
					default:
						t.Errorf("%s failing %d times: %v", op, most, m)
					}
					k.Stop(r.shard)
					r.startShard()
					if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() == 1 {
						ask[*messages.Deleted](r, &messages.DeleteRule{KeyId: keyID, RuleId: rule.GetId()})
					} else if l.GetTotal() > 1 {
						t.Errorf("%s failing %d times: then rules %v", op, most, l)
					}
					if kept(k, name) {
						t.Errorf("%s failing %d times: the record is there in the end", op, most)
					}
				})
			}
		}
	}
	testkit.Run(t, func(k *testkit.Kit) { // between the steps
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		records(k).Put(actors.RuleRecord(keyID, "rule-emptied"), nil)
		k.Stop(r.shard)
		r.startShard()
		if l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID}); l.GetTotal() != 0 {
			t.Errorf("rules %v", l)
		}
		if kept(k, actors.RuleRecord(keyID, "rule-emptied")) {
			t.Error("the record is there")
		}
	})
}

func TestHeldMessagesAreBounded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.HeldBytes = 2 * hold.Size(&messages.DescribeKey{KeyId: keyID}) }).create()
		k.Advance(10 * time.Minute)
		k.Worker.Hold()
		r.client.Messages()
		for range 3 {
			r.client.Request(r.shard, &messages.DescribeKey{KeyId: keyID})
		}
		if got := testkit.Expect[*messages.Rejected](r.client); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("rejected %v", got)
		}
		k.Worker.Release()
		if got := len(r.client.Messages()); got != 2 {
			t.Errorf("%d answers", got)
		}
	})
}

// A full worker pool delays, and loses nothing.
func TestAFullWorkerPoolDelays(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		k.Worker.Refuse(true)
		r.client.Messages()
		r.client.Request(r.shard, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "t", Query: "q"}})
		r.client.ExpectNoMessage(time.Second)
		k.Worker.Refuse(false)
		k.Advance(100 * time.Millisecond)
		testkit.Expect[*messages.RuleShown](r.client)
	})
}

// A key whose own record is damaged answers that, and is no key that is unknown;
// one whose rule is serves the rest.
func TestADamagedRecordIsSaid(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		rule, whole := r.rule("A", "a"), r.rule("B", "b")
		records(k).Damage(actors.RuleRecord(keyID, rule.GetId()))
		k.Stop(r.shard)
		r.startShard()
		l := ask[*messages.RulesListed](r, &messages.ListRules{KeyId: keyID})
		if l.GetTotal() != 2 || l.GetRules()[0].GetId() != whole.GetId() || l.GetRules()[1].GetStatus() != "error" || r.counts["record_corrupt"] == 0 {
			t.Errorf("rules %v, counts %v", l, r.counts)
		}
		records(k).Damage(actors.KeyRecord(keyID))
		k.Stop(r.shard)
		r.startShard()
		r.client.Messages()
		for range 3 {
			r.client.Request(r.shard, &messages.Authorize{Credential: credential("s")})
			got := testkit.Expect[*messages.Refused](r.client)
			if got.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD || !strings.Contains(got.GetDetail(), "damaged") {
				t.Errorf("refused %v", got)
			}
		}
	})
}

package shard_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func TestActivationTakesTheEpochAndFreesTheDead(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		dead, other := slot(keyID, "dead"), slot(keyID, "other")
		dead.Incarnation, other.Node = 6, "n2"
		put(t, k, actors.ShardRecord(number), &messages.Shard{
			Term: 41, Node: "n1", Incarnation: 6, Slots: []*messages.Slot{dead, slot(keyID, "live"), other},
		})
		r := newRig(t, k).start()
		want := &messages.Shard{Term: 42, Node: "n1", Incarnation: 7, Slots: []*messages.Slot{slot(keyID, "live"), other}}
		if got := r.record(); !proto.Equal(got, want) {
			t.Errorf("record %v, want %v", got, want)
		}
		// A key with connections starts by itself, and is told of them.
		if got := testkit.Expect[*got](r.seen).message.(*messages.KeyOwned); len(got.GetSlots()) != 2 || got.GetTerm()>>32 != 42 {
			t.Errorf("owned %v", got)
		}
	})
}

func TestActivationTriesAgain(t *testing.T) {
	for name, fault := range map[string]memory.RecordFault{
		"get fails":            {Op: memory.ControlGet, Err: errors.New("down")},
		"cas conflicts":        {Op: memory.ControlCAS, Err: messages.ErrConflict},
		"cas in doubt, done":   {Op: memory.ControlCAS, Ambiguous: true},
		"cas in doubt, undone": {Op: memory.ControlCAS, Err: messages.ErrAmbiguous},
		"list fails":           {Op: memory.ControlList, Err: errors.New("down")},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				stored(t, k, keyID)
				records(k).Inject(fault)
				active := 0
				r := newRig(t, k, func(c *shard.Config) { c.Active = func(int) { active++ } }).start()
				client := k.Probe()
				client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}})
				k.Advance(99 * time.Millisecond)
				if active != 0 {
					t.Fatal("active at once")
				}
				k.Advance(time.Millisecond)
				if active != 1 || r.record().GetTerm() == 0 || r.record().GetIncarnation() != 7 {
					t.Errorf("active %d, record %v", active, r.record())
				}
				if m := testkit.FishFor[*got](r.seen, func(g *got) bool { _, ok := g.message.(*messages.Authorize); return ok }); !m.sender.Equal(client.PID()) {
					t.Errorf("held message came from %v", m.sender)
				}
			})
		})
	}
}

func TestActivationPutsActiveQueriesOfActiveKeys(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		define := func(key string, state messages.KeyState) {
			put(t, k, actors.KeyRecord(key), &messages.Key{Id: key, State: state})
			put(t, k, actors.RuleRecord(key, "rule-2"), &messages.Rule{Id: "rule-2", K: 2, Tag: "b", Query: "two", Status: "active", CreatedPosition: 5})
			put(t, k, actors.RuleRecord(key, "rule-3"), &messages.Rule{Id: "rule-3", K: 3, Query: "three", Status: "paused"})
			put(t, k, actors.MonitorRecord(key, "mon-1"), &messages.Monitor{Id: "mon-1", K: 1, Usernames: []string{"a"}, Status: "active"})
		}
		define(keyID, messages.KeyState_KEY_ACTIVE)
		define(otherKey, messages.KeyState_KEY_REVOKED)
		put(t, k, actors.RuleRecord(sibling(otherKey), "orphan"), &messages.Rule{K: 1, Query: "x", Status: "active"})
		records(k).Put(actors.RuleRecord(keyID, "corrupt"), []byte{0xff})
		r := newRig(t, k)
		r.cfg.Logger = nil // the corrupt record is an error in the log
		r.start()

		m := testkit.Expect[*messages.PutQueries](r.router)
		if m.GetKeyId() != keyID || len(m.GetPut()) != 2 || m.GetPut()[0].GetK() != 1 || m.GetPut()[1].GetK() != 2 ||
			m.GetPut()[1].GetRule() != "two" || m.GetPut()[1].GetAfter() != 5 || !m.GetAll() || actors.ShardTerm(m.GetTerm()) != 1 {
			t.Errorf("put %v", m)
		}
		if !r.router.Sender().Equal(r.pid) || r.counts["record_corrupt"] != 1 {
			t.Errorf("asked by %v, counts %v", r.router.Sender(), r.counts)
		}
		// Not ready before the router has answered; it is asked again.
		k.Tell(r.pid, &messages.Matched{KeyId: keyID})
		r.router.ExpectNoMessage(1999 * time.Millisecond)
		k.Advance(time.Millisecond)
		if again := testkit.Expect[*messages.PutQueries](r.router); again.GetId() != m.GetId() {
			t.Errorf("asked again under another id: %v", again)
		}
		r.seen.ExpectNoMessage(0)
		r.router.Reply(&messages.QueriesPut{Id: m.GetId(), KeyId: keyID})
		testkit.FishFor[*got](r.seen, func(g *got) bool { _, ok := g.message.(*messages.Matched); return ok })
		r.seen.Messages()
		r.router.Reply(&messages.QueriesPut{Id: m.GetId(), KeyId: keyID}) // late and twice: not the key's
		r.seen.ExpectNoMessage(time.Minute)
	})
}

func TestOneRefusedQueryDoesNotSilenceItsKey(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		put(t, k, actors.KeyRecord(keyID), &messages.Key{Id: keyID, State: messages.KeyState_KEY_ACTIVE})
		for i, query := range []string{"good", "bad", "fine"} {
			id := "rule-" + query
			put(t, k, actors.RuleRecord(keyID, id), &messages.Rule{Id: id, K: uint32(i + 1), Query: query, Status: "active"})
		}
		active := false
		r := newRig(t, k, func(c *shard.Config) { c.Active, c.Logger = func(int) { active = true }, nil }).start()
		m := testkit.Expect[*messages.PutQueries](r.router)
		if len(m.GetPut()) != 3 {
			t.Errorf("put %v", m)
		}
		r.router.Reply(&messages.QueriesPut{Id: m.GetId(), KeyId: keyID, Refused: []*messages.QueryRefused{
			{Query: &messages.QueryName{K: 2}, Detail: "does not compile"},
		}})
		r.router.ExpectNoMessage(time.Minute)
		if !active || r.counts["query_refused"] != 1 {
			t.Errorf("active %v, counts %v", active, r.counts)
		}
	})
}

func TestPreloadedRecordsAreNotListed(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		key, _ := proto.Marshal(&messages.Key{Id: keyID, State: messages.KeyState_KEY_ACTIVE})
		rule, _ := proto.Marshal(&messages.Rule{Id: "rule-1", K: 1, Query: "q", Status: "active"})
		r := newRig(t, k, func(c *shard.Config) {
			c.Preload = func(n int) ([]messages.KeptRecord, bool) {
				return []messages.KeptRecord{
					{Key: actors.KeyRecord(keyID), Data: key}, {Key: actors.RuleRecord(keyID, "rule-1"), Data: rule},
				}, n == number
			}
		}).start()
		if m := testkit.Expect[*messages.PutQueries](r.router); m.GetKeyId() != keyID || len(m.GetPut()) != 1 {
			t.Errorf("put %v", m)
		}
		if n := records(k).Calls(memory.ControlList); n != 0 {
			t.Errorf("%d lists", n)
		}
	})
}

func TestHeldQueueIsBounded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		stored(t, k, keyID)
		k.Worker.Hold()
		r := newRig(t, k, func(c *shard.Config) {
			c.HeldBytes = 2 * hold.Size(&messages.Admit{Credential: &messages.Credential{KeyId: keyID}})
		}).start()
		client := k.Probe()
		credential := &messages.Credential{KeyId: keyID}
		for _, m := range []any{
			&messages.Admit{Credential: credential}, &messages.Authorize{Credential: credential},
			&messages.Admit{Credential: credential}, &messages.CreateRule{KeyId: keyID}, &messages.Join{KeyId: keyID}, &messages.Leave{KeyId: keyID},
		} {
			client.Request(r.pid, m)
		}
		if m := testkit.Expect[*messages.Refused](client); m.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD || m.GetRetryAfterMs() == 0 {
			t.Errorf("refused %v", m)
		}
		if m := testkit.Expect[*messages.Rejected](client); m.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("rejected %v", m)
		}
		testkit.Expect[*messages.JoinRefused](client)
		k.Worker.Release()
		client.ExpectNoMessage(time.Second)
		if got := r.answers(); !slices.Equal(got, []string{"*messages.Admit", "*messages.Authorize", "owned 0"}) {
			t.Errorf("handed on: %v", got)
		}
	})
}

func TestAFullWorkerPoolIsAskedAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		k.Worker.Refuse(true)
		active := false
		newRig(t, k, func(c *shard.Config) { c.Active = func(int) { active = true } }).start()
		k.Advance(time.Second)
		k.Worker.Refuse(false)
		if k.Advance(50 * time.Millisecond); !active {
			t.Error("not active")
		}
	})
}

func TestARestartIsAnActivation(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		before := r.running(keyID)
		r.take(keyID, "c1", 5)
		r.do(keyID, func(actor.Context) {}) // still there
		k.Tell(r.pid, &actors.WorkPanicked{Reason: "boom"})
		if len(k.Panics()) != 1 {
			t.Fatal("did not fail")
		}
		if got := r.record(); got.GetTerm() != 2 || !connections(got)["c1"] {
			t.Errorf("record %v", got)
		}
		after := testkit.FishFor(r.seen, func(g *got) bool {
			s, ok := g.message.(*messages.KeyOwned)
			return ok && len(s.GetSlots()) == 1
		}).message.(*messages.KeyOwned)
		if after.GetTerm() <= before.GetTerm() {
			t.Errorf("term %d after %d", after.GetTerm(), before.GetTerm())
		}
	})
}

// A damaged record costs what it is of: a rule itself, a key itself, and the
// shard's own nothing but who was connected.
func TestActivationOverDamagedRecords(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		stored(t, k, keyID)
		put(t, k, actors.RuleRecord(keyID, "rule-1"), &messages.Rule{Id: "rule-1", K: 1, Query: "one", Status: "active"})
		put(t, k, actors.RuleRecord(keyID, "rule-2"), &messages.Rule{Id: "rule-2", K: 2, Query: "two", Status: "active"})
		put(t, k, actors.ShardRecord(number), &messages.Shard{Term: 6000, Node: "n1", Incarnation: 6, Slots: []*messages.Slot{slot(keyID, "c1")}})
		for _, name := range []string{actors.RuleRecord(keyID, "rule-1"), actors.KeyRecord(otherKey), actors.ShardRecord(number)} {
			records(k).Damage(name)
		}
		r := newRig(t, k, func(c *shard.Config) { c.Logger = nil }).start()
		m := testkit.Expect[*messages.PutQueries](r.router)
		if m.GetKeyId() != keyID || len(m.GetPut()) != 1 || m.GetPut()[0].GetK() != 2 {
			t.Errorf("put %v, want the rule that is whole", m)
		}
		r.router.Reply(&messages.QueriesPut{Id: m.GetId(), KeyId: keyID})
		// Above every term that was: nothing of before is taken for the owner's.
		if got := r.record(); got.GetTerm() <= 6000 || len(got.GetSlots()) != 0 || got.GetIncarnation() != 7 {
			t.Errorf("record %v", got)
		}
		if r.counts["record_corrupt"] != 3 {
			t.Errorf("counts %v, want the shard, a key and a rule", r.counts)
		}
		// The key whose record is damaged is known: its actor says what it is.
		client := k.Probe()
		client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: otherKey}})
		if g := testkit.FishFor[*got](r.seen, func(g *got) bool { _, ok := g.message.(*messages.Authorize); return ok }); g.keyID != otherKey {
			t.Errorf("%v", g)
		}
	})
}

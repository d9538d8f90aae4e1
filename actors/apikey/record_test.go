package apikey_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func TestCreateKey(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		key := &messages.Key{
			Id: keyID, Name: "Ada's", Owner: "ada", Plan: "pro", Apis: []messages.Api{messages.Api_API_KITE}, SecretHash: hash("s"),
			State: messages.KeyState_KEY_REVOKED, NextK: 77, CreatedMs: 1, // not the caller's to say
		}
		got := ask[*messages.KeyDescribed](r, &messages.CreateKey{Key: key})
		want := &messages.Key{
			Id: keyID, Name: "Ada's", Owner: "ada", Plan: "pro", Apis: []messages.Api{messages.Api_API_KITE}, // and no scope: the caller has given none
			State: messages.KeyState_KEY_ACTIVE, CreatedMs: testkit.Start.UnixMilli(), NextK: 1,
		}
		if !proto.Equal(got.GetKey(), want) || got.GetMonth() != "2026-03" || got.GetCreditsLimit() != 150_000 || got.GetCreditsUsed() != 0 {
			t.Errorf("got %v", got)
		}
		if stored := r.storedKey(); !bytes.Equal(stored.GetSecretHash(), hash("s")) {
			t.Errorf("stored %v", stored)
		}
		if got := r.rejected(&messages.CreateKey{Key: key}); got.GetRejection() != messages.Rejection_REJECTION_CONFLICT {
			t.Errorf("twice: %v", got)
		}
	})
}

func TestCreateKeyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		change func(*messages.Key)
	}{
		"no name":      {"name", func(k *messages.Key) { k.Name = "" }},
		"a long name":  {"name", func(k *messages.Key) { k.Name = strings.Repeat("x", 101) }},
		"a bad owner":  {"owner", func(k *messages.Key) { k.Owner = "a\x1b" }},
		"no such plan": {"plan", func(k *messages.Key) { k.Plan = "gold" }},
		"no hash":      {"secret_hash", func(k *messages.Key) { k.SecretHash = nil }},
		"a bad scope":  {"scopes", func(k *messages.Key) { k.Scopes = []string{"ws:connect", "all"} }},
		"a bad API":    {"apis", func(k *messages.Key) { k.Apis = []messages.Api{9} }},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Scopes = []string{"ws:connect", "rules:write"} })
				key := &messages.Key{Id: keyID, Name: "n", Plan: "pro", SecretHash: hash("s")}
				c.change(key)
				if got := r.rejected(&messages.CreateKey{Key: key}); got.GetRejection() != messages.Rejection_REJECTION_INVALID || got.GetField() != c.field {
					t.Errorf("rejected %v", got)
				}
				if r.has(actors.KeyRecord(keyID)) {
					t.Error("stored")
				}
			})
		})
	}
}

func TestRevoke(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		rule := r.rule("t", "q")
		tw, _ := r.join("tw")
		news := r.connect(messages.Api_API_NEWSRANK, "news")
		for range 2 { // the second changes nothing
			if got := ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID}); got.GetKey().GetState() != messages.KeyState_KEY_REVOKED {
				t.Errorf("got %v", got)
			}
		}
		for name, p := range map[string]*testkit.Probe{"twitter": tw, "newsrank": news} {
			if got := testkit.Expect[*messages.End](p); got.GetReason() != messages.EndReason_END_REVOKED {
				t.Errorf("%s: %v", name, got)
			}
		}
		if r.router.drops != 1 || len(r.router.queries) != 0 {
			t.Errorf("router: %d drops, %v", r.router.drops, r.router.queries)
		}
		r.match("late", rule.GetK())
		tw.ExpectNoMessage(0)
		if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "c2")); got.GetRefusal() != messages.Refusal_REFUSAL_REVOKED {
			t.Errorf("admission: %v", got)
		}
		m := admitMessage(messages.Api_API_TWITTER, "c2")
		m.Credential = credential("x")
		if got := ask[*messages.Refused](r, m); got.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
			t.Errorf("admission with a wrong secret: %v", got)
		}
		tw.Request(r.shard, &messages.Join{ConnectionId: "tw", KeyId: keyID, Connection: actors.RefOf(tw.PID())})
		testkit.Expect[*messages.End](tw)
		for _, m := range []any{&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "u", Query: "q"}}, &messages.ListMonitors{KeyId: keyID}} {
			if got := r.rejected(m); got.GetRejection() != messages.Rejection_REJECTION_NOT_FOUND {
				t.Errorf("%T: %v", m, got)
			}
		}
		if got := r.rejected(&messages.RotateKey{KeyId: keyID, SecretHash: hash("t")}); got.GetRejection() != messages.Rejection_REJECTION_CONFLICT {
			t.Errorf("rotation: %v", got)
		}
	})
}

// A connection that was admitted to an instance before hears of it too.
func TestRevokedBeforeARestart(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		p := r.connect(messages.Api_API_KITE, "c1")
		revoked := r.storedKey()
		revoked.State = messages.KeyState_KEY_REVOKED
		data, _ := proto.Marshal(revoked)
		records(k).Put(actors.KeyRecord(keyID), data)
		k.Stop(r.shard)
		r.startShard()
		if got := testkit.Expect[*messages.End](p); got.GetReason() != messages.EndReason_END_REVOKED {
			t.Errorf("got %v", got)
		}
	})
}

// What tells a connection that its key is no more may be lost: it is told again,
// until it is gone.
func TestARevokedConnectionIsToldUntilItEnds(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		p, _ := r.join("c1")
		narrow := r.connect(messages.Api_API_KITE, "c2")
		ask[*messages.KeyDescribed](r, &messages.UpdateKey{KeyId: keyID, Key: &messages.Key{Apis: []messages.Api{messages.Api_API_TWITTER}}, Fields: []string{"apis"}})
		for range 3 {
			if got := testkit.Expect[*messages.End](narrow); got.GetReason() != messages.EndReason_END_EVICTED {
				t.Errorf("told %v", got)
			}
			k.Advance(2 * time.Second)
		}
		p.ExpectNoMessage(0)
		ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
		for range 3 {
			if got := testkit.Expect[*messages.End](p); got.GetReason() != messages.EndReason_END_REVOKED {
				t.Errorf("told %v", got)
			}
			k.Advance(2 * time.Second)
		}
		r.disconnect(messages.Api_API_TWITTER, "c1")
		r.disconnect(messages.Api_API_KITE, "c2")
		p.Messages()
		p.ExpectNoMessage(10 * time.Second)
		k.Advance(5 * time.Minute)
		if r.running() {
			t.Error("the key still runs")
		}
	})
}

// What cannot be deleted when a key is revoked is deleted once the store is well.
func TestWhatIsLeftOfARevokedKeyIsDeletedLater(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		rule := r.rule("t", "q")
		r.connect(messages.Api_API_TWITTER, "c1") // so that the key stays
		for range 9 {
			records(k).Inject(memory.RecordFault{Op: memory.ControlDelete, Prefix: "rules.", Err: errors.New("down")})
		}
		ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
		k.Advance(10 * time.Second)
		if !r.has(actors.RuleRecord(keyID, rule.GetId())) {
			t.Fatal("the rule is gone in spite of the store")
		}
		k.Advance(5 * time.Minute)
		if r.has(actors.RuleRecord(keyID, rule.GetId())) {
			t.Error("the rule is still there")
		}
	})
}

func TestRotationKeepsConnections(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		rule := r.rule("t", "q")
		p, _ := r.join("c1")
		if got := r.rejected(&messages.RotateKey{KeyId: keyID, SecretHash: []byte("short")}); got.GetField() != "secret_hash" {
			t.Errorf("rejected %v", got)
		}
		ask[*messages.KeyDescribed](r, &messages.RotateKey{KeyId: keyID, SecretHash: hash("new")})
		if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "c2")); got.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
			t.Errorf("the old secret: %v", got)
		}
		m := admitMessage(messages.Api_API_TWITTER, "c2")
		m.Credential = credential("new")
		ask[*messages.Admitted](r, m)
		r.match("1", rule.GetK())
		testkit.Expect[*messages.Deliveries](p)
	})
}

// Whatever a write's answer was, the caller is told what is so, or that it is
// not known; then it is asked for until it is, and the next call finds what is so.
func TestUncertainKeyWrites(t *testing.T) {
	down := errors.New("down")
	thrice := func(f memory.RecordFault) []memory.RecordFault { return []memory.RecordFault{f, f, f} }
	for name, c := range map[string]struct {
		faults  []memory.RecordFault
		unknown bool
		revoked bool // afterwards
	}{
		"happened":                {[]memory.RecordFault{{Op: memory.ControlCAS, Ambiguous: true}}, false, true},
		"did not happen":          {[]memory.RecordFault{{Op: memory.ControlCAS, Err: messages.ErrAmbiguous}}, false, true},
		"not known at once":       {thrice(memory.RecordFault{Op: memory.ControlCAS, Err: down}), true, true},
		"happened, never known":   {[]memory.RecordFault{{Op: memory.ControlCAS, Ambiguous: true}, {Op: memory.ControlGet, Err: down}, {Op: memory.ControlGet, Err: down}}, true, true},
		"the disk is nearly full": {[]memory.RecordFault{{Op: memory.ControlCAS, Err: messages.ErrFull}}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
				for _, f := range c.faults {
					f.Prefix = "keys."
					records(k).Inject(f)
				}
				if c.unknown {
					if got := r.rejected(&messages.RevokeKey{KeyId: keyID}); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
						t.Errorf("rejected %v", got)
					}
				} else {
					ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
				}
				k.Advance(10 * time.Second)
				got := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}).GetKey().GetState() == messages.KeyState_KEY_REVOKED
				if stored := r.storedKey().GetState() == messages.KeyState_KEY_REVOKED; got != c.revoked || stored != c.revoked {
					t.Errorf("revoked: %v, stored: %v", got, stored)
				}
			})
		})
	}
}

// A rotation whose answer was lost is asked for again: clients that have not been
// changed yet are served all the same.
func TestARotationAskedForTwiceKeepsTheFormerSecret(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		for range 2 {
			ask[*messages.KeyDescribed](r, &messages.RotateKey{KeyId: keyID, SecretHash: hash("new"), GraceMs: time.Hour.Milliseconds()})
		}
		for _, secret := range []string{"s", "new"} {
			ask[*messages.Authorized](r, &messages.Authorize{Credential: credential(secret)})
		}
	})
}

// A rotation with a grace lets clients be changed one after the other.
func TestARotationsGrace(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		admits := func(secret string) bool {
			_, admitted := ask[any](r, &messages.Authorize{Credential: credential(secret)}).(*messages.Authorized)
			return admitted
		}
		for _, ms := range []int64{-1, (91 * 24 * time.Hour).Milliseconds()} {
			if got := r.rejected(&messages.RotateKey{KeyId: keyID, SecretHash: hash("t"), GraceMs: ms}); got.GetField() != "grace_seconds" {
				t.Errorf("grace %d: %v", ms, got)
			}
		}
		described := ask[*messages.KeyDescribed](r, &messages.RotateKey{KeyId: keyID, SecretHash: hash("t"), GraceMs: time.Hour.Milliseconds()})
		if key := described.GetKey(); len(key.GetSecretHash())+len(key.GetFormerHash()) > 0 {
			t.Errorf("hashes are shown: %v", key)
		}
		if !admits("s") || !admits("t") || admits("x") {
			t.Error("within the grace both secrets are taken, and no other")
		}
		k.Advance(59 * time.Minute)
		if !admits("s") || !admits("t") {
			t.Error("a minute before its end")
		}
		k.Advance(2 * time.Minute)
		if admits("s") || !admits("t") {
			t.Error("after the grace only the new secret is taken")
		}
		ask[*messages.KeyDescribed](r, &messages.RotateKey{KeyId: keyID, SecretHash: hash("u"), GraceMs: time.Hour.Milliseconds()})
		ask[*messages.KeyDescribed](r, &messages.RotateKey{KeyId: keyID, SecretHash: hash("v")})
		if admits("t") || admits("u") || !admits("v") {
			t.Error("a rotation without a grace ends every secret before it")
		}
	})
}

func TestUpdateOfAKey(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		twitter, kite := r.connect(messages.Api_API_TWITTER, "tw"), r.connect(messages.Api_API_KITE, "ki")
		update := func(key *messages.Key, fields ...string) any {
			return ask[any](r, &messages.UpdateKey{KeyId: keyID, Key: key, Fields: fields})
		}
		for field, key := range map[string]*messages.Key{
			"name": {}, "owner": {Owner: "a\nb"}, "plan": {Plan: "gold"}, "apis": {Apis: []messages.Api{9}}, "secret_hash": {SecretHash: hash("t")},
		} {
			if got, ok := update(key, field).(*messages.Rejected); !ok || got.GetField() != field {
				t.Errorf("%s: %v", field, got)
			}
		}
		got, ok := update(&messages.Key{Name: "desk", Plan: "starter"}, "name", "plan").(*messages.KeyDescribed)
		if !ok || got.GetKey().GetName() != "desk" || got.GetKey().GetPlan() != "starter" || got.GetCreditsLimit() != 30_000 {
			t.Fatalf("updated: %v", got)
		}
		if got := r.storedKey(); got.GetName() != "desk" || got.GetPlan() != "starter" || string(got.GetSecretHash()) != string(hash("s")) {
			t.Errorf("stored: %v", got)
		}
		twitter.ExpectNoMessage(time.Second)
		update(&messages.Key{Apis: []messages.Api{messages.Api_API_KITE}}, "apis")
		if got := testkit.Expect[*messages.End](twitter); got.GetReason() != messages.EndReason_END_EVICTED {
			t.Errorf("twitter: %v", got)
		}
		kite.ExpectNoMessage(time.Second)
		ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
		if got, ok := update(&messages.Key{Name: "x"}, "name").(*messages.Rejected); !ok || got.GetRejection() != messages.Rejection_REJECTION_CONFLICT {
			t.Errorf("revoked: %v", got)
		}
	})
}

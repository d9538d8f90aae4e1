package apikey_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// The contract's table, row by row.
func TestAdmission(t *testing.T) {
	const twitter, newsrank, kite = messages.Api_API_TWITTER, messages.Api_API_NEWSRANK, messages.Api_API_KITE
	plan := func(p string) func(*messages.Key) { return func(k *messages.Key) { k.Plan = p } }
	for name, c := range map[string]struct {
		key     func(*messages.Key)
		api     messages.Api
		secret  string
		want    messages.Refusal
		pro     bool
		metered bool
	}{
		"business on newsrank":     {plan("business"), newsrank, "s", 0, true, true},
		"pro on newsrank":          {plan("pro"), newsrank, "s", 0, true, true},
		"starter on newsrank":      {plan("starter"), newsrank, "s", 0, false, true},
		"free on newsrank":         {plan("free"), newsrank, "s", messages.Refusal_REFUSAL_PLAN, false, false},
		"free on twitter":          {plan("free"), twitter, "s", 0, false, true},
		"free on kite":             {plan("free"), kite, "s", 0, false, false},
		"business on twitter":      {plan("business"), twitter, "s", 0, true, true},
		"a wrong secret":           {plan("business"), twitter, "x", messages.Refusal_REFUSAL_UNKNOWN_KEY, false, false},
		"another API's key":        {func(k *messages.Key) { k.Apis = []messages.Api{kite} }, twitter, "s", messages.Refusal_REFUSAL_SCOPE, false, false},
		"one of its APIs":          {func(k *messages.Key) { k.Apis = []messages.Api{kite, twitter} }, twitter, "s", 0, true, true},
		"without ws:connect":       {func(k *messages.Key) { k.Scopes = []string{"ingest:write"} }, newsrank, "s", messages.Refusal_REFUSAL_SCOPE, false, false},
		"an API that nobody has":   {plan("business"), messages.Api_API_UNSPECIFIED, "s", messages.Refusal_REFUSAL_PLAN, false, false},
		"free, and a wrong secret": {plan("free"), newsrank, "x", messages.Refusal_REFUSAL_UNKNOWN_KEY, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k).create(c.key)
				m := admitMessage(c.api, "c1")
				m.Credential = credential(c.secret)
				if c.want != 0 {
					if got := ask[*messages.Refused](r, m); got.GetRefusal() != c.want || got.GetDetail() == "" {
						t.Errorf("refused %v, want %v", got, c.want)
					}
					return
				}
				got := ask[*messages.Admitted](r, m)
				if got.GetKeyId() != keyID || got.GetPro() != c.pro || got.GetMetered() != c.metered || got.GetPlan() == "" {
					t.Errorf("admitted %v", got)
				}
			})
		})
	}
}

func TestUnknownKeyCostsNoActor(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		for range 3 {
			if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "c1")); got.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
				t.Errorf("refused %v", got)
			}
			if r.running() {
				t.Error("its actor stays")
			}
		}
		if got := r.rejected(&messages.DescribeKey{KeyId: keyID}); got.GetRejection() != messages.Rejection_REJECTION_NOT_FOUND {
			t.Errorf("rejected %v", got)
		}
	})
}

// An empty hash is nobody's secret, and neither is the one that unknown keys
// are compared with.
func TestNoHashOpensNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		for _, h := range [][]byte{nil, make([]byte, 32)} {
			m := admitMessage(messages.Api_API_TWITTER, "c1")
			m.Credential.SecretHash = h
			if got := ask[*messages.Refused](r, m); got.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
				t.Errorf("refused %v", got)
			}
		}
	})
}

func TestTheSixthConnectionIsRefused(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create()
		var all []*testkit.Probe
		for i := range 5 {
			all = append(all, r.connect(messages.Api_API_TWITTER, fmt.Sprint("c", i)))
		}
		r.connect(messages.Api_API_KITE, "kite") // counts apart
		got := ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "c5"))
		if got.GetRefusal() != messages.Refusal_REFUSAL_CONNECTIONS || got.GetRetryAfterMs() != 3000 {
			t.Errorf("refused %v", got)
		}
		// Nobody is evicted; everybody is asked whether the client is there.
		for i, p := range all {
			if got := testkit.Expect[*messages.Probe](p); got.GetWithinMs() != 3000 {
				t.Errorf("connection %d: %v", i, got)
			}
		}
		r.conns["kite"].ExpectNoMessage(0)
		ask[*messages.Refused](r, admitMessage(messages.Api_API_TWITTER, "c6"))
		all[0].ExpectNoMessage(0) // once in three seconds is enough
		r.disconnect(messages.Api_API_TWITTER, "c2")
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_TWITTER, "c7"))
		if d := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); d.GetConnections() != 6 || len(d.GetSlots()) != 6 {
			t.Errorf("described %v", d)
		}
	})
}

// A connection that is not there any more, and never said so, is found out.
func TestASlotOfNobodyIsGivenBack(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create(func(k *messages.Key) { k.Plan = "starter" })
		p := r.connect(messages.Api_API_NEWSRANK, "c1")
		p.Stop()
		full := func() { ask[*messages.Refused](r, admitMessage(messages.Api_API_NEWSRANK, "c2")) }
		full()
		k.Advance(3 * time.Second)
		full() // young: its connection may be on its way still
		k.Advance(30 * time.Second)
		full()
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_NEWSRANK, "c2"))
	})
}

// An admission that comes twice, or late, is for a connection that has ended and was
// told of no slot: it comes back when the key is revoked, and where nobody is in the way of
// it within two minutes.
func TestASlotOfAConnectionThatWasNeverTold(t *testing.T) {
	for name, revoked := range map[string]bool{"the key is revoked": true, "the key goes on": false} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				r := newRig(t, k).create()
				there := r.connect(messages.Api_API_TWITTER, "c1")
				ask[*messages.Admitted](r, admitMessage(messages.Api_API_TWITTER, "nobody"))
				want := 1
				if revoked {
					ask[*messages.KeyDescribed](r, &messages.RevokeKey{KeyId: keyID})
					there.Stop()
					want = 0
				}
				k.Advance(2 * time.Minute)
				s := &messages.Shard{}
				r.stored(actors.ShardRecord(actors.ShardOf(keyID)), s)
				if got := s.GetSlots(); len(got) != want || want == 1 && got[0].GetConnectionId() != "c1" {
					t.Errorf("slots %v", got)
				}
				there.Messages()
			})
		})
	}
}

// An admission that is asked for twice is answered once: where that was a refusal, a slot
// that comes after it is given back.
func TestASlotThatComesAfterARefusal(t *testing.T) {
	refused := 0
	testkit.RunSeeds(t, 40, func(t *testing.T, k *testkit.Kit) {
		r := newRig(t, k).create(func(k *messages.Key) { k.Plan = "starter" })
		r.connect(messages.Api_API_NEWSRANK, "c1")
		for _, m := range []proto.Message{
			admitMessage(messages.Api_API_NEWSRANK, "c2"),
			&messages.Release{KeyId: keyID, Api: messages.Api_API_NEWSRANK, ConnectionId: "c1"},
			admitMessage(messages.Api_API_NEWSRANK, "c2"),
		} {
			r.client.Request(r.key, m)
		}
		k.Advance(time.Second)
		admitted := false
		for _, m := range r.client.Messages() {
			_, yes := m.(*messages.Admitted)
			admitted = admitted || yes
		}
		if !admitted {
			refused++
		}
		s := &messages.Shard{}
		r.stored(actors.ShardRecord(actors.ShardOf(keyID)), s)
		if taken := len(s.GetSlots()) == 1; taken != admitted {
			t.Errorf("admitted: %v, slots %v", admitted, s.GetSlots())
		}
	})
	if refused == 0 {
		t.Error("no seed has had the refusal first")
	}
}

// Nobody says that a connection has ended whose process has: its slot comes back,
// and the key goes once nobody needs it.
func TestSlotsOfTheDeadAreGivenBack(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		dead := false
		r := newRig(t, k)
		connection := r.cfg.Connection
		r.cfg.Connection = func(s *messages.Slot) *actor.PID {
			if dead {
				return nil
			}
			return connection(s)
		}
		r.create().connect(messages.Api_API_TWITTER, "c1")
		dead = true
		k.Advance(2 * time.Minute)
		if d := ask[*messages.KeyDescribed](r, &messages.DescribeKey{KeyId: keyID}); d.GetConnections() != 0 {
			t.Errorf("described %v", d)
		}
		k.Advance(5 * time.Minute)
		if r.running() {
			t.Error("the key still runs")
		}
	})
}

func TestReleaseBeforeTheSlotIsTaken(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create(func(k *messages.Key) { k.Plan = "starter" })
		r.client.Messages()
		r.client.Request(r.shard, admitMessage(messages.Api_API_NEWSRANK, "c1"))
		r.tell(&messages.Release{KeyId: keyID, Api: messages.Api_API_NEWSRANK, ConnectionId: "c1"})
		r.client.ExpectNoMessage(time.Second)
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_NEWSRANK, "c2"))
	})
}

func TestRevokedWhileAdmitting(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).create(func(k *messages.Key) { k.Plan = "starter" })
		r.client.Messages()
		r.client.Request(r.shard, admitMessage(messages.Api_API_NEWSRANK, "c1"))
		other := k.Probe()
		other.Request(r.shard, &messages.RevokeKey{KeyId: keyID})
		testkit.Expect[*messages.KeyDescribed](other)
		k.Advance(5 * time.Millisecond)
		if got := testkit.Expect[*messages.Refused](r.client); got.GetRefusal() != messages.Refusal_REFUSAL_REVOKED {
			t.Errorf("refused %v", got)
		}
		k.Advance(time.Second)
		s := &messages.Shard{}
		r.stored(actors.ShardRecord(actors.ShardOf(keyID)), s)
		if len(s.GetSlots()) != 0 {
			t.Errorf("left: %v", s.GetSlots())
		}
	})
}

func TestTheStoreIsDown(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil })
		r.create()
		records(k).Down(messages.ErrAmbiguous)
		if got := ask[*messages.Refused](r, admitMessage(messages.Api_API_KITE, "c1")); got.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD || got.GetRetryAfterMs() == 0 {
			t.Errorf("refused %v", got)
		}
		records(k).Down(nil)
		k.Advance(time.Second)
		ask[*messages.Admitted](r, admitMessage(messages.Api_API_KITE, "c1"))
	})
}

func TestAuthorize(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) {
			c.Plans = apikey.DefaultPlans()
			p := c.Plans["business"]
			p.Requests = 60
			c.Plans["business"] = p
		})
		r.create(func(k *messages.Key) { k.Scopes = []string{"rules:write"} })
		authorize := func(secret, scope string) any {
			r.client.Messages()
			r.client.Request(r.shard, &messages.Authorize{Credential: credential(secret), Scope: scope})
			return testkit.Expect[any](r.client)
		}
		for scope, want := range map[string]bool{"": true, "rules:write": true, "rules:read": true, "ingest:write": false, "rules": false} {
			got := authorize("s", scope)
			if a, ok := got.(*messages.Authorized); ok != want || ok && (a.GetKey().GetId() != keyID || a.GetKey().GetSecretHash() != nil) {
				t.Errorf("%q: %v", scope, got)
			}
		}
		if got, ok := authorize("x", "rules:write").(*messages.Refused); !ok || got.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
			t.Errorf("wrong secret: %v", got)
		}
		for range 57 { // three were spent above
			authorize("s", "")
		}
		got, ok := authorize("s", "").(*messages.Refused)
		if !ok || got.GetRefusal() != messages.Refusal_REFUSAL_RATE || got.GetRetryAfterMs() != 1000 || !strings.Contains(got.GetDetail(), "60") {
			t.Errorf("the 61st: %v", got)
		}
		k.Advance(time.Second)
		if _, ok := authorize("s", "").(*messages.Authorized); !ok {
			t.Error("refused after a second")
		}
		k.Advance(time.Minute)
		if r.storedKey().GetLastUsedMs() != testkit.Start.UnixMilli() {
			t.Errorf("last used %v", r.storedKey().GetLastUsedMs())
		}
	})
}

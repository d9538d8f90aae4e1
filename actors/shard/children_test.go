package shard_test

import (
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/shard"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func TestEveryMessageOfAKeyReachesIt(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		client := k.Probe()
		r.running(keyID)
		r.answers()
		for _, m := range []any{
			&messages.Admit{Credential: &messages.Credential{KeyId: keyID}},
			&messages.Authorize{Credential: &messages.Credential{KeyId: keyID}},
			&messages.CreateKey{Key: &messages.Key{Id: keyID}},
			&messages.RevokeKey{KeyId: keyID},
			&messages.ListRules{KeyId: keyID},
			&messages.Join{KeyId: keyID},
			&messages.Leave{KeyId: keyID},
			&messages.Release{KeyId: keyID},
			&messages.AskCredit{KeyId: keyID},
			&messages.ReportCredit{KeyId: keyID},
			&messages.AskThrough{KeyId: keyID},
			&messages.Through{KeyId: keyID},
			&messages.QueriesPut{KeyId: keyID, Id: 5},
			&messages.Matched{KeyId: keyID},
		} {
			client.Request(r.pid, m)
			if got := testkit.Expect[*got](r.seen); got.message != m || !got.sender.Equal(client.PID()) || got.keyID != keyID {
				t.Errorf("%T came as %+v", m, got)
			}
		}
		testkit.Expect[*messages.Released](client)
		client.ExpectNoMessage(0)
	})
}

func TestWhatNeedsNoKeyStartsNone(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		for _, m := range []any{
			&messages.Leave{KeyId: keyID}, &messages.Through{KeyId: keyID}, &messages.Release{KeyId: keyID, ConnectionId: "c"},
			&messages.QueriesPut{KeyId: keyID}, &messages.ReportCredit{KeyId: keyID}, "nonsense",
		} {
			k.Tell(r.pid, m)
		}
		r.seen.ExpectNoMessage(time.Second)
	})
}

func TestAReleaseOfAKeyThatIsNotThereFreesItsSlot(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.take(keyID, "c1", 1)
		r.goIdle(keyID)
		k.Tell(r.pid, &messages.Release{KeyId: keyID, ConnectionId: "c1"})
		k.Advance(5 * time.Millisecond)
		if got := r.record(); len(got.GetSlots()) != 0 {
			t.Errorf("record %v", got)
		}
	})
}

func TestImpossibleAndForeignKeys(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		client := k.Probe()
		foreign := "key-x"
		if actors.ShardOf(foreign) == number {
			t.Fatal("choose another id")
		}
		refusal := func(id string) messages.Refusal {
			client.Request(r.pid, &messages.Admit{Credential: &messages.Credential{KeyId: id}})
			return testkit.Expect[*messages.Refused](client).GetRefusal()
		}
		rejection := func(id string) messages.Rejection {
			client.Request(r.pid, &messages.RevokeKey{KeyId: id})
			return testkit.Expect[*messages.Rejected](client).GetRejection()
		}
		for _, id := range []string{"", "a.b", "../x", "key*"} {
			if got := refusal(id); got != messages.Refusal_REFUSAL_UNKNOWN_KEY {
				t.Errorf("%q: %v", id, got)
			}
			if got := rejection(id); got != messages.Rejection_REJECTION_NOT_FOUND {
				t.Errorf("%q: %v", id, got)
			}
		}
		for _, m := range []any{&messages.Admit{Credential: &messages.Credential{KeyId: foreign}}, &messages.AskQueries{KeyId: foreign}} {
			client.Request(r.pid, m)
			if got := testkit.Expect[*messages.NotOwner](client); got.GetKeyId() != foreign || got.GetShard() != uint32(actors.ShardOf(foreign)) {
				t.Errorf("%T of a foreign key: %v", m, got)
			}
		}
		client.Request(r.pid, &messages.Leave{KeyId: "a.b"})
		client.ExpectNoMessage(0)
		r.seen.ExpectNoMessage(0)
	})
}

// TestAGuessedKeyStartsNone: a client that presents ids that no key has is
// refused without an actor or a look into the store, however many it sends; a
// key that is made is known from then on, and one whose record cannot be read
// is one all the same.
func TestAGuessedKeyStartsNone(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		records(k).Put(actors.KeyRecord(otherKey), []byte("no protobuf\xff"))
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		client := k.Probe()
		asked := records(k).Calls(memory.ControlGet) + records(k).Calls(memory.ControlList)
		for range 100 {
			client.Request(r.pid, &messages.Admit{Credential: &messages.Credential{KeyId: keyID}})
			client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}})
			for range 2 {
				if m := testkit.Expect[*messages.Refused](client); m.GetRefusal() != messages.Refusal_REFUSAL_UNKNOWN_KEY {
					t.Fatalf("refused %v", m)
				}
			}
		}
		r.seen.ExpectNoMessage(0)
		if n := records(k).Calls(memory.ControlGet) + records(k).Calls(memory.ControlList); n != asked {
			t.Errorf("guesses made %d readings of the store", n-asked)
		}
		client.Request(r.pid, &messages.Admit{Credential: &messages.Credential{KeyId: otherKey}})
		client.Request(r.pid, &messages.CreateKey{Key: &messages.Key{Id: keyID}})
		client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}})
		if got := r.answers(); !slices.Equal(got, []string{"*messages.Admit", "*messages.CreateKey", "*messages.Authorize", "owned 0", "owned 0"}) {
			t.Errorf("handed on: %v", got)
		}
	})
}

// sayIdle has the key say that it is idle, of its own accord or asked.
func (r *rig) sayIdle(keyID string, asked uint64) {
	r.t.Helper()
	r.do(keyID, func(ctx actor.Context) { ctx.Request(ctx.Parent(), &messages.KeyIdle{KeyId: keyID, Asked: asked}) })
}

// asked takes the question that the key was asked.
func (r *rig) asked() uint64 {
	r.t.Helper()
	m, ok := testkit.Expect[*got](r.seen).message.(*messages.StopIfIdle)
	if !ok || m.GetNumber() == 0 {
		r.t.Fatalf("got %v", m)
	}
	return m.GetNumber()
}

// goIdle has the key stop as an idle one does.
func (r *rig) goIdle(keyID string) {
	r.t.Helper()
	r.answers()
	r.sayIdle(keyID, 0)
	n := r.asked()
	r.seen.Watch(r.stubs[keyID])
	r.sayIdle(keyID, n)
	testkit.Expect[*actor.Terminated](r.seen)
}

func TestAnIdleKeyStopsAndStartsAgain(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		first := r.running(keyID)
		r.goIdle(keyID)
		second := r.running(keyID)
		if second.GetTerm() <= first.GetTerm() {
			t.Errorf("first %v, second %v", first, second)
		}
		if r.counts["key_stopped"] != 0 {
			t.Errorf("counts %v", r.counts)
		}
	})
}

func TestAMessageInBetweenKeepsAKey(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k).start()
		r.running(keyID)
		r.answers()
		r.sayIdle(keyID, 0)
		first := r.asked()
		r.sayIdle(keyID, 0) // again, unasked: no answer to anything
		k.Tell(r.pid, &messages.AskCredit{KeyId: keyID})
		r.sayIdle(keyID, first) // answers a question asked before the message
		r.sayIdle(keyID, 0)
		r.sayIdle(keyID, first) // late: another question has been asked
		if got := r.answers(); len(got) != 2 || got[0] != "*messages.AskCredit" || got[1] != "*messages.StopIfIdle" {
			t.Errorf("got %v", got)
		}
		r.do(keyID, func(actor.Context) {})
		if got := k.DeadLetters(); len(got) != 0 {
			t.Errorf("lost %v", got)
		}
	})
}

func TestAFailureRestartsThatKeyAlone(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k)
		r.cfg.Logger = nil // failures are errors in the log
		r.start()
		first := r.running(keyID)
		other := r.running(otherKey)
		r.answers()
		k.Tell(r.pid, &messages.DescribeKey{KeyId: keyID})
		if len(k.Panics()) != 1 {
			t.Fatal("did not fail")
		}
		again := testkit.Expect[*got](r.seen)
		owned, ok := again.message.(*messages.KeyOwned)
		if !ok || again.keyID != keyID || owned.GetTerm() <= max(first.GetTerm(), other.GetTerm()) {
			t.Errorf("got %+v", again)
		}
		r.seen.ExpectNoMessage(time.Minute)
		if r.counts["key_restarted"] != 1 || r.counts["key_stopped"] != 0 {
			t.Errorf("counts %v", r.counts)
		}
	})
}

func TestAKeyThatFailsTooOftenCoolsDown(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		stored(t, k, keyID)
		r := newRig(t, k)
		r.cfg.Logger = nil
		r.start()
		r.running(keyID)
		r.take(keyID, "c1", 1)
		failToDeath := func() {
			for range 6 {
				k.Tell(r.pid, &messages.DescribeKey{KeyId: keyID})
			}
			if n := len(k.Panics()); n != 6 {
				t.Fatalf("failed %d times", n)
			}
			r.seen.Messages()
		}
		client := k.Probe()
		for _, cool := range []time.Duration{time.Second, 2 * time.Second} {
			failToDeath()
			client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: keyID}})
			if m := testkit.Expect[*messages.Refused](client); m.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD {
				t.Errorf("refused %v", m)
			}
			r.seen.ExpectNoMessage(cool - time.Millisecond)
			k.Advance(time.Millisecond) // it has a connection, so it starts by itself
			if owned := testkit.Expect[*got](r.seen).message.(*messages.KeyOwned); len(owned.GetSlots()) != 1 {
				t.Errorf("owned %v", owned)
			}
			k.Advance(10 * time.Second)
		}
		if r.counts["key_stopped"] != 2 {
			t.Errorf("counts %v", r.counts)
		}
	})
}

func TestKeysAreBounded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		stored(t, k, otherKey)
		r := newRig(t, k, func(c *shard.Config) { c.KeysMost = 1 }).start()
		r.running(keyID)
		client := k.Probe()
		client.Request(r.pid, &messages.Authorize{Credential: &messages.Credential{KeyId: otherKey}})
		if m := testkit.Expect[*messages.Refused](client); m.GetRefusal() != messages.Refusal_REFUSAL_OVERLOAD {
			t.Errorf("refused %v", m)
		}
	})
}

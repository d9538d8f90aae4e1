package apikey_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// An owner that was replaced changes nothing that its successor has read, and
// its shard learns of it.
func TestAnOwnerThatWasReplacedWritesNothing(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r := newRig(t, k, func(c *apikey.Config) { c.Logger = nil }).create()
		a := r.rule("A", "a")
		replaced(t, k)
		before := records(k).All()
		r.client.Messages()
		r.client.Request(r.shard, updateRule(a.GetId(), &messages.Rule{Query: "b"}, "query"))
		k.Advance(5 * time.Millisecond)
		if got := testkit.Expect[*messages.Rejected](r.client); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("rejected %v", got)
		}
		after := records(k).All()
		for i := range before {
			if string(after[i].Data) != string(before[i].Data) {
				t.Errorf("%s was written", after[i].Key)
			}
		}
		r.client.Request(r.shard, &messages.ListRules{KeyId: keyID})
		k.Advance(5 * time.Millisecond)
		if got := testkit.Expect[*messages.NotOwner](r.client); got.GetTerm() != 9 {
			t.Errorf("answered %v", got)
		}
		if r.running() {
			t.Error("the key goes on")
		}
	})
}

// replaced has another owner take the key, under term 9.
func replaced(t *testing.T, k *testkit.Kit) {
	t.Helper()
	data, err := proto.Marshal(&messages.Shard{Term: 9, Node: "n2"})
	if err != nil {
		t.Fatal(err)
	}
	records(k).Put(actors.ShardRecord(actors.ShardOf(keyID)), data)
}

// interrupted has something happen before one call of a store, counted from where the
// count was set to 0.
type interrupted struct {
	actors.Records
	calls, at int
	do        func() // nil: nothing happens yet
}

func (i *interrupted) before() {
	if i.calls++; i.calls == i.at && i.do != nil {
		i.do()
	}
}

func (i *interrupted) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	i.before()
	return i.Records.Get(ctx, key)
}

func (i *interrupted) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	i.before()
	return i.Records.CAS(ctx, key, data, revision)
}

// Another owner takes the key in the middle of a change, before each of its calls: what
// that one writes stays, and what it has not been told of never comes.
func TestAnOwnerThatIsReplacedInTheMiddle(t *testing.T) {
	calls := 0
	for at := 0; at <= calls; at++ { // at 0 nothing happens, and the calls are counted
		testkit.Run(t, func(k *testkit.Kit) {
			store := &interrupted{Records: records(k), at: at}
			r := newRig(t, k, func(c *apikey.Config) { c.Logger, c.Records = nil, store }).create()
			a := r.rule("A", "a")
			r.rule("B", "b") // names itself in the key's record, and A no more
			rule, past := actors.RuleRecord(keyID, a.GetId()), actors.PastRecord(keyID, a.GetK(), a.GetVersion())
			get := func(name string) string {
				kept, err := records(k).Get(t.Context(), name)
				if err != nil && !errors.Is(err, messages.ErrNotFound) {
					t.Fatal(err)
				}
				return string(kept.Data)
			}
			r.router.position = 200 // the version has decided something, and so is kept
			was, told := get(rule), ""
			store.calls, store.do = 0, func() {
				replaced(t, k)
				told = get(past)
				records(k).Put(past, []byte("theirs"))
			}
			r.client.Request(r.shard, updateRule(a.GetId(), &messages.Rule{Query: "c"}, "query"))
			k.Advance(time.Second)
			if r.client.Messages(); at == 0 {
				calls = store.calls
				return
			}
			if get(past) != "theirs" {
				t.Errorf("at call %d: what the next owner has written is written over", at)
			}
			if get(rule) != was && told == "" {
				t.Errorf("at call %d: the rule was changed, and the next owner was not told", at)
			}
		})
	}
	if calls < 5 {
		t.Errorf("%d calls: of which versions none is past", calls)
	}
}

// The same of a creation: what the next owner has seen to that it is not there is not made.
func TestAnOwnerThatIsReplacedInTheMiddleOfACreation(t *testing.T) {
	calls := 0
	for at := 0; at <= calls; at++ { // at 0 nothing happens, and the calls are counted
		testkit.Run(t, func(k *testkit.Kit) {
			store := &interrupted{Records: records(k), at: at}
			r := newRig(t, k, func(c *apikey.Config) { c.Logger, c.Records = nil, store }).create()
			id := ""
			store.calls, store.do = 0, func() {
				replaced(t, k)
				key := &messages.Key{}
				r.stored(actors.KeyRecord(keyID), key)
				if id = key.GetChanging().GetId(); id == "" {
					return
				}
				name := actors.RuleRecord(keyID, id)
				revision, err := records(k).CAS(t.Context(), name, nil, 0)
				if errors.Is(err, messages.ErrConflict) {
					var there messages.KeptRecord
					there, err = records(k).Get(t.Context(), name)
					if revision = there.Revision; len(there.Data) > 0 {
						id = "" // it has it
						return
					}
				}
				if err == nil {
					err = records(k).Delete(t.Context(), name, revision)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			r.client.Request(r.shard, &messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "A", Query: "a"}})
			k.Advance(time.Second)
			if r.client.Messages(); at == 0 {
				calls = store.calls
				return
			}
			if id == "" {
				return
			}
			if kept, err := records(k).Get(t.Context(), actors.RuleRecord(keyID, id)); err == nil && len(kept.Data) > 0 {
				t.Errorf("at call %d: it is made, though the next owner has barred it", at)
			}
		})
	}
	if calls < 6 {
		t.Errorf("%d calls", calls)
	}
}

// Without a live lease nothing is delivered, and nothing is written.
func TestAKeyWithoutALease(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		lease := &lease{live: true}
		r := newRig(t, k, func(c *apikey.Config) { c.Lease, c.Logger = lease, nil }).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1")
		r.match("1", a.GetK())
		testkit.Expect[*messages.Deliveries](p)
		lease.live = false
		r.match("2", a.GetK())
		p.ExpectNoMessage(0)
		if got := r.rejected(&messages.CreateRule{KeyId: keyID, Rule: &messages.Rule{Tag: "B", Query: "b"}}); got.GetRejection() != messages.Rejection_REJECTION_UNAVAILABLE {
			t.Errorf("rejected %v", got)
		}
		// It goes on where it is live again; the connection finds what is missing.
		lease.live = true
		r.match("3", a.GetK())
		if got := testkit.Expect[*messages.Deliveries](p); got.GetNumber() == got.GetPrevious()+1 && got.GetPrevious() == 1 {
			t.Errorf("delivered %v, as if nothing were missing", got)
		}
		r.rule("B", "b")
	})
}

// What was matched last while there was no lease is missed without waiting for what is
// matched next.
func TestTheLastThatIsMatchedWithoutALease(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		lease := &lease{live: true}
		r := newRig(t, k, func(c *apikey.Config) { c.Lease, c.Logger = lease, nil }).create()
		a := r.rule("A", "a")
		p, _ := r.join("c1")
		lease.live = false
		r.match("1", a.GetK())
		k.Advance(5 * time.Second)
		p.ExpectNoMessage(0)
		lease.live = true
		k.Advance(time.Second)
		if got := testkit.Expect[*messages.Through](p); got.GetNumber() == 0 {
			t.Errorf("told %v, as if nothing had been matched", got)
		}
	})
}

type lease struct{ live bool }

func (l *lease) Live() bool { return l.live }

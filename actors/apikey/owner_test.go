package apikey_test

import (
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
		data, err := proto.Marshal(&messages.Shard{Term: 9, Node: "n2"})
		if err != nil {
			t.Fatal(err)
		}
		records(k).Put(actors.ShardRecord(actors.ShardOf(keyID)), data)
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

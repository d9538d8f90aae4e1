package apikey_test

import (
	"context"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// crowded is a worker whose line is as long as the test wants: what is in it is
// done once let is called.
type crowded struct {
	actors.Worker
	line []func()
}

func (c *crowded) Do(to *actor.PID, timeout time.Duration, work func(context.Context) any) bool {
	c.line = append(c.line, func() { c.Worker.Do(to, timeout, work) })
	return true
}

func (c *crowded) let() {
	for _, do := range c.line {
		do()
	}
	c.line = nil
}

// counted are records, and how often each kind of question is asked.
type counted struct {
	actors.Records
	gets, lists, writes int
}

func (c *counted) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	c.gets++
	return c.Records.Get(ctx, key)
}

func (c *counted) List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error) {
	c.lists++
	return c.Records.List(ctx, prefixes...)
}

func (c *counted) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	c.writes++
	return c.Records.CAS(ctx, key, data, revision)
}

// dormant is a rig whose key has a rule and is not running, with the line that
// keys wait in which nobody waits for.
func dormant(t *testing.T, k *testkit.Kit) (*rig, *crowded, *counted, *messages.Rule) {
	wake, count := &crowded{Worker: k.Worker}, &counted{}
	r := newRig(t, k, func(c *apikey.Config) {
		count.Records = c.Records
		c.Records, c.Waker = count, wake
	}).create()
	a := r.rule("A", "a")
	k.Advance(2 * time.Hour)
	if r.running() {
		t.Fatal("the key is still running")
	}
	*count = counted{Records: count.Records}
	r.ledger.calls = 0
	return r, wake, count, a
}

// A post that thousands of keys want starts them all. Whoever asks for one of
// them does not wait in their line, and what matched before is not lost.
func TestWhoAsksDoesNotWaitForKeysThatNobodyAsksFor(t *testing.T) {
	for name, question := range map[string]any{
		"an owner": &messages.DescribeKey{KeyId: keyID},
		"a client": admitMessage(messages.Api_API_TWITTER, "c1"),
	} {
		for _, late := range []bool{false, true} { // the other reading, or it never comes
			t.Run(name, func(t *testing.T) {
				testkit.Run(t, func(k *testkit.Kit) {
					r, wake, _, a := dormant(t, k)
					r.match("1", a.GetK())
					k.Advance(time.Second)
					if len(wake.line) != 1 {
						t.Fatalf("%d readings in the line of those that nobody waits for, want 1", len(wake.line))
					}
					r.client.Messages()
					r.client.Request(r.shard, question)
					k.Advance(5 * time.Millisecond)
					switch m := r.client.Messages(); {
					case len(m) != 1:
						t.Fatalf("%d answers while others wait in line", len(m))
					default:
						switch m[0].(type) {
						case *messages.KeyDescribed, *messages.Admitted:
						default:
							t.Errorf("answered %v", m[0])
						}
					}
					if late {
						wake.let()
						k.Advance(time.Second)
					}
					r.match("2", a.GetK())
					if got := ask[*messages.RuleShown](r, &messages.GetRule{KeyId: keyID, RuleId: a.GetId()}); got.GetFigures().GetMatched() != 2 {
						t.Errorf("late %v: figures %v, want both matches", late, got.GetFigures())
					}
					if n := len(k.Panics()); n > 0 {
						t.Errorf("%d failures", n)
					}
				})
			})
		}
	}
}

// What a key costs the store that a post starts and nobody asks for: so many
// readings, and nothing written.
func TestWhatStartingAKeyCosts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		r, wake, count, a := dormant(t, k)
		r.match("1", a.GetK())
		k.Advance(time.Second)
		wake.let()
		k.Advance(time.Minute)
		// Its record; its monitors, rules and their versions; two months' ledgers.
		if count.gets != 1 || count.lists != 1 || count.writes != 0 || r.ledger.calls > 2 {
			t.Errorf("%d records read, %d lists, %d writes, %d questions to ledgers", count.gets, count.lists, count.writes, r.ledger.calls)
		}
	})
}

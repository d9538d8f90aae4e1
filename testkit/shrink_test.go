package testkit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// fragile fails when a certain message is lost while a fault is there, or, by
// order, when one actor comes before another.
func fragile(byOrder bool) func(k *testkit.Kit) {
	return func(k *testkit.Kit) {
		network, faults, work := k.Chance(testkit.Network), k.Chance(testkit.Faults), k.Chance(testkit.Workload)
		n := k.Option("messages", 1, 60)
		first := ""
		var all []*actor.PID
		for _, name := range []string{"a", "b", "c"} {
			all = append(all, k.Spawn(name, receive(func(ctx actor.Context) {
				if _, ok := ctx.Message().(string); ok && first == "" {
					first = name
				}
			})))
		}
		k.Settle()
		for _, p := range all {
			k.Tell(p, "hello")
		}
		k.Settle()
		down := false
		for i := range n {
			down = faults.Once("fall ill", 4)
			size := work.Choose("size", 1000)
			lost := network.Once(fmt.Sprint("lose ", i), 4)
			k.Advance(network.Below("late", time.Minute))
			if !byOrder && down && lost && i >= 7 && size >= 20 {
				k.Violated("nothing large is lost", "message %d of %d", i, size)
			}
			k.Settle()
		}
		if byOrder && first != "a" {
			k.Violated("a is first", "%s was", first)
		}
	}
}

func shrunk(t *testing.T, test func(k *testkit.Kit)) *testkit.Shrunk {
	t.Helper()
	for seed := uint64(1); seed <= 100; seed++ {
		o := testkit.Play(testkit.Plan{Seed: seed, Log: true}, test)
		if !o.Failed() || o.Log.Deviations(testkit.Network) < 4 {
			continue
		}
		s, err := testkit.Shrink(o.Log, time.Minute, test)
		if err != nil {
			t.Fatal(err)
		}
		again := testkit.Play(testkit.Plan{Follow: written(t, s.Log)}, test)
		if again.Misfit != "" || !again.Failed() || again.Violations[0] != s.Outcome.Violations[0] || again.Violations[0].Invariant != o.Violations[0].Invariant {
			t.Fatalf("seed %d, shrunk, is %+v", seed, again)
		}
		if !s.Finished {
			t.Fatal("a minute was not enough")
		}
		return s
	}
	t.Fatal("no seed of 100 fails")
	return nil
}

func deviations(l *testkit.Log) string {
	return fmt.Sprint(l.Deviations(testkit.Faults), l.Deviations(testkit.Workload), l.Deviations(testkit.Network), l.Deviations(testkit.Schedule), l.Options)
}

// Of all that happened, what it takes is left: one fault, one size, one loss, and
// as many messages.
func TestAFailureIsShrunk(t *testing.T) {
	s := shrunk(t, fragile(false))
	var lost, size int
	if _, err := fmt.Sscanf(s.Outcome.Violations[0].Text, "message %d of %d", &lost, &size); err != nil {
		t.Fatal(err)
	}
	if got := deviations(s.Log); got != fmt.Sprintf("1 1 1 0 [messages=%d]", lost+1) || size > 40 {
		t.Errorf("%s is left, after %d runs: %s", got, s.Runs, s.Outcome.Said)
	}
}

func TestAnOrderIsShrunk(t *testing.T) {
	s := shrunk(t, fragile(true))
	if got := deviations(s.Log); got != "0 0 0 1 [messages=1]" {
		t.Errorf("%s is left, after %d runs: %s", got, s.Runs, s.Outcome.Said)
	}
}

func TestWhatDoesNotFailIsNotShrunk(t *testing.T) {
	l := testkit.Play(testkit.Plan{Seed: 1, Log: true}, gossips(0)).Log
	if _, err := testkit.Shrink(l, time.Minute, gossips(0)); err == nil {
		t.Error("no error")
	}
	if _, err := testkit.Shrink(l, time.Minute, gossips(3)); err == nil {
		t.Error("no error, and the log does not fit")
	}
}

package testkit_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// Two hosts share the time. One that crashes does nothing more: no message, no
// timer; the other goes on.
func TestAHostCrashes(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		a, b := k.NewHost("a"), k.NewHost("b")
		pa, pb := a.Probe(), b.Probe()
		ea := a.Spawn("reminder", func() actor.Actor { return &reminder{a.Clock} })
		eb := b.Spawn("reminder", func() actor.Actor { return &reminder{b.Clock} })
		if ea.Address != "a" || eb.Address != "b" {
			t.Fatalf("addresses %s and %s", ea.Address, eb.Address)
		}
		pa.Request(ea, "one")
		pb.Request(eb, "one")
		k.Advance(time.Minute)
		testkit.Expect[string](pa)
		testkit.Expect[string](pb)

		pa.Request(ea, "two")
		pb.Request(eb, "two")
		k.Settle()
		a.Tell(ea, "never handled")
		a.Crash()
		if n := a.Clock.Timers(); n != 0 {
			t.Errorf("%d timers of it are left", n)
		}
		ran := false
		a.Worker.Do(ea, time.Second, func(context.Context) any { ran = true; return nil })
		k.Advance(time.Hour)
		if ran || len(pa.Messages()) > 0 {
			t.Error("a host that has crashed goes on")
		}
		if got := testkit.Expect[string](pb); got != "two" {
			t.Error(got)
		}
		if a.Clock.Elapsed() != b.Clock.Elapsed() {
			t.Error("the hosts' times differ")
		}
	})
}

// atMost is Bounds of so many messages, of which only words are dropped.
type atMost int

func (atMost) Weigh(any) int { return 10 }

func (n atMost) Drop(_ string, waits, bytes int, message any) bool {
	_, word := message.(string)
	return word && waits >= int(n) && bytes == 10*waits
}

func (atMost) Instead(kind string) any {
	if kind == "teller" {
		return -1
	}
	return nil
}

// A mailbox that is full drops what the tested system's policy says, and is given
// what it says instead, once.
func TestMailboxesOfAHostAreBounded(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		h := k.NewHost("a")
		h.Bounds = atMost(2)
		for kind, want := range map[string]string{"other": "[1 2 4]", "teller": "[1 2 -1 4]"} {
			var got []any
			pid := h.Spawn(kind, func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case string, int:
						got = append(got, m)
					}
				})
			})
			k.Settle()
			for _, m := range []any{"1", "2", "3", "3", 4} {
				h.Tell(pid, m)
			}
			k.Settle()
			if fmt.Sprint(got) != want {
				t.Errorf("%s handled %v, want %s", kind, got, want)
			}
			h.Tell(pid, "5")
			k.Settle()
			if len(got) != strings.Count(want, " ")+2 {
				t.Errorf("%s is empty and drops: %v", kind, got)
			}
		}
	})
}

// Who is told of each message may suspend the host in its sender's step: the message is
// in the mailbox, and is handled once the host thaws.
func TestAHostFreezesAsAMessageIsPosted(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		h, got := k.NewHost("a"), ""
		pid := h.Spawn("teller", func() actor.Actor {
			return actor.ReceiveFunc(func(ctx actor.Context) {
				if word, ok := ctx.Message().(string); ok {
					got += word
				}
			})
		})
		k.Settle()
		h.Posted = func(kind string, message any) {
			if kind != "teller" {
				t.Errorf("%v is posted to %q", message, kind)
			}
			if message == "b" {
				h.Freeze()
			}
		}
		h.Tell(pid, "a")
		k.Settle()
		h.Tell(pid, "b")
		h.Tell(pid, "c")
		k.Advance(time.Hour)
		if got != "a" {
			t.Errorf("handled %q while it is suspended", got)
		}
		h.Thaw()
		k.Settle()
		if got != "abc" {
			t.Errorf("handled %q", got)
		}
	})
}

// A host that is frozen does nothing until it thaws; then everything that came
// for it happens, late.
func TestAHostFreezes(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		h := k.NewHost("a")
		p := h.Probe()
		r := h.Spawn("reminder", func() actor.Actor { return &reminder{h.Clock} })
		lane, came := h.Lane("to a"), false
		p.Request(r, "before")
		k.Settle()
		p.Request(r, "meanwhile")
		h.Freeze()
		lane.Add(func() { came = true })
		k.Advance(time.Hour)
		if came || len(p.Messages()) > 0 {
			t.Error("a host that is frozen goes on")
		}
		h.Thaw()
		if got := testkit.Expect[string](p); got != "before" || !came {
			t.Errorf("got %q; the lane went on: %v", got, came)
		}
		k.Advance(time.Minute)
		if got := testkit.Expect[string](p); got != "meanwhile" {
			t.Errorf("got %q", got)
		}
	})
}

// What is on one lane stays in order; what is on two comes in every order.
func TestLanes(t *testing.T) {
	orders := map[string]bool{}
	testkit.RunSeeds(t, 60, func(t *testing.T, k *testkit.Kit) {
		one, two := k.Lane("one"), k.Lane("two")
		order := ""
		for i := range 2 {
			one.Add(func() { order += fmt.Sprint("a", i) })
			two.Add(func() { order += fmt.Sprint("b", i) })
		}
		k.Settle()
		orders[order] = true
		one.Add(func() { t.Error("it was forgotten") })
		if n := one.Clear(); n != 1 {
			t.Errorf("forgot %d", n)
		}
		k.Later(time.Second, func() { one.Add(func() { order = "later" }) })
		k.Advance(time.Second)
		if order != "later" {
			t.Error("a lane that was cleared does nothing more")
		}
	})
	for order := range orders {
		if strings.Index(order, "a0") > strings.Index(order, "a1") || strings.Index(order, "b0") > strings.Index(order, "b1") {
			t.Errorf("out of order: %s", order)
		}
	}
	if len(orders) != 6 {
		t.Errorf("%d of 6 orders were seen: %v", len(orders), orders)
	}
}

// last always takes the last one; it is not asked where there is one only.
type last struct{ saw []string }

func (n *last) Choose(due []testkit.Event) int {
	n.saw = append(n.saw, due[len(due)-1].String())
	return len(due) - 1
}

// The order is the Chooser's to say.
func TestAChooserSaysWhatIsNext(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		by := &last{}
		k.Schedule(by)
		order := ""
		for _, name := range []string{"x", "y", "z"} {
			k.Lane(name).Add(func() { order += name })
		}
		k.Settle()
		if order[0] != 'z' || order != strings.Join(by.saw, "")+"y" {
			t.Errorf("order %s, chosen %v", order, by.saw)
		}
	})
}

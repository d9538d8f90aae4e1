package testkit_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// note is what the actors of this file are sent: who gets it, and what for.
type note struct {
	to   int
	tag  string
	does string // besides: see world.handle
	then []note // sent on
}

// world is actors that do as a note says, and what each of them has had, in its order,
// and what they share: with those, an order says all that can be seen of it.
type world struct {
	k      *testkit.Kit
	pids   []*actor.PID
	had    []string
	shared string
	lane   *testkit.Lane
	other  *testkit.Host // of the second actor
}

func newWorld(k *testkit.Kit, actors int) *world {
	w := &world{k: k, had: make([]string, actors), lane: k.Lane("lane"), other: k.NewHost("other")}
	k.Plainly(func() {
		for i := range actors {
			w.pids = append(w.pids, w.host(i).Spawn(fmt.Sprint("a", i), func() actor.Actor {
				return actor.ReceiveFunc(func(ctx actor.Context) {
					switch m := ctx.Message().(type) {
					case note:
						w.handle(ctx, i, m)
					case string:
						w.had[i] += m + " "
					}
				})
			}))
		}
	})
	return w
}

func (w *world) host(of int) *testkit.Host {
	if of == 1 {
		return w.other
	}
	return w.k.Host
}

func (w *world) tell(n note) { w.host(n.to).Tell(w.pids[n.to], n) }

func (w *world) handle(ctx actor.Context, i int, n note) {
	w.had[i] += n.tag + " "
	switch n.does {
	case "touches":
		w.k.Touch("what they share")
		w.shared += n.tag
	case "looks":
		w.k.Look("what they share")
		w.had[i] += w.shared + " "
	case "stops":
		w.host(n.to).System.Root.Stop(w.pids[n.to])
	case "stops another":
		another := (n.to + 1) % len(w.pids)
		w.host(another).System.Root.Stop(w.pids[another])
	case "chooses":
		w.had[i] += fmt.Sprint(w.k.Chance(testkit.Network).Choose("of "+n.tag, 2))
	case "has work done":
		w.k.Worker.Do(w.pids[0], time.Second, func(context.Context) any {
			w.k.Touch("what they share")
			w.shared += n.tag
			return n.tag + " is done"
		})
	case "goes by the lane":
		w.lane.Add(func() { w.k.Tell(w.pids[0], n.tag+" by the lane") })
	case "spawns":
		child := ctx.Spawn(w.k.Props("child", func() actor.Actor { return actor.ReceiveFunc(func(actor.Context) {}) }, nil))
		w.had[i] += child.GetId() + " "
	case "freezes":
		w.other.Freeze()
	case "thaws":
		w.other.Thaw()
	case "crashes":
		w.other.Crash()
	case "asks for a timer":
		w.k.Clock.After(time.Second, w.pids[0], n.tag+" in time")
	case "draws":
		w.had[i] += fmt.Sprint(w.k.Rand.Uint64N(1000)) + " "
	}
	for _, next := range n.then {
		w.tell(next)
	}
}

func noted(actors int, begin []note) func(k *testkit.Kit) string {
	return func(k *testkit.Kit) string {
		w := newWorld(k, actors)
		for _, n := range begin {
			w.tell(n)
		}
		k.Settle()
		w.other.Thaw()
		k.Advance(time.Minute)
		return fmt.Sprint(strings.Join(w.had, "|"), w.shared)
	}
}

// outcomes are the ends that the orders of a system come to, and how it was explored.
func outcomes(scope testkit.Scope, test func(k *testkit.Kit) string) (map[string]int, *testkit.Explored) {
	ends := map[string]int{}
	e := testkit.Explore(scope, func(k *testkit.Kit) { ends[test(k)]++ })
	return ends, e
}

func TestOrdersAreAsManyAsThereAre(t *testing.T) {
	each := func(actors, messages int) (all []note) {
		for i := range actors {
			for j := range messages {
				all = append(all, note{to: i, tag: fmt.Sprint(j)})
			}
		}
		return all
	}
	toOne := []note{}
	for i := 1; i <= 3; i++ {
		toOne = append(toOne, note{to: i, tag: "go", then: []note{{to: 0, tag: fmt.Sprint(i)}}})
	}
	for _, c := range []struct {
		name          string
		actors        int
		begin         []note
		naive, orders int
	}{
		{"two messages for one are in order", 1, each(1, 2), 1, 1},
		{"(2+2)! / 2! 2!, and nobody can see which", 2, each(2, 2), 6, 1},
		{"(2+2+2)! / 2! 2! 2!, and nobody can see which", 3, each(3, 2), 90, 1},
		// Three are sent in any of 3! orders; they are handled after that, in as many
		// places as the third number of Catalan says.
		{"three that send to one, in 3! orders", 4, toOne, 30, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			naive, all := outcomes(testkit.Scope{Naive: true}, noted(c.actors, c.begin))
			pruned, some := outcomes(testkit.Scope{}, noted(c.actors, c.begin))
			if all.Orders != c.naive || some.Orders != c.orders {
				t.Errorf("%d orders without pruning and %d with it, want %d and %d", all.Orders, some.Orders, c.naive, c.orders)
			}
			if !all.Exhausted() || !some.Exhausted() || !maps.EqualFunc(naive, pruned, func(int, int) bool { return true }) {
				t.Errorf("%v: %v\n%v: %v", all, naive, some, pruned)
			}
		})
	}
}

// TestPruningLosesNoEnd draws small systems, and holds that pruning comes to each end
// that there is, and, of systems that only send, to none twice.
func TestPruningLosesNoEnd(t *testing.T) {
	does := []string{
		"touches", "looks", "stops", "stops another", "chooses", "has work done", "goes by the lane", "spawns", "draws",
		"freezes", "thaws", "crashes", "asks for a timer",
	}
	pruned, naive, ends := 0, 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		actors, left := 2+r.IntN(2), 5
		var draw func(depth int) note
		draw = func(depth int) note {
			left--
			n := note{to: r.IntN(actors), tag: fmt.Sprint(left)}
			if seed%3 != 0 && r.IntN(2) == 0 {
				n.does = does[r.IntN(len(does))]
			}
			for left > 0 && depth < 3 && r.IntN(3) > 0 {
				n.then = append(n.then, draw(depth+1))
			}
			return n
		}
		begin := []note{draw(0), draw(0)}
		all, a := outcomes(testkit.Scope{Naive: true, Runs: 300}, noted(actors, begin))
		if !a.Exhausted() {
			continue
		}
		some, s := outcomes(testkit.Scope{}, noted(actors, begin))
		want, got := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(some))
		if !slices.Equal(want, got) || !s.Exhausted() || seed%3 == 0 && s.Orders != len(want) {
			t.Errorf("seed %d, %+v:\n%v and %v; ends\n%q, want\n%q", seed, begin, a, s, got, want)
		}
		pruned, naive, ends = pruned+s.Orders+s.Pruned, naive+a.Orders, ends+len(want)
	}
	t.Logf("%d ends, found by %d runs instead of %d", ends, pruned, naive)
	if ends < 80 || pruned*4 > naive {
		t.Errorf("%d ends, found by %d runs instead of %d, say little", ends, pruned, naive)
	}
}

// elected is two who want to lead; whoever reads before the other has written does.
// The bug needs one order, and that a message is lost.
func elected(k *testkit.Kit, mended bool) {
	leader, leaders := "", 0
	for _, name := range []string{"ada", "bob"} {
		p := k.Spawn(name, func() actor.Actor {
			return actor.ReceiveFunc(func(ctx actor.Context) {
				switch ctx.Message().(type) {
				case string:
					if k.Chance(testkit.Network).Once("lose the question of "+name, 2) || mended {
						k.Touch("who leads")
						if leader == "" {
							leader = name
							leaders++
						}
						return
					}
					k.Look("who leads")
					if leader == "" {
						ctx.Send(ctx.Self(), true)
					}
				case bool:
					k.Touch("who leads")
					leader = name
					leaders++
				}
			})
		})
		k.Tell(p, "lead")
	}
	k.Settle()
	if leaders > 1 {
		k.Violated("one leads", "%d lead", leaders)
	}
}

func TestAFailureFoundDepthFirstIsALog(t *testing.T) {
	test := func(k *testkit.Kit) { elected(k, false) }
	e := testkit.Explore(testkit.Scope{Scenario: "elected", Most: map[testkit.Stream]int{testkit.Network: 0}}, test)
	if e.Failure == nil || e.Failure.Violations[0].Invariant != "one leads" || e.Exhausted() {
		t.Fatalf("%v", e)
	}
	o := testkit.Play(testkit.Plan{Follow: e.Failure.Log}, test)
	if !o.Failed() || o.Misfit != "" || o.Steps != e.Failure.Steps {
		t.Errorf("the log is not the run: %+v", o)
	}
	if s, err := testkit.Shrink(e.Failure.Log, time.Minute, test); err != nil || !s.Outcome.Failed() {
		t.Errorf("%v, %v", s, err)
	}
	mended := testkit.Explore(testkit.Scope{}, func(k *testkit.Kit) { elected(k, true) })
	if !mended.Exhausted() || mended.Orders != 2*4 {
		t.Errorf("mended: %v, want 2 orders, in each of which two messages are lost or not", mended)
	}
}

func TestWhatABoundCutsOffIsSaid(t *testing.T) {
	test := func(k *testkit.Kit) { elected(k, true) }
	for _, c := range []struct {
		scope testkit.Scope
		want  string
	}{
		{testkit.Scope{}, "exhausted: 8 orders, 0 pruned"},
		{testkit.Scope{Most: map[testkit.Stream]int{testkit.Network: 1}}, "exhausted within bounds: 6 orders, 0 pruned; cut off by a bound: network 2 times"},
		{testkit.Scope{Values: 1}, "exhausted within bounds: 2 orders, 0 pruned; cut off by a bound: values of lose the question of ada 2 times, values of lose the question of bob 2 times"},
		{testkit.Scope{Steps: 1}, "exhausted within bounds: 4 orders, 0 pruned; cut off by a bound: steps 4 times"},
		{testkit.Scope{Runs: 3}, "not exhausted, 3 runs are all that it may: 3 orders, 0 pruned"},
		{testkit.Scope{Stop: func() bool { return true }}, "not exhausted, it was told to: 1 orders, 0 pruned"},
	} {
		if got := testkit.Explore(c.scope, test).String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.scope, got, c.want)
		}
	}
	never := 0
	e := testkit.Explore(testkit.Scope{}, func(k *testkit.Kit) {
		never++
		k.Chance(testkit.Faults).Choose(fmt.Sprint("run ", never), 2)
	})
	if want := "not the same run twice"; e.Exhausted() || !strings.Contains(e.Ended, want) {
		t.Errorf("a test that is another each time: %v, want %q", e, want)
	}
}

func TestARunDepartsFromThePlainOrderAsOftenAsItMay(t *testing.T) {
	var begin []note
	for i := 1; i <= 3; i++ {
		begin = append(begin, note{to: i, tag: "go", then: []note{{to: 0, tag: fmt.Sprint(i)}}})
	}
	ends, e := outcomes(testkit.Scope{Reversals: 1}, noted(4, begin))
	if len(ends) != 4 || e.Exhausted() || e.Beyond["reversals"] == 0 {
		t.Errorf("%v: %v, want less than 3! orders, and that it says so", e, ends)
	}
}

func TestAnOptionVaries(t *testing.T) {
	sums := map[int]int{}
	e := testkit.Explore(testkit.Scope{Vary: []string{"a"}, Options: map[string]int{"b": 5}}, func(k *testkit.Kit) {
		sums[k.Option("a", 1, 3)+k.Option("b", 0, 9)+k.Option("c", 10, 20)]++
	})
	if want := map[int]int{16: 1, 17: 1, 18: 1}; !maps.Equal(sums, want) || !e.Exhausted() {
		t.Errorf("%v: %v, want %v", e, sums, want)
	}
}

package testkit_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// notice holds everything whose text could differ between two runs that say the same.
type notice struct {
	Text  string
	to    *actor.PID
	inner *notice
	tags  map[string]int
	at    time.Time
	after func()
	err   error
}

// tells sends a notice to each of its friends for every string: in the order of a
// map, or of the sorted names.
func tells(friends map[string]*actor.PID, clock *testkit.Clock, sorted bool) actor.Producer {
	return receive(func(ctx actor.Context) {
		text, ok := ctx.Message().(string)
		if !ok {
			return
		}
		var names []string
		for name := range friends {
			names = append(names, name)
		}
		if sorted {
			slices.Sort(names)
		}
		for _, name := range names {
			ctx.Send(friends[name], &notice{
				Text: text + " for " + name, to: ctx.Self(), inner: &notice{Text: "in it"},
				tags: map[string]int{"a": 1, "b": 2, "c": 3}, at: clock.Now(), after: func() {}, err: errors.New("none"),
			})
		}
	})
}

func gossip(sorted bool) func(k *testkit.Kit) {
	return func(k *testkit.Kit) {
		friends := map[string]*actor.PID{}
		for i := range 200 {
			friends[fmt.Sprintf("friend %d", i)] = k.Probe().PID()
		}
		k.Tell(k.Spawn("gossip", tells(friends, k.Clock, sorted)), "news")
		k.Settle()
	}
}

// checked is what CheckDeterminism says of test.
func checked(t *testing.T, test func(k *testkit.Kit)) string {
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		testkit.CheckDeterminism(f, test)
	}()
	<-done
	return strings.Join(f.failures, "\n")
}

func TestCheckDeterminismFindsAMapThatSends(t *testing.T) {
	told := checked(t, gossip(false))
	for _, want := range []string{"seed 1 is not the same run twice", "the first run:  0s  probe$", "the second run: 0s  probe$", "news for friend"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in:\n%s", want, told)
		}
	}
}

func TestCheckDeterminismPasses(t *testing.T) {
	testkit.CheckDeterminism(t, gossip(true))
	testkit.CheckDeterminism(t, func(k *testkit.Kit) { // failures carry the library's wall times
		k.Tell(k.Spawn("boom", boom()), "now")
		k.Panics()
	})
}

// What one run leaves for the next makes the second longer, or shorter.
func TestCheckDeterminismFindsAnotherLength(t *testing.T) {
	for name, send := range map[string]func(runs int) int{
		"longer":  func(runs int) int { return runs },
		"shorter": func(runs int) int { return 5 - runs },
	} {
		t.Run(name, func(t *testing.T) {
			runs := 0
			told := checked(t, func(k *testkit.Kit) {
				runs++
				lane := k.Lane("a lane")
				for range send(runs) {
					lane.Add(func() {})
				}
				k.Settle()
			})
			if !strings.Contains(told, "(has ended)") || !strings.Contains(told, "0s  a lane") {
				t.Errorf("told %q", told)
			}
		})
	}
}

// A difference is told even if it ends the test that has it.
func TestCheckDeterminismTellsBeforeTheTestFails(t *testing.T) {
	runs := 0
	told := checked(t, func(k *testkit.Kit) {
		runs++
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), fmt.Sprint("run ", runs))
		if testkit.Expect[string](p) != "run 1" {
			runtime.Goexit()
		}
	})
	if !strings.Contains(told, `echo$2  "run 1"`) || !strings.Contains(told, `echo$2  "run 2"`) {
		t.Errorf("told %q", told)
	}
}

// The hash is of what was said: the same in every run and process, another for
// another message, and for another order.
func TestRecordHash(t *testing.T) {
	hash := func(texts ...string) (hash uint64, steps int) {
		testkit.Run(t, func(k *testkit.Kit) {
			e := k.Spawn("echo", echo())
			k.Settle()
			r := k.Record()
			for _, text := range texts {
				k.Tell(e, &notice{Text: text, to: e, tags: map[string]int{"a": 1, "b": 2}, at: k.Clock.Now()})
			}
			k.Lane("lane").Add(func() {})
			k.Settle()
			hash, steps = r.Hash(), r.Steps()
		})
		return hash, steps
	}
	one, steps := hash("a", "b")
	if again, _ := hash("a", "b"); again != one || steps != 3 {
		t.Errorf("%x, then %x; %d steps", one, again, steps)
	}
	if other, _ := hash("b", "a"); other == one {
		t.Error("another order has the same hash")
	}
	if want := uint64(0x6780a34ad04f92a5); one != want {
		t.Errorf("hash %#x, want %#x as in every process", one, want)
	}
}

func BenchmarkTellRecorded(b *testing.B) {
	testkit.Run(b, func(k *testkit.Kit) {
		e := k.Spawn("sink", receive(func(actor.Context) {}))
		k.Record()
		for b.Loop() {
			k.Tell(e, &notice{Text: "a", to: e})
			k.Settle()
		}
	})
}

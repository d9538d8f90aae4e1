package testkit_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// failing is used instead of the test that a kit's user runs: it records failures.
type failing struct {
	testing.TB
	failures []string
}

func (f *failing) Helper()      {}
func (f *failing) Failed() bool { return len(f.failures) > 0 }
func (f *failing) Logf(s string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(s, args...))
}

func (f *failing) Errorf(s string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(s, args...))
}

func (f *failing) Fatalf(s string, args ...any) {
	f.Errorf(s, args...)
	runtime.Goexit()
}

// failures runs test as a user's and returns what it was failed with.
func failures(t *testing.T, test func(k *testkit.Kit)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		testkit.Run(f, test)
	}()
	<-done
	return strings.Join(f.failures, "\n")
}

func wantFailure(t *testing.T, want string, test func(k *testkit.Kit)) {
	t.Helper()
	if got := failures(t, test); !strings.Contains(got, want) {
		t.Errorf("failed with %q, want one that contains %q", got, want)
	}
}

func receive(f func(ctx actor.Context)) actor.Producer {
	return func() actor.Actor { return actor.ReceiveFunc(f) }
}

func echo() actor.Producer {
	return receive(func(ctx actor.Context) {
		if m, ok := ctx.Message().(string); ok {
			ctx.Respond(m)
		}
	})
}

// boom panics on every string.
func boom() actor.Producer {
	return receive(func(ctx actor.Context) {
		if m, ok := ctx.Message().(string); ok {
			panic(m)
		}
	})
}

// A failure suspends the mailbox: what was after it waits for the restart and
// is not lost.
func TestMessagesAfterAFailureAreKept(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		flaky := k.Spawn("flaky", receive(func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case string:
				panic(m)
			case int:
				ctx.Respond(m)
			}
		}))
		k.Tell(flaky, "now")
		p.Request(flaky, 1)
		if got := testkit.Expect[int](p); got != 1 {
			t.Errorf("got %d", got)
		}
		k.Panics()
	})
}

func TestUnexpectedPanicFailsTheTest(t *testing.T) {
	wantFailure(t, "nothing panics: boom on string: now", func(k *testkit.Kit) {
		k.Tell(k.Spawn("boom", boom()), "now")
		k.Settle()
	})
}

func TestEndlessSystemFailsTheTest(t *testing.T) {
	if testing.Short() {
		t.Skip("runs millions of events")
	}
	wantFailure(t, "not settled", func(k *testkit.Kit) {
		loop := k.Spawn("loop", receive(func(ctx actor.Context) {
			if _, ok := ctx.Message().(string); ok {
				ctx.Send(ctx.Self(), "again")
			}
		}))
		k.Tell(loop, "go")
		k.Settle()
	})
}

func TestDeadLetters(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		e := k.Spawn("echo", echo())
		k.Stop(e)
		k.DeadLetters()
		k.Tell(e, "late")
		if got := k.DeadLetters(); len(got) != 1 || got[0].Message != "late" || !got[0].To.Equal(e) {
			t.Errorf("dead letters: %v", got)
		}
	})
}

// Every seed is an order: some let the second sender overtake the first, none
// reorders one sender's messages, and each comes back the same.
func TestRunSeedsPlaysOrders(t *testing.T) {
	play := func() map[string]string {
		orders := map[string]string{}
		testkit.RunSeeds(t, 20, func(t *testing.T, k *testkit.Kit) {
			p := k.Probe()
			for _, name := range []string{"a", "b"} {
				forward := k.Spawn("forward", receive(func(ctx actor.Context) {
					if m, ok := ctx.Message().(int); ok {
						ctx.Send(p.PID(), fmt.Sprint(name, m))
					}
				}))
				k.Tell(forward, 1)
				k.Tell(forward, 2)
			}
			got := fmt.Sprint(p.Messages())
			if strings.Index(got, "a1") > strings.Index(got, "a2") {
				t.Errorf("one sender's messages out of order: %s", got)
			}
			orders[fmt.Sprint(len(orders))] = got
		})
		return orders
	}
	first, second := play(), play()
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Error("a seed did not play the same order twice")
	}
	distinct := map[string]bool{}
	for _, order := range first {
		distinct[order] = true
	}
	if len(distinct) < 3 {
		t.Errorf("twenty seeds played %d orders", len(distinct))
	}
}

func TestRandIsSeeded(t *testing.T) {
	var draws [2][]uint64
	for i := range draws {
		testkit.Run(t, func(k *testkit.Kit) {
			for range 100 {
				n := k.Rand.Uint64N(10)
				if n > 9 {
					t.Errorf("%d out of range", n)
				}
				draws[i] = append(draws[i], n)
			}
		})
	}
	if fmt.Sprint(draws[0]) != fmt.Sprint(draws[1]) {
		t.Error("two runs drew differently")
	}
}

func TestAwaitTakesFromOtherGoroutines(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		e := k.Spawn("echo", echo())
		go p.Request(e, "from outside")
		if got := testkit.AwaitMessage[string](p); got != "from outside" {
			t.Errorf("got %q", got)
		}
	})
}

func BenchmarkRun(b *testing.B) {
	for b.Loop() {
		testkit.Run(b, func(k *testkit.Kit) {
			p := k.Probe()
			p.Request(k.Spawn("echo", echo()), "a")
			testkit.Expect[string](p)
		})
	}
}

func BenchmarkTell(b *testing.B) {
	testkit.Run(b, func(k *testkit.Kit) {
		e := k.Spawn("sink", receive(func(actor.Context) {}))
		for b.Loop() {
			k.Tell(e, "a")
			k.Settle()
		}
	})
}

// A panic that is still on its way when the test ends is a failure of the test.
func TestAPanicAtTheEndFailsTheTest(t *testing.T) {
	wantFailure(t, "victim on string: late", func(k *testkit.Kit) {
		pid := k.Spawn("victim", receive(func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				panic(m)
			}
		}))
		k.Tell(pid, "late")
	})
}

// A test that fails shows what was handled last, by whom and when, and names
// the actors that wait by a clock which is not the kit's.
func TestAFailureShowsTheLastMessages(t *testing.T) {
	told := failures(t, func(k *testkit.Kit) {
		p := k.Probe()
		pid := k.Spawn("sleeper", receive(func(ctx actor.Context) {
			if ctx.Message() == "wait" {
				ctx.SetReceiveTimeout(1 << 40)
			}
		}))
		for range 100 {
			k.Tell(pid, "filler")
		}
		k.Advance(3 * time.Second)
		k.Tell(pid, "wait")
		k.Tell(pid, strings.Repeat("long", 1000))
		testkit.Expect[int](p)
	})
	for _, want := range []string{"want int, but the system is at rest", "sleeper has set a receive timeout", "3s  sleeper", `sleeper$2  "wait"`, "longlong"} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in:\n%s", want, told)
		}
	}
	if n := strings.Count(told, "filler"); n == 0 || n > 60 || len(told) > 20_000 {
		t.Errorf("%d fillers, %d bytes", n, len(told))
	}
}

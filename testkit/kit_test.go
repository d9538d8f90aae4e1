package testkit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/testkit"
)

// failing stands in for the test that a kit's user runs: it records failures.
type failing struct {
	testing.TB
	failures []string
}

func (f *failing) Helper() {}
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

func TestProbeExpectations(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		e := k.Spawn("echo", echo())
		for _, m := range []string{"a", "b", "c", "d"} {
			p.Request(e, m)
		}
		if got := testkit.Expect[string](p); got != "a" {
			t.Errorf("first is %q, want a", got)
		}
		if got := testkit.FishFor(p, func(m string) bool { return m == "c" }); got != "c" {
			t.Errorf("fished %q, want c", got)
		}
		if got := p.Messages(); len(got) != 1 || got[0] != "d" {
			t.Errorf("left over: %v, want d", got)
		}
		p.ExpectNoMessage(time.Hour)
	})
}

func TestProbeFailuresNameWhatCame(t *testing.T) {
	wantFailure(t, "want a int, but the system is at rest", func(k *testkit.Kit) {
		testkit.Expect[int](k.Probe())
	})
	wantFailure(t, "want a int next, got \n\tstring a", func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), "a")
		testkit.Expect[int](p)
	})
	wantFailure(t, "want no message within 1s, got \n\tstring a", func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), "a")
		p.ExpectNoMessage(time.Second)
	})
	wantFailure(t, "want a int among \n\tstring a", func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), "a")
		testkit.FishFor[int](p)
	})
	wantFailure(t, "named no sender", func(k *testkit.Kit) {
		p := k.Probe()
		k.Tell(p.PID(), "a")
		testkit.Expect[string](p)
		p.Reply("b")
	})
}

func TestProbeReplies(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		asked, asker := k.Probe(), k.Probe()
		asker.Request(asked.PID(), "question")
		testkit.Expect[string](asked)
		asked.Reply(42)
		if got := testkit.Expect[int](asker); got != 42 || !asker.Sender().Equal(asked.PID()) {
			t.Errorf("got %d from %v", got, asker.Sender())
		}
		if ref := asked.Ref(); ref.GetAddress() != testkit.Address || ref.GetId() != asked.PID().GetId() {
			t.Errorf("ref %v, pid %v", ref, asked.PID())
		}
	})
}

func TestTerminated(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		e := k.Spawn("echo", echo())
		p.Watch(e)
		k.Settle()
		k.Stop(e)
		p.ExpectTerminated(e)

		watcher := k.Probe()
		watcher.Watch(p.PID())
		k.Settle()
		p.Stop()
		watcher.ExpectTerminated(p.PID())
	})
}

func TestSupervisorDecides(t *testing.T) {
	for _, c := range []struct {
		name     string
		decide   actor.Directive
		survives bool
	}{
		{"stop", actor.StopDirective, false},
		{"restart", actor.RestartDirective, true},
		{"resume", actor.ResumeDirective, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				decide := func(any) actor.Directive { return c.decide }
				parent := k.Supervisor(actor.NewOneForOneStrategy(10, time.Minute, decide))
				child := parent.Spawn("boom", boom())
				k.Tell(child, "now")
				if got := k.Panics(); len(got) != 1 || !strings.Contains(fmt.Sprint(got[0]), "boom on string: now") {
					t.Errorf("panics: %v", got)
				}
				if c.survives {
					parent.ExpectNoMessage(0)
				} else {
					parent.ExpectTerminated(child)
				}
			})
		})
	}
}

// A failure suspends the mailbox: what was behind it waits for the restart and
// is not lost.
func TestMessagesBehindAFailureAreKept(t *testing.T) {
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
	wantFailure(t, "an actor panicked: boom on string: now", func(k *testkit.Kit) {
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

func TestClockFiresInOrder(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		k.Clock.After(2*time.Second, p.PID(), "c")
		k.Clock.After(time.Second, p.PID(), "a")
		k.Clock.After(time.Second, p.PID(), "b")
		cancel := k.Clock.After(time.Second, p.PID(), "cancelled")
		k.Clock.After(3*time.Second, p.PID(), "later")
		cancel()
		cancel()
		if next, ok := k.Clock.Next(); !ok || next != time.Second {
			t.Errorf("next in %v, %v", next, ok)
		}
		k.Advance(2 * time.Second)
		if got := fmt.Sprint(p.Messages()); got != "[a b c]" {
			t.Errorf("fired %s, want [a b c]", got)
		}
		if got := k.Clock.Now().Sub(testkit.Start); got != 2*time.Second || k.Clock.Timers() != 1 {
			t.Errorf("now %v after start, %d timers", got, k.Clock.Timers())
		}
	})
}

// A timer made by a timer's message fires within the same Advance, at its own
// instant.
func TestClockChains(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		var at []time.Duration
		k.Spawn("ticker", receive(func(ctx actor.Context) {
			switch ctx.Message().(type) {
			case *actor.Started:
				k.Clock.After(time.Second, ctx.Self(), "tick")
			case string:
				at = append(at, k.Clock.Now().Sub(testkit.Start))
				k.Clock.After(time.Second, ctx.Self(), "tick")
			}
		}))
		k.Advance(3500 * time.Millisecond)
		if got := fmt.Sprint(at); got != "[1s 2s 3s]" {
			t.Errorf("ticked at %s", got)
		}
	})
}

func TestWorkerRunsHoldsAndRefuses(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		do := func(answer any) bool {
			return k.Worker.Do(p.PID(), time.Minute, func(ctx context.Context) any {
				if err := ctx.Err(); err != nil {
					return err
				}
				return answer
			})
		}
		if !do(1) || testkit.Expect[int](p) != 1 {
			t.Error("a job does not run by itself")
		}
		k.Worker.Hold()
		for i := 2; i <= 4; i++ {
			do(i)
		}
		p.ExpectNoMessage(time.Hour)
		if !k.Worker.ReleaseNext() || testkit.Expect[int](p) != 2 || k.Worker.Held() != 2 {
			t.Error("ReleaseNext did not release the first")
		}
		if !k.Worker.Expire() || !errors.Is(testkit.Expect[error](p), context.DeadlineExceeded) {
			t.Error("an expired job did not see its deadline")
		}
		k.Worker.Release()
		if testkit.Expect[int](p) != 4 || k.Worker.Done() != 4 || k.Worker.ReleaseNext() {
			t.Error("Release did not release the last")
		}
		k.Worker.Refuse(true)
		if do(5) {
			t.Error("a full pool took a job")
		}
		k.Worker.Refuse(false)
		do(nil)
		p.ExpectNoMessage(0)
		k.Worker.Do(p.PID(), time.Minute, func(context.Context) any { panic("in the job") })
		if got := testkit.Expect[*actors.WorkPanicked](p); got.Reason != "in the job" {
			t.Errorf("reason %v", got.Reason)
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

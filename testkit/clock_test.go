package testkit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

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
		p.ExpectNoMessage(time.Second)
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
		panics := func() {
			k.Worker.Do(p.PID(), time.Minute, func(context.Context) any { panic("in the job") })
		}
		panics()
		p.ExpectNoMessage(0)
		if got := k.Panics(); len(got) != 1 {
			t.Errorf("panics %v", got)
		}
		k.Worker.Panicked = func(reason any) any { return reason.(string) }
		panics()
		if got := testkit.Expect[string](p); got != "in the job" || len(k.Panics()) > 0 {
			t.Errorf("answered %q", got)
		}
		// A job that is kept past its deadline finds it passed.
		deadline := func(ctx context.Context) any { return ctx.Err() }
		k.Worker.Hold()
		k.Worker.Do(p.PID(), time.Minute, deadline)
		k.Advance(time.Minute)
		k.Worker.Release()
		if got := testkit.Expect[error](p); !errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("after the deadline: %v", got)
		}
	})
}

// A job takes no virtual time, so its deadline does not pass while it runs, however
// slow the machine is; one that waits for something real has wall time.
func TestADeadlineWhileTheJobRuns(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		k.Worker.Do(p.PID(), time.Nanosecond, func(ctx context.Context) any {
			for began := time.Now(); time.Since(began) < time.Millisecond; { // longer than it has
			}
			return errors.Join(ctx.Err(), errors.New("the job's own"))
		})
		if got := testkit.Expect[error](p); errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("a slow job is told: %v", got)
		}
		k.Worker.Do(p.PID(), time.Nanosecond, func(ctx context.Context) any {
			<-ctx.Done()
			return ctx.Err()
		})
		if got := testkit.Expect[error](p); !errors.Is(got, context.DeadlineExceeded) {
			t.Errorf("a job that waits is told: %v", got)
		}
		k.Worker.Do(p.PID(), time.Minute, func(ctx context.Context) any {
			at, ok := ctx.Deadline()
			if left := time.Until(at); !ok || left > time.Minute || left < 50*time.Second {
				return errors.New(left.String())
			}
			return ctx.Err()
		})
		p.ExpectNoMessage(0)
	})
}

func TestTheWallClockIsSetApart(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		begun := k.Clock.Elapsed()
		k.Clock.After(time.Minute, p.PID(), "due")
		k.Clock.Step(-time.Hour)
		p.ExpectNoMessage(time.Minute - 1)
		k.Clock.Step(2 * time.Hour)
		p.ExpectNoMessage(0)
		k.Advance(1)
		if testkit.Expect[string](p) != "due" || k.Clock.Elapsed()-begun != time.Minute {
			t.Errorf("%v after the start of the test", k.Clock.Elapsed()-begun)
		}
		if got := k.Clock.Now().Sub(testkit.Start); got != time.Hour+time.Minute {
			t.Errorf("the wall clock went %v", got)
		}
	})
}

// A clock that drifts measures more or less than passes, and its timers are as much
// earlier or later. What it has gained it keeps.
func TestAClockThatDrifts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		began := k.Clock.Elapsed()
		k.Clock.Drift(100 * time.Millisecond)
		k.Clock.After(11*time.Second, p.PID(), "after eleven of its seconds")
		k.Advance(10*time.Second - time.Millisecond)
		if got := p.Messages(); len(got) > 0 {
			t.Errorf("too early: %v", got)
		}
		k.Advance(time.Millisecond * 2)
		if got := p.Messages(); len(got) != 1 {
			t.Errorf("after ten seconds: %v", got)
		}
		k.Clock.Drift(-500 * time.Millisecond)
		k.Advance(10*time.Second - time.Millisecond)
		if got := k.Clock.Elapsed() - began; (got - 16*time.Second).Abs() > 2*time.Millisecond {
			t.Errorf("%v have passed by a clock that went on for eleven seconds and five", got)
		}
		if got := k.Clock.Now().Sub(testkit.Start); (got - 16*time.Second).Abs() > 2*time.Millisecond {
			t.Errorf("its wall time has gone on by %v", got)
		}
	})
}

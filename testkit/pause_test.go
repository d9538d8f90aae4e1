package testkit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// A job that pauses takes virtual time, in which others do what they do.
func TestAJobThatPauses(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		k.Worker.Pauses = true
		var all []string
		began := k.Clock.Elapsed()
		say := func(what string) { all = append(all, fmt.Sprint(k.Clock.Elapsed()-began, " ", what)) }
		job := func(name string, d time.Duration) {
			k.Worker.Do(p.PID(), time.Minute, func(ctx context.Context) any {
				derived, cancel := context.WithCancel(ctx)
				defer cancel()
				for range 2 {
					say(name)
					testkit.Pause(derived, d)
				}
				return name
			})
		}
		job("slow", 2*time.Second)
		job("fast", time.Second)
		k.Advance(3 * time.Second)
		if got := testkit.Expect[string](p); got != "fast" || k.Worker.Done() != 1 {
			t.Errorf("%s is first, %d are done", got, k.Worker.Done())
		}
		k.Advance(time.Second)
		if got := testkit.Expect[string](p); got != "slow" {
			t.Errorf("%s is second", got)
		}
		slices.Sort(all[:2]) // the order in one instant is the seed's
		if want := []string{"0s fast", "0s slow", "1s fast", "2s slow"}; !slices.Equal(all, want) {
			t.Errorf("%q, want %q", all, want)
		}
	})
}

// The deadline of a job comes nearer while it pauses.
func TestThePauseOfAJobCounts(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		k.Worker.Pauses = true
		k.Worker.Do(p.PID(), 2*time.Second, func(ctx context.Context) any {
			var errs []error
			for range 3 {
				errs = append(errs, ctx.Err())
				testkit.Pause(ctx, time.Second)
			}
			return errs
		})
		k.Advance(3 * time.Second)
		if errs := testkit.Expect[[]error](p); errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], context.DeadlineExceeded) {
			t.Errorf("%v", errs)
		}
	})
}

// Without Worker.Pauses, and outside of a job, no time passes.
func TestWhoDoesNotPause(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		testkit.Pause(context.Background(), time.Hour)
		k.Worker.Do(p.PID(), time.Minute, func(ctx context.Context) any {
			testkit.Pause(ctx, time.Hour)
			return ctx.Err() == nil
		})
		if !testkit.Expect[bool](p) {
			t.Error("its deadline has passed")
		}
	})
}

// A process that is killed does nothing more of what it had begun, and one that is
// suspended does it once it goes on. What was deferred is done, as by a function that
// panics; nobody is told.
func TestThePausedJobsOfAHost(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		did := map[string]string{}
		hosts := map[string]*testkit.Host{"killed": k.NewHost("a"), "suspended": k.NewHost("b"), "left": k.NewHost("c")}
		for _, name := range []string{"killed", "suspended", "left"} {
			w := hosts[name].Worker
			w.Pauses = true
			w.Do(p.PID(), time.Hour, func(ctx context.Context) any {
				defer func() { did[name] += " deferred" }()
				did[name] += "begun"
				testkit.Pause(ctx, time.Second)
				did[name] += " done"
				testkit.Pause(ctx, 30*time.Second)
				did[name] += " all"
				return nil
			})
		}
		k.Settle()
		hosts["killed"].Crash()
		hosts["suspended"].Freeze()
		k.Advance(2 * time.Second)
		if did["killed"] != "begun deferred" || did["suspended"] != "begun" || did["left"] != "begun done" {
			t.Errorf("after 2 s: %v", did)
		}
		hosts["suspended"].Thaw()
		k.Settle()
		if did["suspended"] != "begun done" {
			t.Errorf("thawed: %v", did)
		}
		t.Cleanup(func() { // the run is over with these two in the middle
			if did["left"] != "begun done deferred" || did["suspended"] != "begun done deferred" {
				t.Errorf("after the end: %v", did)
			}
		})
	})
}

// A job that panics after a pause fails its test with its stack, as one that does not
// pause; and one that fails the test in the middle ends it.
func TestAJobThatFailsAfterAPause(t *testing.T) {
	for name, fails := range map[string]func(k *testkit.Kit){
		"a job of nobody: after a pause": func(*testkit.Kit) { panic("after a pause") },
		"ended by itself":                func(k *testkit.Kit) { k.TB.Fatalf("ended by itself") },
	} {
		wantFailure(t, name, func(k *testkit.Kit) {
			k.Worker.Pauses = true
			k.Worker.Do(actor.NewPID(testkit.Address, "nobody"), time.Hour, func(ctx context.Context) any {
				testkit.Pause(ctx, time.Second)
				fails(k)
				return nil
			})
			k.Advance(time.Minute)
		})
	}
}

// A seed is one run, also of jobs that pause.
func TestPausesAreRepeatable(t *testing.T) {
	testkit.CheckDeterminism(t, func(k *testkit.Kit) {
		k.Worker.Pauses = true
		var b strings.Builder
		p := k.Probe()
		for i := range 20 {
			k.Worker.Do(p.PID(), time.Hour, func(ctx context.Context) any {
				for range 5 {
					testkit.Pause(ctx, time.Duration(k.Rand.Uint64N(3))*time.Second)
				}
				fmt.Fprint(&b, i, " ")
				return b.String()
			})
		}
		k.Advance(10 * time.Second)
		k.Advance(time.Duration(b.Len()) * time.Second)
		p.Messages()
	})
}

package testkit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

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
	wantFailure(t, "want int, but the system is at rest", func(k *testkit.Kit) {
		testkit.Expect[int](k.Probe())
	})
	wantFailure(t, "want int next, got\n\t\"a\"", func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), "a")
		testkit.Expect[int](p)
	})
	wantFailure(t, "want no message within 1s, got\n\t\"a\"", func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("echo", echo()), "a")
		p.ExpectNoMessage(time.Second)
	})
	wantFailure(t, "want int among\n\t\"a\"", func(k *testkit.Kit) {
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

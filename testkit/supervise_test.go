package testkit_test

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// mortal dies of every string; starts counts how often it began.
func mortal(starts *int) actor.Producer {
	return receive(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			*starts++
		case string:
			panic(m)
		}
	})
}

// deaths has the actor die so often, with a wait after each.
func deaths(k *testkit.Kit, pid *actor.PID, n int, wait time.Duration) {
	for range n {
		k.Tell(pid, "die")
		k.Advance(wait)
	}
	k.Panics()
}

func TestRestartsAreCountedInVirtualTime(t *testing.T) {
	twice := func() actor.SupervisorStrategy {
		return actor.NewOneForOneStrategy(2, 10*time.Second, actor.DefaultDecider)
	}
	for name, c := range map[string]struct {
		spawn func(k *testkit.Kit, produce actor.Producer) *actor.PID
		slow  time.Duration // apart so much it is restarted each time
		most  int           // restarts at once
	}{
		"no parent":     {func(k *testkit.Kit, p actor.Producer) *actor.PID { return k.Spawn("mortal", p) }, 2 * time.Second, 10},
		"a probe":       {func(k *testkit.Kit, p actor.Producer) *actor.PID { return k.Probe().Spawn("mortal", p) }, 2 * time.Second, 10},
		"of a strategy": {func(k *testkit.Kit, p actor.Producer) *actor.PID { return k.Supervisor(twice()).Spawn("mortal", p) }, 6 * time.Second, 2},
		"of another": {func(k *testkit.Kit, p actor.Producer) *actor.PID {
			return k.Supervisor(actor.NewAllForOneStrategy(2, 10*time.Second, actor.DefaultDecider)).Spawn("mortal", p)
		}, 6 * time.Second, 2},
		"by a factory": {func(k *testkit.Kit, p actor.Producer) *actor.PID {
			child := make(chan *actor.PID, 1)
			k.SpawnProps("parent", k.Props("parent", receive(func(ctx actor.Context) {
				if _, ok := ctx.Message().(*actor.Started); ok {
					child <- ctx.Spawn(k.Props("mortal", p, nil))
				}
			}), nil))
			k.Settle()
			return <-child
		}, 2 * time.Second, 10},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				starts := 0
				deaths(k, c.spawn(k, mortal(&starts)), 40, c.slow)
				if starts != 41 {
					t.Errorf("%d of 40 failures %v apart were followed by a restart", starts-1, c.slow)
				}
			})
			testkit.Run(t, func(k *testkit.Kit) {
				starts := 0
				deaths(k, c.spawn(k, mortal(&starts)), 40, 0)
				if starts != c.most+1 {
					t.Errorf("%d of 40 failures at once were followed by a restart, want %d", starts-1, c.most)
				}
			})
		})
	}
}

func TestBackoffByWallTimeIsNamed(t *testing.T) {
	wantFailure(t, "strategy with a backoff, which restarts by wall time", func(k *testkit.Kit) {
		starts := 0
		p := k.Supervisor(actor.NewExponentialBackoffStrategy(time.Minute, time.Hour))
		deaths(k, p.Spawn("mortal", mortal(&starts)), 1, time.Minute)
		testkit.Expect[int](p)
	})
}

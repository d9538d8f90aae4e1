package testkit_test

import (
	"context"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// ball is what two actors throw to each other until nothing is left.
type ball struct{ Left int }

type player struct{}

func (player) Receive(ctx actor.Context) {
	if b, ok := ctx.Message().(*ball); ok && b.Left > 0 {
		ctx.Request(ctx.Sender(), &ball{b.Left - 1})
	}
}

// BenchmarkMessages is what the loop costs for each message that an actor handles,
// without a record and with one.
func BenchmarkMessages(b *testing.B) {
	for _, recorded := range []bool{false, true} {
		name := "traced"
		if recorded {
			name = "recorded"
		}
		b.Run(name, func(b *testing.B) {
			const game = 10_000
			b.ReportAllocs()
			messages := 0
			for b.Loop() {
				testkit.Run(b, func(k *testkit.Kit) {
					if recorded {
						k.Record()
					}
					one := k.Spawn("player", func() actor.Actor { return player{} })
					two := k.Spawn("player", func() actor.Actor { return player{} })
					k.System.Root.RequestWithCustomSender(one, &ball{game}, two)
					k.Settle()
				})
				messages += game
			}
			b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// A job is done in one step, or as a coroutine that may pause and does not, or does once.
func BenchmarkJobs(b *testing.B) {
	for _, c := range []struct {
		name   string
		may    bool
		pauses time.Duration
	}{{"one step", false, 0}, {"may pause", true, 0}, {"pauses", true, time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			testkit.Run(b, func(k *testkit.Kit) {
				k.Worker.Pauses = c.may
				nobody := actor.NewPID(testkit.Address, "nobody")
				for b.Loop() {
					k.Worker.Do(nobody, time.Minute, func(ctx context.Context) any {
						testkit.Pause(ctx, c.pauses)
						return nil
					})
					k.Advance(2 * time.Millisecond)
				}
			})
		})
	}
}

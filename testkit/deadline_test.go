package testkit_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// A job's context ends when its time is over, and once the job has returned.
func TestAJobsContextEnds(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		to := actor.NewPID(testkit.Address, "nobody")
		var plain context.Context
		var asked <-chan struct{}
		k.Worker.Do(to, time.Hour, func(ctx context.Context) any {
			plain = ctx
			if at, ok := ctx.Deadline(); !ok || time.Until(at) < 50*time.Minute || ctx.Err() != nil {
				t.Errorf("it ends at %v, %v: %v", at, ok, ctx.Err())
			}
			return nil
		})
		k.Worker.Do(to, time.Hour, func(ctx context.Context) any {
			asked = ctx.Done()
			return nil
		})
		k.Worker.Do(to, 20*time.Millisecond, func(ctx context.Context) any {
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("after its time: %v", ctx.Err())
			}
			return nil
		})
		k.Worker.Do(to, 0, func(ctx context.Context) any {
			<-ctx.Done()
			return nil
		})
		k.Settle()
		if plain.Err() == nil {
			t.Error("its context outlives a job")
		}
		<-asked
		<-plain.Done()
	})
}

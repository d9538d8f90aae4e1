package testkit_test

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/testkit"
)

// reminder answers every string with itself, a minute later.
type reminder struct{ clock *testkit.Clock }

type remind struct {
	text string
	to   *actor.PID
}

func (r *reminder) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case string:
		r.clock.After(time.Minute, ctx.Self(), &remind{m, ctx.Sender()})
	case *remind:
		ctx.Send(m.to, m.text)
	}
}

func TestReminderReminds(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		p := k.Probe()
		p.Request(k.Spawn("reminder", func() actor.Actor { return &reminder{k.Clock} }), "tea")
		p.ExpectNoMessage(59 * time.Second)
		k.Advance(time.Second)
		if got := testkit.Expect[string](p); got != "tea" {
			t.Fatal(got)
		}
	})
}

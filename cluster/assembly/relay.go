package assembly

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// relay is where other nodes' journals send frames, for all routers of this one,
// and through which a router that is behind has the journals of all nodes take
// less. What it loses is made good: a frame is read from the log, and slowing is
// said again.
type relay struct {
	routers []*actor.PID
	journal *actor.PID
	others  func() []*actor.PID // journals of the other nodes that are alive
}

func (r *relay) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.FrameAppended:
		for _, router := range r.routers {
			ctx.Send(router, m)
		}
	case *messages.SlowDown, *messages.SpeedUp:
		for _, journal := range append([]*actor.PID{r.journal}, r.others()...) {
			ctx.RequestWithCustomSender(journal, m, ctx.Sender())
		}
	}
}

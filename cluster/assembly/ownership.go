package assembly

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// ownership has this node's shards take what the view places here, and give up
// what it does not. A view is a hint, so it says so again where a shard that
// belongs here was given up on somebody else's word: terms decide.
//
// A restart tells all of them, which changes nothing where it has happened.
type ownership struct {
	clock  actors.Clock
	shards []*actor.PID
	owns   func(number int) bool
	timers actors.Timers
	told   []bool // by shard, that it belongs here; nil: they know by themselves, at their start
}

type (
	// placedAgain: there is another view.
	placedAgain struct{}
	// left: the shard owns nothing any more.
	left  struct{ number int }
	retry struct {
		of     *ownership
		number int
	}
)

// ownAgain is how long a shard that was given up is left to whoever wanted it.
const ownAgain = time.Second

func (o *ownership) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Stopping, *actor.Restarting:
		o.timers.Stop()
	case *placedAgain:
		o.place(ctx)
	case *left:
		if o.owns(m.number) {
			o.timers.Set(m.number, ownAgain, ctx.Self(), &retry{o, m.number})
		}
	case *retry:
		if m.of == o && o.owns(m.number) {
			ctx.Send(o.shards[m.number], &messages.Activate{Shard: uint32(m.number)})
		}
	}
}

func (o *ownership) place(ctx actor.Context) {
	first := o.told == nil
	if first {
		o.told = make([]bool, len(o.shards))
	}
	for number, pid := range o.shards {
		owns := o.owns(number)
		if !first && owns == o.told[number] {
			continue
		}
		o.told[number] = owns
		if owns {
			ctx.Send(pid, &messages.Activate{Shard: uint32(number)})
		} else {
			ctx.Send(pid, &messages.Deactivate{Shard: uint32(number)})
		}
	}
}

package assembly

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// ownership has this node's shards take what the view places here, and give up
// what it does not. A view is a hint, so it says so again where a shard that
// belongs here was given up on somebody else's word: terms decide.
//
// It follows every view, in order, also where the next one is there already: one
// in which the node is apart has every shard given up.
//
// A shard gets an actor when it is first placed here, and keeps it: of a thousand, a
// node of five has two hundred, and one that has never been here owns nothing that it
// would have to give up. What is sent to it by whoever knows an older view is a dead
// letter, which tells its sender as much as NotOwner does.
//
// A restart tells all of them, which changes nothing where it has happened.
type ownership struct {
	clock  actors.Clock
	parent *actor.PID // of the shards
	shards []*actor.PID
	begun  []atomic.Bool         // by shard: the parent was told to start it; shared by all instances
	owns   func(number int) bool // by the newest view
	timers actors.Timers
	told   []bool // by shard, that it belongs here; nil: nothing was told

	giving  map[int]bool // shards that have not said that they own nothing
	round   uint64       // of giving up
	askedBy *actor.PID
}

type (
	// placedAgain: there is another view.
	placedAgain struct{ placed *placed }
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
		o.place(ctx, m.placed)
	case *giveUp:
		o.giveUp(ctx, m)
	case *messages.Deactivated:
		o.given(ctx, int(m.GetShard()))
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

func (o *ownership) place(ctx actor.Context, p *placed) {
	first := o.told == nil
	if first {
		o.told = make([]bool, len(o.shards))
	}
	var start []int
	for number, pid := range o.shards {
		owns := p.owns(number)
		switch begun := o.begun[number].Load(); {
		case !begun && owns: // it asks by itself whether it belongs here
			o.begun[number].Store(true)
			start = append(start, number)
		case !begun, !first && owns == o.told[number]:
		case owns:
			ctx.Send(pid, &messages.Activate{Shard: uint32(number)})
		default:
			ctx.Send(pid, &messages.Deactivate{Shard: uint32(number)})
		}
		o.told[number] = owns
	}
	if len(start) > 0 {
		ctx.Send(o.parent, &begin{start})
	}
}

// giveUp asks every shard that has an actor, and those that have not answered once more when it is
// asked once more.
func (o *ownership) giveUp(ctx actor.Context, m *giveUp) {
	if o.askedBy = ctx.Sender(); o.round != m.round {
		o.round, o.giving = m.round, map[int]bool{}
		for number := range o.shards {
			if o.begun[number].Load() {
				o.giving[number] = true
			}
		}
	}
	for number, pid := range o.shards {
		if o.giving[number] {
			ctx.Request(pid, &messages.Deactivate{Shard: uint32(number)})
		}
	}
	o.gaveUp(ctx)
}

func (o *ownership) given(ctx actor.Context, number int) {
	if o.giving[number] {
		delete(o.giving, number)
		o.gaveUp(ctx)
	}
}

func (o *ownership) gaveUp(ctx actor.Context) {
	if len(o.giving) == 0 {
		ctx.Send(o.askedBy, &gaveUp{o.round, ownershipID})
	}
}

package assembly

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// releases sees to it that the slots of connections that have ended are given
// back, wherever their key is: what a connection says last could be lost on its
// way to another node, and nobody would say it again. Its slot would then be
// held until the key looks for the connection, half a minute or more.
//
// It keeps releases until they are answered, in order of their coming. Past its
// bound the oldest is forgotten, and the key finds out. A restart forgets all.
type releases struct {
	owners actors.Owners
	rare   actors.Sometimes
	timers actors.Timers

	open  map[string]*messages.Release // by connection id; at most releasesMost
	order []string                     // of open, and of those answered since the last round
	again bool                         // a releaseTime is on its way
}

const (
	releasesMost  = 65_536
	releaseAgain  = time.Second
	releasesRound = 1024 // said again at a time
)

type releaseTime struct{ of *releases }

func (r *releases) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Stopping, *actor.Restarting:
		r.timers.Stop()
	case *messages.Release:
		r.release(ctx, m)
	case *messages.Released:
		delete(r.open, m.GetConnectionId())
	case *releaseTime:
		if m.of == r {
			r.round(ctx)
		}
	}
}

func (r *releases) release(ctx actor.Context, m *messages.Release) {
	id := m.GetConnectionId()
	if r.open[id] == nil {
		r.order = append(r.order, id)
	}
	r.open[id] = m
	for len(r.order) > releasesMost {
		delete(r.open, r.order[0])
		r.order = r.order[1:]
	}
	ctx.Request(r.owners.Owner(m.GetKeyId()), m)
	r.later(ctx)
}

func (r *releases) later(ctx actor.Context) {
	if !r.again && len(r.open) > 0 {
		r.again = true
		r.timers.Set(releaseTime{}, releaseAgain, ctx.Self(), &releaseTime{r})
	}
}

// round says again what has had no answer, those that have waited longest first.
func (r *releases) round(ctx actor.Context) {
	r.again = false
	said, kept := 0, r.order[:0]
	var later []string
	for _, id := range r.order {
		m := r.open[id]
		switch {
		case m == nil:
		case said < releasesRound:
			said++
			r.rare.Reached(actors.ReleaseSaidAgain)
			ctx.Request(r.owners.Owner(m.GetKeyId()), m)
			later = append(later, id)
		default:
			kept = append(kept, id)
		}
	}
	r.order = append(kept, later...)
	r.later(ctx)
}

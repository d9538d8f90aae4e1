package source

import (
	"cmp"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// This file is what waits at the intake. A pushed body is several offers; once
// the first is durable, refusing another because there is no room would have the
// pusher send again what was taken, which after enough other events is delivered
// twice.
// So what continues a body waits for room, in order of arrival, and new bodies
// are refused until nothing waits: those that were begun end first.
//
// Bounds: a body has as many offers on their way as its pusher allows
// (push.Config.InFlight), and holds their events in any case while it waits for
// the answers. Nothing is held for longer than cfg.HoldMost; then the body is
// given up, with all of it that waits, and its pusher is told what was taken.

// holdTime is the timer of what is held.
type holdTime struct{}

// ended is a body that was given up: what still comes of it is refused, since
// what comes before was not taken.
type ended struct {
	call uint64
	at   actors.Instant
}

const (
	endedMost = 1024        // bodies; past it the oldest is forgotten
	endedFor  = time.Minute // longer than an offer is on its way
)

// hold puts the ask, which does not count against the bounds any more, where it
// belongs among those that wait. pump has to be called after it.
func (i *intake) hold(a *ask, after time.Duration) {
	i.wait(a)
	i.pause = max(i.pause, i.cfg.Clock.Elapsed()+clamp(after, poolRetry, refusedMost))
}

// wait has the ask wait its turn. How long it may is counted from the first time.
func (i *intake) wait(a *ask) {
	if a.until == 0 {
		a.until = i.cfg.Clock.Elapsed() + i.cfg.HoldMost
	}
	at, _ := slices.BinarySearchFunc(i.held, a, func(x, y *ask) int { return cmp.Compare(x.arrived, y.arrived) })
	i.held = slices.Insert(i.held, at, a)
}

// pump gives up what was held for too long, takes what is held for as long as
// there is room, one offer of a body after the other, and sets the timer for the
// rest.
func (i *intake) pump(ctx actor.Context) {
	now := i.cfg.Clock.Elapsed()
	for late := i.late(now); late >= 0; late = i.late(now) {
		a := i.held[late]
		i.held = slices.Delete(i.held, late, late+1)
		i.end(ctx, a.call, messages.RefuseReason_REFUSE_BUSY, refuseSlow, notInTime)
		i.refused(ctx, a, messages.RefuseReason_REFUSE_BUSY, refuseSlow, notInTime)
	}
	for n := 0; n < len(i.held) && now >= i.pause && i.fits(i.held[n]); {
		a := i.held[n]
		if i.out[a.call] {
			n++
			continue
		}
		i.held = slices.Delete(i.held, n, n+1)
		i.take(ctx, a)
	}
	if len(i.held) == 0 {
		i.timers.Cancel(holdTime{})
		return
	}
	wait := slices.MinFunc(i.held, func(x, y *ask) int { return cmp.Compare(x.until, y.until) }).until - now
	if now < i.pause {
		wait = min(wait, i.pause-now)
	}
	i.timers.Set(holdTime{}, wait, ctx.Self(), &holdTime{})
}

// late is the first that was held for too long; -1: none was.
func (i *intake) late(now actors.Instant) int {
	return slices.IndexFunc(i.held, func(a *ask) bool { return now >= a.until })
}

// waits: something is held because there is no room or because the journal refused, and
// not only until what comes before it is durable.
func (i *intake) waits() bool {
	return slices.ContainsFunc(i.held, func(a *ask) bool { return !i.out[a.call] })
}

const notInTime = "the log did not take it in time"

// end gives a body up: what of it is held is refused, and so is what comes.
func (i *intake) end(ctx actor.Context, call uint64, why messages.RefuseReason, after time.Duration, detail string) {
	if call == 0 {
		return
	}
	now := i.cfg.Clock.Elapsed()
	for len(i.ended) > 0 && (len(i.ended) >= endedMost || i.ended[0].at+endedFor <= now) {
		i.ended = i.ended[1:]
	}
	i.ended = append(i.ended, ended{call, now})
	var rest []*ask
	i.held = slices.DeleteFunc(i.held, func(a *ask) bool {
		if a.call == call {
			rest = append(rest, a)
		}
		return a.call == call
	})
	for _, a := range rest {
		i.refused(ctx, a, why, after, detail)
	}
}

func (i *intake) hasEnded(call uint64) bool {
	return slices.ContainsFunc(i.ended, func(e ended) bool { return e.call == call })
}

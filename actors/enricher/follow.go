package enricher

import (
	"context"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// articles is every change of every article: kite's clients get no less.
var articles = &follow.Subscription{Query: &messages.Query{Want: &messages.Query_Kite{Kite: &messages.KiteFilters{}}}}

// follow begins at a place, whatever was followed before.
func (e *enricher) follow(ctx actor.Context, from follow.Place) {
	e.leave(ctx)
	e.began, e.apart = true, false
	e.follower = follow.NewAfter(&e.cfg.Follow, from, max(e.last, e.follower.Asked()))
	e.step(ctx, follow.Subscribe{Subscription: articles})
}

// leave tells the router that nobody follows any more.
func (e *enricher) leave(ctx actor.Context) {
	if !e.began {
		return
	}
	e.began = false
	for _, o := range e.follower.Quit() {
		if l, ok := o.(follow.Leave); ok {
			ctx.Send(e.cfg.Router, &messages.Leave{ConnectionId: id, Join: l.Join})
		}
	}
}

// step tells the follower what has happened, and does what it says.
func (e *enricher) step(ctx actor.Context, in any) {
	if !e.began {
		return
	}
	e.do(ctx, e.follower.Step(in))
	e.goOn(ctx)
	e.pump(ctx)
}

// goOn goes on with what waits until there is room.
func (e *enricher) goOn(ctx actor.Context) {
	if e.apart && e.room() {
		e.follow(ctx, e.follower.Place())
	}
	for e.began && e.follower.Waits() && e.room() {
		e.do(ctx, e.follower.Step(follow.Taken{}))
	}
}

func (e *enricher) do(ctx actor.Context, out []follow.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case follow.Deliver:
			e.take(ctx, o.Deliveries)
		case follow.Trimmed:
			e.cfg.Logger.Error("articles were not enriched: the log does not hold them any more", "first", uint64(o.First))
		case follow.Lost:
			e.cfg.Logger.Error("articles may not be enriched: a part of the log is gone", "from", uint64(o.Lost.From), "to", uint64(o.Lost.To))
		case follow.Over:
			e.cfg.Logger.Warn("the log is followed again: it could not be", "why", o.Detail)
			e.began = false
			e.set(ctx, beginTime{}, beginAgain)
		case follow.Wait:
			e.timers.Cancel(fired{})
			if o.For > 0 {
				e.timers.Set(fired{}, o.For, ctx.Self(), fired{o.Timer})
			}
		case follow.ReadLog:
			e.readLog(ctx, o)
		default:
			if q := follow.RouterQuestion(o, id, actors.RefOf(ctx.Self())); q != nil {
				ctx.Request(e.cfg.Router, q)
			}
		}
	}
}

// logRead is a worker's answer.
type logRead struct {
	reading uint64
	result  follow.Result
	err     error
}

func (e *enricher) readLog(ctx actor.Context, o follow.ReadLog) {
	replays := e.cfg.Replays
	e.work(ctx, e.cfg.Reads, func(c context.Context) any {
		result, err := replays.Replay(c, o.Request)
		return &logRead{o.Reading, result, err}
	})
}

func (e *enricher) logRead(ctx actor.Context, m *logRead) {
	e.step(ctx, follow.Outcome(m.reading, m.result, m.err))
}

// overflow leaves the live side where too much waits: what comes is read from
// the log when there is room again.
func (e *enricher) overflow(ctx actor.Context) {
	if e.began && e.follower.Live() {
		e.leave(ctx)
		e.apart = true
	}
}

// room is for one more delivery; full is past the bound, which one delivery of
// a reading may pass by what it holds.
func (e *enricher) room() bool { return e.within(e.cfg.MaxJobs/2, e.cfg.MaxBytes/2) }
func (e *enricher) full() bool { return !e.within(e.cfg.MaxJobs, e.cfg.MaxBytes) }

func (e *enricher) within(jobs, bytes int) bool {
	return len(e.jobs)+len(e.writes) < jobs && e.bytes < bytes
}

package upstreams

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// This file is what the upstreams of several nodes owe each other.

// refreshFeeds is a request of the actor's own: the feeds are read again, for what
// was changed by way of other nodes. It waits its turn as changes do.
type refreshFeeds struct{}

type refreshTime struct{ of *upstreams }

func (u *upstreams) refresh(ctx actor.Context) {
	for _, r := range u.queue {
		if _, ok := r.message.(refreshFeeds); ok {
			return
		}
	}
	u.queue = append(u.queue, &request{message: refreshFeeds{}}) // one more than cfg.QueueMost
	u.next(ctx)
}

func (u *upstreams) refreshAfter(ctx actor.Context) {
	if u.cfg.Refresh > 0 {
		u.refreshLater()
		u.refreshLater = u.cfg.Clock.After(u.cfg.Refresh, ctx.Self(), &refreshTime{u})
	}
}

// refreshed starts what is new or was changed, and ends what is gone.
func (u *upstreams) refreshed(ctx actor.Context, feeds []record, err error) {
	u.refreshAfter(ctx)
	if err != nil {
		u.cfg.Logger.Warn("the feeds cannot be read again", "error", err)
		return
	}
	there := map[string]bool{}
	for _, s := range feeds {
		id := s.feed.GetId()
		if there[id] = s.made(); !s.made() || s.damaged != nil {
			continue
		}
		if c := u.sources.byID[id]; c == nil || c.revision != s.revision {
			u.startFeed(ctx, s)
		}
	}
	for _, c := range u.sources.running() {
		if c.kind == kindFeed && !there[c.id] {
			u.sources.endFeed(ctx, c.id)
		}
	}
}

// giving is who waits for the end of what the node has by its lease, and for which
// sources.
type giving struct {
	round uint64
	asked *actor.PID      // nil: nobody waits
	left  map[string]bool // by id
}

// placed has every singleton look where its place is.
func (u *upstreams) placed(ctx actor.Context) {
	for _, c := range u.sources.running() {
		if !c.here {
			ctx.Send(c.pid, &actors.Placed{})
		}
	}
}

// giveUp has every singleton give up what it has. One that rests after a failure
// has nothing.
func (u *upstreams) giveUp(ctx actor.Context, round uint64) {
	u.giving = giving{round, ctx.Sender(), map[string]bool{}}
	for _, c := range u.sources.running() {
		if !c.here && c.failed == nil {
			u.giving.left[c.id] = true
			ctx.Request(c.pid, &actors.GiveUp{Round: round})
		}
	}
	u.givenUp(ctx, "")
}

// givenUp: the source has nothing any more.
func (u *upstreams) givenUp(ctx actor.Context, id string) {
	delete(u.giving.left, id)
	if u.giving.asked != nil && len(u.giving.left) == 0 {
		ctx.Send(u.giving.asked, &actors.GivenUp{Round: u.giving.round})
		u.giving.asked = nil
	}
}

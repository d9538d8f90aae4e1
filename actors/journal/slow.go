package journal

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// lease is one router's word that it is behind.
type lease struct {
	until  actors.Instant
	reason string
}

const (
	leaseLeast = 100 * time.Millisecond
	leaseMost  = 5 * time.Second // however long a router asks for
)

// slowDown holds new offers back for as long as the router says, from now. It
// ends by itself: a router that is still behind says it again, and what is lost
// or late, or said by one that is gone since, costs a lease at most. Only
// routers that frames are sent to are heard.
func (j *journal) slowDown(ctx actor.Context, m *messages.SlowDown) {
	sender := ctx.Sender()
	if sender == nil || !j.follows(sender) {
		return
	}
	ask := max(leaseLeast, min(time.Duration(min(m.GetForMs(), leaseMost.Milliseconds()))*time.Millisecond, leaseMost))
	j.slow[sender.String()] = lease{until: j.cfg.Clock.Elapsed() + ask, reason: m.GetReason()}
}

func (j *journal) follows(router *actor.PID) bool {
	for _, r := range j.cfg.Routers() {
		if r.Equal(router) {
			return true
		}
	}
	return false
}

// slowed refuses the offer while a router is behind.
func (j *journal) slowed(ctx actor.Context, m *messages.Offer) bool {
	if len(j.slow) == 0 {
		return false
	}
	now, wait, why := j.cfg.Clock.Elapsed(), time.Duration(0), ""
	for router, l := range j.slow {
		switch {
		case now >= l.until:
			delete(j.slow, router)
		case l.until-now > wait || l.until-now == wait && l.reason < why:
			wait, why = l.until-now, l.reason
		}
	}
	if wait == 0 {
		return false
	}
	j.cfg.Sometimes.Reached(actors.SourcesSlowed)
	j.refuse(ctx, ctx.Sender(), m.GetId(), messages.RefuseReason_REFUSE_BUSY, max(busyRetry, wait/2), "deliveries are behind: "+why)
	return true
}

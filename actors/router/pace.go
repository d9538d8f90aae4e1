package router

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// pace is how far the router is behind: how long ago it first heard that the
// log holds the frame that it has to handle next.
//
// That is measured on this router's own monotonic clock alone. A time that
// another process, or the wall clock, had put on the frame would be late by
// every step of a clock and every pause of a machine.
type pace struct {
	end    uint64 // the highest sequence that the log is known to hold
	marks  []heardOf
	slowed bool
	told   actors.Instant // when the journal was last told to slow down
}

// heardOf says when sequences up to through were first heard of, those of the
// mark before excepted.
type heardOf struct {
	through uint64
	at      actors.Instant
}

const (
	markEvery = 50 * time.Millisecond // marks are no closer, so that lag is known to that
	marksMost = 256                   // past it half of them go, and lag is known less well
)

// heard notes that the log holds the sequence, and so all before it.
func (p *pace) heard(sequence uint64, now actors.Instant) {
	if sequence <= p.end {
		return
	}
	p.end = sequence
	if n := len(p.marks); n > 0 && now-p.marks[n-1].at < markEvery {
		p.marks[n-1].through = sequence
		return
	}
	if len(p.marks) == marksMost {
		for i := range marksMost / 2 {
			p.marks[i] = heardOf{through: p.marks[2*i+1].through, at: p.marks[2*i].at}
		}
		p.marks = p.marks[:marksMost/2]
	}
	p.marks = append(p.marks, heardOf{sequence, now})
}

// forget: the log ends at last.
func (p *pace) forget(last uint64) {
	p.end = last
	for n := len(p.marks); n > 0 && p.marks[n-1].through > last; n-- {
		if n > 1 && p.marks[n-2].through >= last {
			p.marks = p.marks[:n-1]
			continue
		}
		p.marks[n-1].through = last
	}
}

// lag is how long ago the sequence was heard of; 0 where it was not.
func (p *pace) lag(sequence uint64, now actors.Instant) time.Duration {
	done := 0
	for done < len(p.marks) && p.marks[done].through < sequence {
		done++
	}
	if done > 0 {
		p.marks = append(p.marks[:0], p.marks[done:]...)
	}
	if len(p.marks) == 0 {
		return 0
	}
	return now - p.marks[0].at
}

// keepPace slows the sources while this router is behind, by way of the
// journal. It is asked after every frame and by a timer, since there may be no
// frames while the journal refuses what would become some.
//
// Slowing is a lease that this router renews: it ends by itself where a message
// is lost or this router is gone.
func (r *router) keepPace(ctx actor.Context) {
	now := r.cfg.Clock.Elapsed()
	lag := r.pace.lag(r.state.next, now)
	journal := r.cfg.Journal()
	switch {
	case !r.pace.slowed && lag > r.cfg.Behind:
		r.pace.slowed, r.pace.told = true, 0
		r.cfg.Logger.Warn("the router is behind", "lag", lag, "next", r.state.next, "log_ends_at", r.pace.end, "sources_slowed", journal != nil)
	case r.pace.slowed && lag < r.cfg.Behind/4:
		r.pace.slowed = false
		r.cfg.Logger.Warn("the router has caught up", "next", r.state.next)
		if journal != nil {
			ctx.Request(journal, &messages.SpeedUp{})
		}
	}
	if r.pace.slowed && journal != nil && now-r.pace.told >= r.cfg.SlowFor/4 {
		r.pace.told = now
		ctx.Request(journal, &messages.SlowDown{Reason: "the router is behind", ForMs: r.cfg.SlowFor.Milliseconds()})
	}
}

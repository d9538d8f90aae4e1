package assembly

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
)

// deskWatch is what the watchdog knows of the newsdesk, where it is on this node: it
// has to take turns, and to come on in the log as far as the router has.
//
// One that does not costs its node the newsdesk and nothing else: the node's record
// says for a while that it is without, and it goes on elsewhere. What it hangs at may
// hang it on any node, and the clients of one node after the other would be ended for
// it. While it reads what it begins with it is not judged: it asks for that again by
// itself, and a snapshot may be long.
type deskWatch struct {
	number uint64         // of the newest question; answers to those before count too
	asked  actors.Instant // when the oldest that is open was; 0: none is
	behind uint64         // sequence that it has to come to; 0: none
	place  uint64         // where it was last
	since  actors.Instant // when it has come on last, or was first behind
	until  actors.Instant // the node is without it; 0: it is not
}

// withoutFor is how long a node where the newsdesk has hung is left in peace.
const withoutFor = 5 * time.Minute

func (d *deskWatch) asks(number uint64, now actors.Instant) {
	if d.number = number; d.asked == 0 {
		d.asked = now
	}
}

// away is an answer of who keeps its place: it is not here.
func (d *deskWatch) away(number uint64) bool {
	if number != d.number {
		return false
	}
	d.asked, d.behind = 0, 0
	return true
}

func (d *deskWatch) told(m *actors.Following, now actors.Instant) {
	d.asked = 0
	if m.Loading || m.Place != d.place {
		d.place, d.since = m.Place, now
	}
	if !m.Loading && m.Place >= d.behind {
		d.behind = 0
	}
}

// follow is that the router has come to the sequence.
func (d *deskWatch) follow(sequence uint64, now actors.Instant) {
	if d.behind == 0 && sequence > d.place {
		d.behind, d.since = sequence, now
	}
}

// suspended: the whole process was.
func (d *deskWatch) suspended(now actors.Instant) {
	d.since = now
	if d.asked != 0 {
		d.asked = now
	}
}

// hangs says why it does; "" where it does not.
func (d *deskWatch) hangs(now actors.Instant) string {
	switch {
	case d.asked != 0 && now-d.asked > stuckAfter:
		return "it takes no turn"
	case d.behind != 0 && now-d.since > stuckAfter:
		return "it does not come on in the log"
	}
	return ""
}

// judgeDesk tells the lease what has changed.
func (w *watchdog) judgeDesk(ctx actor.Context, now actors.Instant) {
	d := &w.desk
	if d.until != 0 && now >= d.until {
		d.until = 0
		ctx.Send(w.node.pid(leaseID), &hangs{})
	}
	why := d.hangs(now)
	if why == "" || d.until != 0 {
		return
	}
	*d = deskWatch{until: now + withoutFor}
	w.log.Error("the newsdesk hangs: this node gives it up, and another one goes on with it", "why", why, "for", withoutFor)
	ctx.Send(w.node.pid(leaseID), &hangs{NewsdeskName})
}

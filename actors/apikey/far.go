package apikey

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// What a key sends to a connection on another node can be lost, and nobody there
// knows that something is missing until the next message comes. So the key says
// again what must be known:
//
//	Rejoin    to those that hold a slot and have not joined this start of the key
//	Through   after deliveries, to those that have not said ThroughTaken
//
// Rejected: a proof once a second to every connection. Most keys are quiet, and
// one that has had everything needs no word of it.
const (
	rejoinFirst = 2 * time.Second
	rejoinMost  = 5 // times, each after twice as long; then the connection's own question finds the key
	proofFirst  = 250 * time.Millisecond
	proofMost   = 4 * time.Second
)

type (
	rejoinTime struct{ of *key }
	proofTime  struct{ of *key }
)

// far says whether messages to the actor travel between nodes.
func (k *key) far(to any) bool {
	return to.(*actor.PID).GetAddress() != k.self.GetAddress()
}

// unjoined are the slots of connections that join a key, and have not.
func (k *key) unjoined() (all []*messages.Slot) {
	for _, slot := range k.guests.Slots() {
		if slot.GetApi() == messages.Api_API_TWITTER && k.stream.Member(slot.GetConnectionId()) == nil {
			all = append(all, slot)
		}
	}
	return all
}

// rejoin has the connections that the key had before it began again join it.
func (k *key) rejoin(ctx actor.Context) {
	waits := false
	for _, slot := range k.unjoined() {
		if pid := k.cfg.Connection(slot); pid != nil {
			ctx.Send(pid, &messages.Rejoin{Term: k.stream.Term()})
			waits = waits || k.far(pid)
		}
	}
	if waits && k.rejoins < rejoinMost {
		k.timers.Set(rejoinTime{}, rejoinFirst<<k.rejoins, ctx.Self(), &rejoinTime{k})
		k.rejoins++
	}
}

// delivered has what was sent proved, soon.
func (k *key) delivered(ctx actor.Context) {
	if k.proving == 0 && len(k.stream.Unproved(k.far)) > 0 {
		k.proving = proofFirst
		k.timers.Set(proofTime{}, k.proving, ctx.Self(), &proofTime{k})
	}
}

func (k *key) proofDue(ctx actor.Context) {
	unproved := k.stream.Unproved(k.far)
	for _, t := range unproved {
		ctx.Request(t.To.(*actor.PID), t.Message)
	}
	if len(unproved) == 0 {
		k.proving = 0
		return
	}
	k.proving = min(2*k.proving, proofMost)
	k.timers.Set(proofTime{}, k.proving, ctx.Self(), &proofTime{k})
}

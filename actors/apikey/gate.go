package apikey

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/apikey/definitions"
	"github.com/birdwire/birdwire/actors/engine/hold"
	"github.com/birdwire/birdwire/messages"
)

// routed takes what the router says. From the first hit on that a change under
// way decides, everything waits at the gate, in order. Past the gate's bound it
// is dropped: the stream notices that a message is missing, and connections
// read the log.
func (k *key) routed(ctx actor.Context, message any) {
	if k.gate.Len() > 0 || k.undecided(message) {
		if !k.gate.Add(message, hold.Size(message)) {
			k.cfg.Count("gate_full")
		}
		return
	}
	switch m := message.(type) {
	case *messages.Matched:
		k.matched(ctx, m)
	case *messages.Through:
		k.through(ctx, m)
	}
}

// openGate lets through what waits, as far as it is decided.
func (k *key) openGate(ctx actor.Context) {
	for _, m := range k.gate.Take() {
		k.routed(ctx, m)
	}
}

// undecided says whether the message speaks of events that a change under way
// decides. A Through does where it goes past such an event: who asks for the
// key's queries is answered with the versions that count up to it.
func (k *key) undecided(message any) bool {
	after, undecided := k.changes.Set.Undecided()
	if !undecided {
		return false
	}
	m, ok := message.(*messages.Matched)
	if !ok {
		return message.(*messages.Through).GetPosition() > after
	}
	for _, hit := range m.GetHits() {
		for i, number := range hit.GetK() {
			if _, v := k.changes.Set.Decide(number, hit.GetVersion()[i], hit.GetPosition()); v == definitions.Undecided {
				return true
			}
		}
	}
	return false
}

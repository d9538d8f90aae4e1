package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/messages"
)

// RefOf names an actor in a message.
func RefOf(pid *actor.PID) *messages.Ref {
	return &messages.Ref{Address: pid.GetAddress(), Id: pid.GetId()}
}

// Referred is the actor that a message names. Where that is its sender, it is
// the sender's PID, which the sender holds anyway: one of its own for each of
// ten thousand connections would be 180 bytes.
func Referred(ref *messages.Ref, sender *actor.PID) *actor.PID {
	if sender != nil && sender.GetAddress() == ref.GetAddress() && sender.GetId() == ref.GetId() {
		return sender
	}
	return actor.NewPID(ref.GetAddress(), ref.GetId())
}

package actors

import "github.com/asynkron/protoactor-go/actor"

// Held is a message that its actor cannot serve yet.
type Held struct {
	Message any
	Sender  *actor.PID
}

// Present is the message that the actor is at.
func Present(ctx actor.Context) Held { return Held{ctx.Message(), ctx.Sender()} }

// Answerable says whether somebody waits for an answer, which may be a refusal.
func (h Held) Answerable() bool { return h.Sender != nil && Unavailable(h.Message, "") != nil }

// Refuse answers that it is not served now, and why; false where nobody waits
// for an answer.
func (h Held) Refuse(ctx actor.Context, detail string) bool {
	answer := Unavailable(h.Message, detail)
	if answer == nil || h.Sender == nil {
		return false
	}
	ctx.Send(h.Sender, answer)
	return true
}

// Serve has the actor receive it.
func (h Held) Serve(ctx actor.Context) {
	ctx.Receive(&actor.MessageEnvelope{Message: h.Message, Sender: h.Sender})
}

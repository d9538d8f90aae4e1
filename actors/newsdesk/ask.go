package newsdesk

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/engine/follow"
	"github.com/birdwire/birdwire/messages"
)

// lists are what readers page through.
type lists struct{}

func (d *newsdesk) question(ctx actor.Context) {
	ctx.Respond(&messages.Rejected{Rejection: messages.Rejection_REJECTION_UNAVAILABLE, Detail: "the newsdesk is not ready: try again"})
}

func storyName(id, n uint64) string { return fmt.Sprintf("story-%d-%d", id, n) }

func followFailed(reading uint64) follow.ReadFailed {
	return follow.ReadFailed{Reading: reading, Detail: "reading the log panicked"}
}

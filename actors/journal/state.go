package journal

import (
	"github.com/birdwire/birdwire/actors/engine/repeat"
	"github.com/birdwire/birdwire/messages"
)

// State is what must survive a restart of the actor within one incarnation of
// the node: a frame's name is used once, so a number that may have reached the
// log is never given to another frame. One actor uses it at a time.
type State struct {
	number   uint64          // of the newest frame made
	inFlight *messages.Frame // made and not yet known to be durable
	fenced   bool            // a newer owner of the node's name has written
	window   *repeat.Window  // ids of the newest events that this node knows to be in the log
}

// NewState begins an incarnation. The window holds the log's newest ids.
func NewState(window *repeat.Window) *State {
	return &State{window: window}
}

package node

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/newsdesk"
	"github.com/birdwire/birdwire/messages"
)

// lateAfter is how far the newsdesk may be behind, or silent, before an operator
// is told that something is wrong. No traffic is kept away from the node for it:
// articles and posts are delivered as ever, and stories are one node's matter.
const lateAfter = time.Minute

// deskProgress is what the newsdesk last said of itself.
type deskProgress struct {
	last atomic.Pointer[deskReport] // nil: nothing yet
}

type deskReport struct {
	newsdesk.Observation
	at actors.Instant
}

func (n *Node) deskTold(o newsdesk.Observation) {
	n.desk.last.Store(&deskReport{o, n.clock.Elapsed()})
}

// look says how the newsdesk is, where the newest frame of the log is last.
func (p *deskProgress) look(now actors.Instant, last uint64) (detail string, err error) {
	r := p.last.Load()
	if r == nil || !r.Here {
		return "not on this node", nil
	}
	frames := uint64(0)
	if sequence := messages.Position(r.Position).Sequence(); !r.Live && last > sequence {
		frames = last - sequence
	}
	behind := r.Behind
	if silent := now - r.at; silent > lateAfter {
		return "", fmt.Errorf("the newsdesk has said nothing for %v: stories may have stopped, articles have not", silent.Round(time.Second))
	}
	if behind > lateAfter {
		return "", fmt.Errorf("the newsdesk has been behind for %v, by %d frames of the log: stories are late, articles are not", behind.Round(time.Second), frames)
	}
	return fmt.Sprintf("%d stories, %d of them awake; %v and %d frames behind the log's end", r.Stories, r.Awake, behind.Round(time.Second), frames), nil
}

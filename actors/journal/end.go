package journal

import (
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// This file is what happens to a frame that will not be written.

// giveBack refuses everything that waits: nothing was written. The number is
// not used again; a gap in the numbers costs nothing.
func (j *journal) giveBack(ctx actor.Context, why messages.RefuseReason, detail string) {
	for _, o := range j.takeBack() {
		j.refuse(ctx, o.from, o.id, why, fullRetry, detail)
	}
}

// takeBack ends the frame in flight and returns every offer that is not settled,
// in order of arrival.
func (j *journal) takeBack() (waiting []*offer) {
	j.cfg.State.inFlight = nil
	for _, p := range j.parts {
		if p.through == len(p.offer.events) { // else it is still the first in the queue
			waiting = append(waiting, p.offer)
		}
	}
	j.parts = nil
	return append(waiting, j.queue.drop()...)
}

const fencedDetail = "another process has taken this node's name over: this one must end"

// fence ends this journal for good. A newer incarnation of the node writes the
// log; whatever this one went on to do would be done twice.
func (j *journal) fence(ctx actor.Context, err error) {
	j.cfg.State.fenced = true
	j.cfg.Logger.Error("the journal is fenced: "+fencedDetail, "error", err)
	j.giveBack(ctx, messages.RefuseReason_REFUSE_STOPPING, fencedDetail)
	j.cfg.Fenced(fmt.Errorf("%s: %w", fencedDetail, err))
}

// unwritable refuses the offers whose events are why the frame can never be
// written, and makes new frames of the others. Tried again it would stop
// everybody's events for ever.
func (j *journal) unwritable(ctx actor.Context, err error) {
	frame, parts := j.cfg.State.inFlight, j.parts
	bad := map[*offer]string{}
	for _, p := range parts {
		for _, i := range p.indexes {
			e := frame.GetEvents()[i]
			if _, reason := proto.Marshal(e); reason != nil {
				bad[p.offer] = fmt.Sprintf("event %q can not be written: %v", e.GetId(), reason)
			}
		}
	}
	if len(bad) == 0 { // it is the frame as a whole
		for _, p := range parts {
			bad[p.offer] = "the events can not be written: " + err.Error()
		}
	}
	j.cfg.Logger.Error("a frame can not be written; who offered it is told", "frame", frame.GetNumber(), "offers", len(bad), "error", err)
	begins := map[*offer]part{}
	for _, p := range parts {
		begins[p.offer] = p
	}
	for _, o := range j.takeBack() {
		if why, refused := bad[o]; refused {
			j.refuse(ctx, o.from, o.id, messages.RefuseReason_REFUSE_INVALID, 0, why)
			continue
		}
		if p, begun := begins[o]; begun {
			o.back(p)
		}
		j.queue.restore(o)
	}
	j.fill(ctx)
}

var errPanicked = errors.New("append panicked")

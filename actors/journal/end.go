package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// This file is what happens to a frame that will not be written.

// giveBack refuses everything that waits: nothing was written. Of an offer that
// is longer than a frame the part that frames before this one carried is
// durable, and said to be. The number is not used again; a gap in the numbers
// costs nothing.
func (j *journal) giveBack(ctx actor.Context, why messages.RefuseReason, detail string) {
	for _, p := range j.parts {
		p.offer.back(p)
	}
	for _, o := range j.takeBack() {
		j.refuseRest(ctx, o, why, fullRetry, detail)
	}
}

// refuseRest refuses what of the offer is not settled.
func (j *journal) refuseRest(ctx actor.Context, o *offer, why messages.RefuseReason, after time.Duration, detail string) {
	if o.from == nil {
		return
	}
	ctx.Send(o.from, &messages.OfferRefused{
		Id: o.id, Reason: why, RetryAfterMs: after.Milliseconds(), Detail: detail,
		Taken: uint32(o.next), Duplicates: o.duplicates,
	})
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
		if p, begun := begins[o]; begun {
			o.back(p)
		}
		if why, refused := bad[o]; refused {
			j.refuseRest(ctx, o, messages.RefuseReason_REFUSE_INVALID, 0, why)
			continue
		}
		j.queue.restore(o)
	}
	j.fill(ctx)
}

// panicsMost is how often writing one frame may panic before its events are
// taken to be why.
const panicsMost = 3

func (j *journal) panicked(ctx actor.Context) {
	if j.panics++; j.panics < panicsMost || j.cfg.State.inFlight == nil {
		j.failed(ctx, errPanicked)
		return
	}
	j.failed(ctx, fmt.Errorf("%w: %w, %d times", messages.ErrInvalid, errPanicked, j.panics))
}

var errPanicked = errors.New("append panicked")

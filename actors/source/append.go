package source

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/source/item"
	"github.com/birdwire/birdwire/messages"
)

// fate is what became of one draft.
type fate uint8

const (
	pending    fate = iota // not durable, as far as is known
	appended               // durable
	repeated               // the log held it already
	unchanged              // the table held it already: there was nothing to say
	unwritable             // larger than a frame may be, or no text that can be encoded
	unread                 // the log held it already, and could not be read: the table does not know it yet
)

// appender takes one batch of drafts through the item table, the journal and
// the table again. Sources own one each and hand their messages to receive.
//
//	looking --plan--> offering --acknowledged--> writing --> (recalling --> writing) --> done
//	   ^                                            |
//	   +------ another wrote first: look again -----+
//
// Recalling reads back what the log said it already held, at its positions.
//
// The table is written only after the append was acknowledged. A crash in
// between offers the same ids again, which the log drops; of two writers of
// one identity the second loses the compare-and-set and looks again.
//
// Invariant: at most one offer is in flight, of at most MaxOffer events.
type appender struct {
	cfg     *Config
	ids     *ids
	patient bool // wait when the journal refuses, for as long as it does
	dated   bool
	aliases bool // pushed ids can be withdrawn without naming their source
	done    func(ctx actor.Context)

	drafts  []*messages.Event // of the batch; nil: idle
	fates   []fate            // one a draft
	refusal *messages.OfferRefused
	err     error // the table could not be read or written
	logErr  error // why drafts are unread

	todo    []int // the drafts being looked at
	looks   int
	tries   int
	plan    item.Plan
	states  map[string]item.State
	acked   []fate              // one an event of the plan
	held    []messages.Position // of those that are repeated, where the log holds them; 0: not known
	puts    []put               // being written
	repeats []put               // what is still to be compared with the log
	again   []string            // identities whose drafts are to be looked at again
	next    int                 // plan.Events[:next] are settled
	offer   *messages.Offer
	single  bool // offer one by one: something in the plan is too large
	waiting bool // for a journal that refused

	step   uint64 // names the one job or timer under way; an answer with another is stale
	onTime func(ctx actor.Context)
	cancel func()
}

// ids numbers jobs, timers and offers. It starts at random: an answer to a
// question from before a restart must not look like one of now.
type ids struct{ last uint64 }

func newIDs(r actors.Rand) *ids { return &ids{last: r.Uint64N(1 << 62)} }

func (i *ids) next() uint64 {
	i.last++
	return i.last
}

// timeUp is the appender's timer.
type timeUp struct{ step uint64 }

// begin starts a batch; done is called when it has ended, with fates and err
// to be read. The appender must be idle.
func (a *appender) begin(ctx actor.Context, drafts []*messages.Event) {
	a.drafts, a.fates = drafts, make([]fate, len(drafts))
	a.refusal, a.err, a.logErr, a.looks = nil, nil, nil, 0
	a.todo = a.todo[:0]
	for i := range drafts {
		a.todo = append(a.todo, i)
	}
	a.look(ctx)
}

func (a *appender) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *looked:
		if a.current(m.step) {
			a.looked(ctx, m)
		}
	case *messages.Appended:
		if a.offer != nil && a.offer.GetId() == m.GetId() {
			a.acknowledged(ctx, m)
		}
	case *messages.OfferRefused:
		if a.offer != nil && a.offer.GetId() == m.GetId() {
			a.refused(ctx, m)
		}
	case *wrote:
		if a.current(m.step) {
			a.wrote(ctx, m)
		}
	case *recalled:
		if a.current(m.step) {
			a.recalled(ctx, m)
		}
	case *timeUp:
		if a.current(m.step) {
			a.onTime(ctx)
		}
	}
}

// panicked ends the batch where a job of the appender's may have been the one.
func (a *appender) panicked(ctx actor.Context) {
	if a.drafts != nil && a.offer == nil {
		a.finish(ctx, errPanicked)
	}
}

func (a *appender) current(step uint64) bool { return a.drafts != nil && a.step == step }

// offerNext offers the next stretch of the plan, or goes on to the table.
func (a *appender) offerNext(ctx actor.Context) {
	if a.next == len(a.plan.Events) || a.refusal != nil {
		a.write(ctx)
		return
	}
	end := min(a.next+MaxOffer, len(a.plan.Events))
	if a.single {
		end = a.next + 1
	}
	a.offer = &messages.Offer{Id: a.ids.next(), Events: a.plan.Events[a.next:end:end]}
	a.offer.Bytes = bytesOf(a.offer.GetEvents())
	a.ask(ctx)
}

func bytesOf(events []*messages.Event) (n uint64) {
	for _, e := range events {
		n += uint64(proto.Size(e))
	}
	return n
}

func (a *appender) ask(ctx actor.Context) {
	a.wait(ctx, a.cfg.OfferTimeout, a.unanswered)
	ctx.Request(a.cfg.Journal, a.offer)
}

// unanswered: the journal may have been restarted, or cannot reach the log.
// The same offer is safe to make twice, as its events keep their ids.
func (a *appender) unanswered(ctx actor.Context) {
	if a.patient {
		a.ask(ctx)
		return
	}
	a.refused(ctx, &messages.OfferRefused{
		Id: a.offer.GetId(), Reason: messages.RefuseReason_REFUSE_STOPPING,
		RetryAfterMs: refuseTable.Milliseconds(), Detail: noAnswer,
	})
}

func (a *appender) acknowledged(ctx actor.Context, m *messages.Appended) {
	n := len(a.offer.GetEvents())
	for i := range n {
		a.acked[a.next+i] = appended
	}
	for d, i := range m.GetDuplicates() {
		if int(i) < n {
			a.acked[a.next+int(i)] = repeated
			if d < len(m.GetHeld()) {
				a.held[a.next+int(i)] = messages.Position(m.GetHeld()[d])
			}
		}
	}
	a.advance(ctx, n)
}

func (a *appender) advance(ctx actor.Context, n int) {
	for i := a.next; i < a.next+n; i++ {
		a.fates[a.plan.Drafts[i]] = a.acked[i]
	}
	a.next += n
	a.offer, a.waiting = nil, false
	a.offerNext(ctx)
}

// refused waits or gives up. An offer is refused whole, so that one event that
// cannot be written is found by offering one by one.
func (a *appender) refused(ctx actor.Context, m *messages.OfferRefused) {
	never := m.GetReason() == messages.RefuseReason_REFUSE_TOO_LARGE || m.GetReason() == messages.RefuseReason_REFUSE_INVALID
	switch {
	case never && len(a.offer.GetEvents()) > 1:
		a.single, a.offer = true, nil
		a.offerNext(ctx)
	case never:
		a.cfg.Logger.Warn("event dropped: it can never be written", "event", a.offer.GetEvents()[0].GetId(), "why", m.GetDetail())
		a.acked[a.next] = unwritable
		a.advance(ctx, 1)
	case a.patient:
		a.waiting = true
		a.wait(ctx, a.jitter(clamp(milliseconds(m.GetRetryAfterMs()), poolRetry, refusedMost)), a.ask)
	default:
		a.refusal, a.offer = m, nil
		a.offerNext(ctx)
	}
}

// finish ends the batch. What was offered before is durable all the same.
func (a *appender) finish(ctx actor.Context, err error) {
	a.stop()
	a.err = err
	a.done(ctx)
}

// release forgets the batch; the owner calls it once it has read the fates.
func (a *appender) release() {
	a.drafts, a.fates, a.states, a.plan, a.acked, a.held, a.puts = nil, nil, nil, item.Plan{}, nil, nil, nil
}

// stop lets go of the timer, and of any answer still to come.
func (a *appender) stop() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
	a.step, a.offer, a.waiting = 0, nil, false
}

// wait calls then after d, unless something else is begun first.
func (a *appender) wait(ctx actor.Context, d time.Duration, then func(ctx actor.Context)) {
	a.begun()
	a.onTime = then
	a.cancel = a.cfg.Clock.After(d, ctx.Self(), &timeUp{a.step})
}

// begun names a new step and so ends the last one.
func (a *appender) begun() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
	a.step = a.ids.next()
}

// jitter spreads a wait by a quarter to either side.
func (a *appender) jitter(d time.Duration) time.Duration { return jitter(a.cfg.Rand, d) }

func jitter(r actors.Rand, d time.Duration) time.Duration {
	return d*3/4 + time.Duration(r.Uint64N(uint64(d/2)+1))
}

func clamp(d, least, most time.Duration) time.Duration { return max(least, min(d, most)) }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

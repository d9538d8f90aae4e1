package source

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// intake is the push source of its node: whoever has events asks it with an
// Offer, and hears Appended once they are durable, or OfferRefused.
//
//	posts     Offer ─────────────────────────────▶ journal ─▶ Appended
//	articles  Offer ─▶ (lane, one batch at a time) appender ─▶ Appended
//
// Posts go on as they came, ids and all; the journal groups them. Articles
// wait for the lane, which takes as many offers at once as one batch holds, so
// that a hundred small pushes cost one look at the table. Appended's
// duplicates are what the log or the table held already; for a withdrawal, that
// there was nothing to withdraw.
//
// Bounds: cfg.MaxUnacked events and cfg.MaxBytes bytes of them, taken and not
// answered; past either, offers are refused: the pusher's client is told 429 and
// keeps what it has.
//
// A restart forgets who asked: they time out, push again, and the log and the
// table know what they hold.
type intake struct {
	cfg     Config
	ids     *ids
	figures figures
	unacked int
	bytes   int // of those

	sent    map[uint64]*ask // at the journal, by the id they carry there
	order   []uint64        // of sent, oldest first; the answered ones are skipped
	sweeps  bool            // the sweep's timer runs
	timers  actors.Timers
	lane    appender
	current []*ask // in the lane
	waiting []*ask // for the lane, in order of arrival
}

// ask is one Offer on its way.
type ask struct {
	from   *actor.PID
	id     uint64
	events []*messages.Event
	bytes  int
	expire actors.Instant // of those sent to the journal
}

// sweep looks for offers that the journal never answered.
type sweep struct{}

const (
	refuseBusy  = 250 * time.Millisecond // a pusher is told to come back after it
	refuseTable = 2 * time.Second
	refuseSlow  = time.Second
	noAnswer    = "the journal did not answer"
)

// PushProps describes the push source of a node. Adapter, Records and Interval
// are not used.
func PushProps(cfg Config) *actor.Props {
	cfg.Kind = "push"
	cfg = cfg.withDefaults()
	return cfg.Props("source", func() actor.Actor { return newIntake(cfg) }, noChildren())
}

func newIntake(cfg Config) *intake {
	i := &intake{cfg: cfg, ids: newIDs(cfg.Rand), sent: make(map[uint64]*ask), timers: actors.NewTimers(cfg.Clock)}
	i.lane = appender{cfg: &i.cfg, ids: i.ids, dated: true, aliases: true, done: i.laneDone}
	return i
}

func (i *intake) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.Offer:
		i.offered(ctx, m)
	case *messages.Appended:
		if a := i.answered(m.GetId()); a != nil {
			i.figures.success(i.cfg)
			i.appended(ctx, a, m)
			return
		}
		i.lane.receive(ctx)
	case *messages.OfferRefused:
		if a := i.answered(m.GetId()); a != nil {
			i.failed(m)
			i.refuse(ctx, a, m.GetReason(), milliseconds(m.GetRetryAfterMs()), m.GetDetail())
			return
		}
		i.lane.receive(ctx)
	case *sweep:
		i.sweep(ctx)
	case *actors.WorkPanicked:
		i.lane.panicked(ctx)
	case *messages.DescribeSource:
		ctx.Respond(i.describe())
	case *actor.Restarting, *actor.Stopping:
		i.stop(ctx)
	default:
		i.lane.receive(ctx)
	}
}

func (i *intake) offered(ctx actor.Context, m *messages.Offer) {
	a := &ask{from: ctx.Sender(), id: m.GetId(), events: m.GetEvents(), bytes: int(m.GetBytes())}
	if a.bytes <= 0 {
		a.bytes = int(bytesOf(a.events))
	}
	n := len(a.events)
	now := i.cfg.Clock.Elapsed()
	switch {
	case n == 0:
		i.respond(ctx, a, &messages.Appended{Id: a.id})
		return
	case n > MaxOffer:
		i.refused(ctx, a, messages.RefuseReason_REFUSE_TOO_LARGE, 0, "an offer holds at most 256 events")
		return
	case i.unacked > 0 && (i.unacked+n > i.cfg.MaxUnacked || i.bytes+a.bytes > i.cfg.MaxBytes):
		i.refused(ctx, a, messages.RefuseReason_REFUSE_BUSY, refuseBusy, "too many events wait for the journal")
		return
	}
	i.unacked, i.bytes = i.unacked+n, i.bytes+a.bytes
	for _, e := range a.events {
		if e.GetPost() == nil {
			i.waiting = append(i.waiting, a)
			i.fillLane(ctx)
			return
		}
	}
	id := i.ids.next()
	a.expire = now + i.cfg.OfferTimeout
	i.sent[id] = a
	i.order = append(i.order, id)
	ctx.Request(i.cfg.Journal, &messages.Offer{Id: id, Events: a.events, Bytes: uint64(a.bytes)})
	if !i.sweeps {
		i.sweeps = true
		i.timers.Set(sweep{}, i.cfg.OfferTimeout, ctx.Self(), &sweep{})
	}
}

func (i *intake) answered(id uint64) *ask {
	a := i.sent[id]
	if a == nil {
		return nil
	}
	delete(i.sent, id)
	for len(i.order) > 0 && i.sent[i.order[0]] == nil {
		i.order = i.order[1:]
	}
	return a
}

func (i *intake) appended(ctx actor.Context, a *ask, m *messages.Appended) {
	events, duplicates := len(a.events)-len(m.GetDuplicates()), len(m.GetDuplicates())
	i.figures.events += int64(events)
	i.figures.duplicates += int64(duplicates)
	i.cfg.Observe(Observation{Source: i.cfg.ID, Kind: i.cfg.Kind, Events: events, Duplicates: duplicates})
	i.unacked, i.bytes = i.unacked-len(a.events), i.bytes-a.bytes
	i.respond(ctx, a, &messages.Appended{
		Id: a.id, LastPosition: m.GetLastPosition(), Duplicates: m.GetDuplicates(),
	})
}

// sweep refuses what the journal has not answered in time: it was restarted,
// or cannot reach the log. What it took may still become durable; pushed
// again, the log knows it.
func (i *intake) sweep(ctx actor.Context) {
	i.sweeps = false
	now := i.cfg.Clock.Elapsed()
	for len(i.order) > 0 && i.sent[i.order[0]].expire <= now {
		a := i.answered(i.order[0])
		i.failed(&messages.OfferRefused{Detail: noAnswer})
		i.refuse(ctx, a, messages.RefuseReason_REFUSE_STOPPING, refuseTable, noAnswer)
	}
	if len(i.order) > 0 {
		i.sweeps = true
		i.timers.Set(sweep{}, i.sent[i.order[0]].expire-now, ctx.Self(), &sweep{})
	}
}

// fillLane begins the next batch of articles with as many asks as fit.
func (i *intake) fillLane(ctx actor.Context) {
	if len(i.current) > 0 || len(i.waiting) == 0 {
		return
	}
	var drafts []*messages.Event
	taken := 0
	for taken < len(i.waiting) && len(drafts)+len(i.waiting[taken].events) <= MaxOffer {
		drafts = append(drafts, i.waiting[taken].events...)
		taken++
	}
	i.current = append(i.current[:0], i.waiting[:taken]...)
	i.waiting = append(i.waiting[:0], i.waiting[taken:]...)
	i.lane.begin(ctx, drafts)
}

func (i *intake) laneDone(ctx actor.Context) {
	i.figures.count(i.cfg, i.lane.fates, i.lane.err)
	switch {
	case i.lane.err != nil:
		i.figures.failure(i.cfg, "append articles", i.lane.err)
	case i.lane.logErr != nil:
		i.figures.failure(i.cfg, "append articles", i.lane.logErr)
	case i.lane.refusal != nil:
		i.failed(i.lane.refusal)
	default:
		i.figures.success(i.cfg)
	}
	fates := i.lane.fates
	for _, a := range i.current {
		i.settle(ctx, a, fates[:len(a.events)])
		fates = fates[len(a.events):]
	}
	i.current = i.current[:0]
	i.lane.release()
	i.fillLane(ctx)
}

// settle answers one ask of the lane. Acknowledged means durable and in the
// table: an update that comes next must not be taken for the creation.
func (i *intake) settle(ctx actor.Context, a *ask, fates []fate) {
	answer := &messages.Appended{Id: a.id}
	for n, f := range fates {
		switch {
		case i.lane.err != nil:
			why := messages.RefuseReason_REFUSE_BUSY
			if errors.Is(i.lane.err, actors.ErrFull) {
				why = messages.RefuseReason_REFUSE_DISK_FULL
			}
			i.refuse(ctx, a, why, refuseTable, i.lane.err.Error())
			return
		case f == pending && i.lane.refusal != nil:
			r := i.lane.refusal
			i.refuse(ctx, a, r.GetReason(), milliseconds(r.GetRetryAfterMs()), r.GetDetail())
			return
		case f == unwritable:
			i.refuse(ctx, a, messages.RefuseReason_REFUSE_INVALID, 0, "an event is larger than a frame may be, or has text that can not be encoded")
			return
		case f == unread:
			i.refuse(ctx, a, messages.RefuseReason_REFUSE_BUSY, refuseTable, i.lane.logErr.Error())
			return
		case f == repeated || f == unchanged:
			answer.Duplicates = append(answer.Duplicates, uint32(n))
		}
	}
	i.unacked, i.bytes = i.unacked-len(a.events), i.bytes-a.bytes
	i.respond(ctx, a, answer)
}

func (i *intake) failed(m *messages.OfferRefused) {
	i.figures.failures++
	i.figures.lastError = "journal refused: " + m.GetDetail()
	i.figures.lastErrorAt = i.cfg.Clock.Now()
}

// refuse ends an ask that was counted, refused one that was not.
func (i *intake) refuse(ctx actor.Context, a *ask, why messages.RefuseReason, after time.Duration, detail string) {
	i.unacked, i.bytes = i.unacked-len(a.events), i.bytes-a.bytes
	i.refused(ctx, a, why, after, detail)
}

func (i *intake) refused(ctx actor.Context, a *ask, why messages.RefuseReason, after time.Duration, detail string) {
	if a.from != nil {
		ctx.Send(a.from, &messages.OfferRefused{
			Id: a.id, Reason: why, RetryAfterMs: after.Milliseconds(), Detail: detail,
		})
	}
}

func (i *intake) respond(ctx actor.Context, a *ask, m *messages.Appended) {
	if a.from != nil {
		ctx.Send(a.from, m)
	}
}

// stop tells everybody who waits, so that they need not wait in vain.
func (i *intake) stop(ctx actor.Context) {
	i.lane.stop()
	i.timers.Stop()
	asks := append(append([]*ask(nil), i.current...), i.waiting...)
	for _, id := range i.order {
		if a := i.sent[id]; a != nil {
			asks = append(asks, a)
		}
	}
	i.sent, i.order, i.current, i.waiting = make(map[uint64]*ask), nil, nil, nil
	for _, a := range asks {
		i.refuse(ctx, a, messages.RefuseReason_REFUSE_STOPPING, refuseSlow, "the node stops or push ingest restarts")
	}
}

func (i *intake) describe() *messages.SourceDescribed {
	status := "ok"
	if i.figures.failures > 0 {
		status = "failing"
	}
	return i.figures.described(i.cfg, status)
}

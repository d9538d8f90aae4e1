package source

import (
	"errors"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/messages"
)

// intake is the push source of its node: whoever has events asks it with an
// Offer, and hears Appended once they are durable, or OfferRefused.
//
//	posts     Offer ─────────────────────────────▶ journal ─▶ Appended
//	articles  Offer ─▶ (one batch at a time) appender ─▶ Appended
//
// Posts go on as they came, ids and all; the journal groups them. Articles
// wait for the appender, which takes as many offers at once as one batch holds, so
// that a hundred small pushes cost one look at the table. Appended's
// duplicates are what the log or the table held already; for a withdrawal, that
// there was nothing to withdraw.
//
// Bounds: cfg.MaxUnacked events and cfg.MaxBytes bytes of them, taken and not
// answered; past either, offers are refused: the pusher's client is told 429 and
// keeps what it has. What continues a body that was taken in part is held
// instead (hold.go), so that nobody has to send again what was taken.
//
// A restart forgets who asked: they time out, push again, and the log and the
// table know what they hold.
type intake struct {
	cfg     Config
	ids     *ids
	figures figures
	unacked int
	bytes   int // of those

	sent     map[uint64]*ask // at the journal, by the id they carry there
	order    []uint64        // of sent, oldest first; the answered ones are skipped
	sweeps   bool            // the sweep's timer runs
	timers   actors.Timers
	articles appender
	current  []*ask // in the batch under way
	waiting  []*ask // for the next batch, in order of arrival

	arrivals uint64
	held     []*ask          // in order of arrival
	out      map[uint64]bool // bodies of which an offer is counted: one at a time, so that none overtakes another
	pause    actors.Instant  // nothing held is tried before it
	ended    []ended         // bodies that were given up, oldest first
}

// ask is one Offer on its way.
type ask struct {
	from      *actor.PID
	id        uint64
	call      uint64 // the body it is part of; 0: none
	continues bool   // that was taken in part
	arrived   uint64 // its place among all
	events    []*messages.Event
	bytes     int
	expire    actors.Instant // of those sent to the journal
	until     actors.Instant // of those that were held, when they are given up; 0: never held

	// What earlier tries did: events[:taken] are settled and are not offered
	// again; of articles, fates is what is known of each.
	taken      int
	duplicates []uint32
	fates      []fate
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
	i := &intake{cfg: cfg, ids: newIDs(cfg.Rand), sent: make(map[uint64]*ask), out: make(map[uint64]bool), timers: actors.NewTimers(cfg.Clock)}
	i.articles = appender{cfg: &i.cfg, ids: i.ids, dated: true, aliases: true, done: i.articlesDone}
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
		i.articles.receive(ctx)
	case *messages.OfferRefused:
		if a := i.answered(m.GetId()); a != nil {
			i.journalRefused(ctx, a, m)
			return
		}
		i.articles.receive(ctx)
	case *sweep:
		i.sweep(ctx)
	case *holdTime:
		i.pump(ctx)
	case *actors.WorkPanicked:
		i.articles.panicked(ctx)
	case *messages.DescribeSource:
		ctx.Respond(i.describe())
	case *actor.Restarting, *actor.Stopping:
		i.stop(ctx)
	default:
		i.articles.receive(ctx)
	}
}

func (i *intake) offered(ctx actor.Context, m *messages.Offer) {
	i.arrivals++
	a := &ask{
		from: ctx.Sender(), id: m.GetId(), call: m.GetCall(), continues: m.GetContinues(), arrived: i.arrivals,
		events: m.GetEvents(), bytes: int(m.GetBytes()),
	}
	if a.bytes <= 0 {
		a.bytes = int(bytesOf(a.events))
	}
	switch n := len(a.events); {
	case n == 0:
		i.respond(ctx, a, &messages.Appended{Id: a.id})
	case n > MaxOffer:
		i.refused(ctx, a, messages.RefuseReason_REFUSE_TOO_LARGE, 0, "an offer holds at most 256 events")
	case a.continues && i.hasEnded(a.call):
		i.refused(ctx, a, messages.RefuseReason_REFUSE_BUSY, refuseSlow, "what comes before it was not taken")
	case a.continues:
		i.wait(a)
		i.pump(ctx)
	case i.waits() || !i.fits(a):
		i.refused(ctx, a, messages.RefuseReason_REFUSE_BUSY, refuseBusy, "too many events wait for the journal")
	default:
		i.take(ctx, a)
	}
}

// fits: an idle intake takes whatever comes, or it would never be taken.
func (i *intake) fits(a *ask) bool {
	return i.unacked == 0 || i.unacked+len(a.events) <= i.cfg.MaxUnacked && i.bytes+a.bytes <= i.cfg.MaxBytes
}

func (i *intake) take(ctx actor.Context, a *ask) {
	i.unacked, i.bytes = i.unacked+len(a.events), i.bytes+a.bytes
	if a.call != 0 {
		i.out[a.call] = true
	}
	for _, e := range a.events {
		if e.GetPost() == nil {
			i.waiting = append(i.waiting, a)
			i.beginBatch(ctx)
			return
		}
	}
	id := i.ids.next()
	a.expire = i.cfg.Clock.Elapsed() + i.cfg.OfferTimeout
	i.sent[id] = a
	i.order = append(i.order, id)
	ctx.Request(i.cfg.Journal, &messages.Offer{Id: id, Events: a.events[a.taken:], Bytes: uint64(a.bytes)})
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
	i.took(a, len(a.events)-a.taken, m.GetDuplicates())
	i.respond(ctx, a, &messages.Appended{Id: a.id, LastPosition: m.GetLastPosition(), Duplicates: a.duplicates})
	i.release(a)
	i.pump(ctx)
}

// took notes that the journal has the next n events of the ask; duplicates are
// indexes among them.
func (i *intake) took(a *ask, n int, duplicates []uint32) {
	i.figures.events += int64(n - len(duplicates))
	i.figures.duplicates += int64(len(duplicates))
	i.cfg.Observe(Observation{Source: i.cfg.ID, Kind: i.cfg.Kind, Events: n - len(duplicates), Duplicates: len(duplicates)})
	for _, d := range duplicates {
		a.duplicates = append(a.duplicates, uint32(a.taken)+d)
	}
	a.taken += n
}

// release: the ask no longer counts against the bounds.
func (i *intake) release(a *ask) {
	i.unacked, i.bytes = i.unacked-len(a.events), i.bytes-a.bytes
	delete(i.out, a.call)
}

// journalRefused holds what belongs to a body that was taken in part, if it is
// only a matter of time.
func (i *intake) journalRefused(ctx actor.Context, a *ask, m *messages.OfferRefused) {
	i.failed(m)
	if n := int(m.GetTaken()); n > 0 {
		i.took(a, min(n, len(a.events)-a.taken), m.GetDuplicates())
	}
	after := milliseconds(m.GetRetryAfterMs())
	if m.GetReason() == messages.RefuseReason_REFUSE_BUSY && (a.continues || a.taken > 0) {
		i.release(a)
		i.hold(a, after)
	} else {
		i.refuse(ctx, a, m.GetReason(), after, m.GetDetail())
	}
	i.pump(ctx)
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
	i.pump(ctx)
	if len(i.order) > 0 {
		i.sweeps = true
		i.timers.Set(sweep{}, i.sent[i.order[0]].expire-now, ctx.Self(), &sweep{})
	}
}

// beginBatch begins the next batch of articles with as many asks as fit.
func (i *intake) beginBatch(ctx actor.Context) {
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
	i.articles.begin(ctx, drafts)
}

func (i *intake) articlesDone(ctx actor.Context) {
	i.figures.count(i.cfg, i.articles.drafts, i.articles.fates, i.articles.err)
	switch {
	case i.articles.err != nil:
		i.figures.failure(i.cfg, "append articles", i.articles.err)
	case i.articles.logErr != nil:
		i.figures.failure(i.cfg, "append articles", i.articles.logErr)
	case i.articles.refusal != nil:
		i.failed(i.articles.refusal)
	default:
		i.figures.success(i.cfg)
	}
	fates := i.articles.fates
	for _, a := range i.current {
		i.settle(ctx, a, fates[:len(a.events)])
		fates = fates[len(a.events):]
	}
	i.current = i.current[:0]
	i.articles.release()
	i.beginBatch(ctx)
	i.pump(ctx)
}

// settle answers one ask of the batch. Acknowledged means durable and in the
// table: an update that comes next must not be taken for the creation.
func (i *intake) settle(ctx actor.Context, a *ask, fates []fate) {
	a.know(fates)
	if i.articles.err != nil {
		a.taken, a.duplicates = 0, nil // in the log, and the table does not know it
	}
	switch failure := i.articlesFailure(a); {
	case slices.Contains(a.fates, unwritable):
		i.refuse(ctx, a, messages.RefuseReason_REFUSE_INVALID, 0, "an event is larger than a frame may be, or has text that can not be encoded")
	case failure == nil:
		i.release(a)
		i.respond(ctx, a, &messages.Appended{Id: a.id, Duplicates: a.duplicates})
	case failure.GetReason() == messages.RefuseReason_REFUSE_BUSY && (a.continues || a.taken > 0):
		i.release(a)
		i.hold(a, milliseconds(failure.GetRetryAfterMs()))
	default:
		i.refuse(ctx, a, failure.GetReason(), milliseconds(failure.GetRetryAfterMs()), failure.GetDetail())
	}
}

// articlesFailure is why the ask is not settled; nil where it is.
func (i *intake) articlesFailure(a *ask) *messages.OfferRefused {
	busy := &messages.OfferRefused{Reason: messages.RefuseReason_REFUSE_BUSY, RetryAfterMs: refuseTable.Milliseconds()}
	switch {
	case i.articles.err != nil:
		busy.Detail = i.articles.err.Error()
		if errors.Is(i.articles.err, messages.ErrFull) {
			busy.Reason = messages.RefuseReason_REFUSE_DISK_FULL
		}
		return busy
	case slices.Contains(a.fates, unread):
		busy.Detail = i.articles.logErr.Error()
		return busy
	case slices.Contains(a.fates, pending) && i.articles.refusal != nil:
		return i.articles.refusal
	}
	return nil
}

// know adds what the batch found. What it appended in an earlier try it finds
// again as nothing new.
func (a *ask) know(fates []fate) {
	if a.fates == nil {
		a.fates = make([]fate, len(a.events))
	}
	a.taken, a.duplicates = 0, a.duplicates[:0]
	for n, f := range fates {
		if known := a.fates[n]; known == pending || known == unread {
			a.fates[n] = f
		}
		switch f = a.fates[n]; {
		case f == repeated || f == unchanged:
			a.duplicates = append(a.duplicates, uint32(n))
			fallthrough
		case f == appended:
			if a.taken == n {
				a.taken++
			}
		}
	}
}

func (i *intake) failed(m *messages.OfferRefused) {
	i.figures.failures++
	i.figures.lastError = "journal refused: " + m.GetDetail()
	i.figures.lastErrorAt = i.cfg.Clock.Now()
}

// refuse ends an ask that was counted, refused one that was not.
func (i *intake) refuse(ctx actor.Context, a *ask, why messages.RefuseReason, after time.Duration, detail string) {
	i.release(a)
	never := why == messages.RefuseReason_REFUSE_INVALID || why == messages.RefuseReason_REFUSE_TOO_LARGE
	if !never && (a.continues || a.taken > 0) {
		i.end(ctx, a.call, why, after, detail)
	}
	i.refused(ctx, a, why, after, detail)
}

func (i *intake) refused(ctx actor.Context, a *ask, why messages.RefuseReason, after time.Duration, detail string) {
	if a.from == nil {
		return
	}
	m := &messages.OfferRefused{Id: a.id, Reason: why, RetryAfterMs: after.Milliseconds(), Detail: detail, Taken: uint32(a.taken)}
	for _, d := range a.duplicates {
		if int(d) < a.taken {
			m.Duplicates = append(m.Duplicates, d)
		}
	}
	ctx.Send(a.from, m)
}

func (i *intake) respond(ctx actor.Context, a *ask, m *messages.Appended) {
	if a.from != nil {
		ctx.Send(a.from, m)
	}
}

// stop tells everybody who waits, so that they need not wait in vain.
func (i *intake) stop(ctx actor.Context) {
	i.articles.stop()
	i.timers.Stop()
	asks := slices.Concat(i.current, i.waiting, i.held)
	for _, id := range i.order {
		if a := i.sent[id]; a != nil {
			asks = append(asks, a)
		}
	}
	i.sent, i.order, i.current, i.waiting, i.held = make(map[uint64]*ask), nil, nil, nil, nil
	for _, a := range asks {
		i.refused(ctx, a, messages.RefuseReason_REFUSE_STOPPING, refuseSlow, "the node stops or push ingest restarts")
	}
}

func (i *intake) describe() *messages.SourceDescribed {
	status := "ok"
	switch {
	case i.waits():
		status = "waiting"
	case i.figures.failures > 0:
		status = "failing"
	}
	return i.figures.described(i.cfg, status)
}

package enricher

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// batch is what is offered at once.
//
//	looking --the table: still true?--> offering --acknowledged--> over
//	   ^                                    |
//	   +---- refused, or nobody answers ----+
type batch struct {
	asked  uint64
	jobs   []*job
	offer  *messages.Offer
	single bool // one by one: something in it is too large
}

type (
	// tableLooked is what the table holds of a batch.
	tableLooked struct {
		asked uint64
		items []*messages.Item
		err   error
	}
	offerTime struct{ asked uint64 }
)

// event is what the log is to hold. Its id is the article's, so that two nodes
// which both enrich it come to one.
func (e *enricher) event(j *job, a *messages.Article) *messages.Event {
	if a == j.article {
		a = proto.CloneOf(a)
	}
	a.UpdatedMs = max(e.cfg.Clock.Now().UnixMilli(), a.GetUpdatedMs())
	ev := &messages.Event{
		Id:     fmt.Sprintf("%s:%013x:enriched:%d", a.GetSourceId(), a.GetNumber(), j.revision),
		Source: "enricher", DetectedMs: a.GetUpdatedMs(),
		Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: messages.ArticleAction_ARTICLE_ENRICHED, Article: a, Revision: j.revision,
		}},
	}
	if over := proto.Size(ev) - eventMost; over > 0 {
		a.Content = text.Clip(a.GetContent(), max(len(a.GetContent())-over-utf8.UTFMax, 0))
	}
	return ev
}

// flush begins the next batch: the table says first which of them are still
// true.
func (e *enricher) flush(ctx actor.Context) {
	if e.batch != nil || len(e.done) == 0 {
		return
	}
	b, bytes := &batch{asked: e.question()}, 0
	for len(e.done) > 0 && len(b.jobs) < batchMost {
		j := e.done[0]
		size := proto.Size(j.event)
		if len(b.jobs) > 0 && bytes+size > batchBytes {
			break
		}
		if e.done = e.done[1:]; e.current(j) {
			b.jobs, bytes = append(b.jobs, j), bytes+size
		}
	}
	if len(b.jobs) == 0 {
		return
	}
	e.batch = b
	e.lookUp(ctx)
}

func (e *enricher) lookUp(ctx actor.Context) {
	b, items := e.batch, e.cfg.Items
	b.asked = e.question()
	asked, identities := b.asked, make([]string, len(b.jobs))
	for i, j := range b.jobs {
		identities[i] = j.identity
	}
	e.work(ctx, e.cfg.Worker, func(c context.Context) any {
		found, _, err := items.Get(c, identities)
		return &tableLooked{asked, found, err}
	})
}

// looked drops what was changed or withdrawn while it was read. A row that is
// not there yet says nothing: its source writes it after the log.
func (e *enricher) looked(ctx actor.Context, m *tableLooked) {
	b := e.batch
	if b == nil || b.asked != m.asked {
		return
	}
	if m.err != nil {
		e.cfg.Logger.Warn("articles wait to be enriched: the item table cannot be read", "error", m.err)
		e.set(ctx, offerTime{b.asked}, tryAgain)
		return
	}
	kept := b.jobs[:0]
	for i, j := range b.jobs {
		row := m.items[i]
		if !e.current(j) || row.GetRevision() > j.revision || row.GetDeleted() && row.GetRevision() >= j.revision && !j.corrects {
			e.drop(j, "stale")
			continue
		}
		kept = append(kept, j)
	}
	b.jobs = kept
	e.offerNext(ctx)
}

func (e *enricher) drop(j *job, why string) {
	if e.current(j) {
		e.forget(j)
		e.cfg.Observe(Observation{Dropped: why, Waiting: len(e.jobs)})
	}
}

func (e *enricher) offerNext(ctx actor.Context) {
	b := e.batch
	n := len(b.jobs)
	if b.single {
		n = min(n, 1)
	}
	if n == 0 {
		e.batch = nil
		e.pump(ctx)
		e.flush(ctx)
		return
	}
	b.offer = &messages.Offer{Id: e.question()}
	for _, j := range b.jobs[:n] {
		b.offer.Events = append(b.offer.Events, j.event)
		b.offer.Bytes += uint64(proto.Size(j.event))
	}
	e.ask(ctx)
}

func (e *enricher) ask(ctx actor.Context) {
	e.batch.asked = e.question()
	e.timers.Set(offerTime{}, e.cfg.OfferTimeout, ctx.Self(), offerTime{e.batch.asked})
	ctx.Request(e.cfg.Journal, e.batch.offer)
}

// offerAgain looks first at what is still true: a journal may refuse for as long
// as an article lives. What the log has of an offer that nobody answered it
// knows by its ids.
func (e *enricher) offerAgain(ctx actor.Context, m offerTime) {
	if b := e.batch; b != nil && b.asked == m.asked {
		b.offer = nil
		e.lookUp(ctx)
	}
}

// offered says whether the answer is to the offer under way.
func (e *enricher) offered(id uint64) bool {
	return e.batch != nil && e.batch.offer != nil && e.batch.offer.GetId() == id
}

func (e *enricher) appended(ctx actor.Context, m *messages.Appended) {
	if e.offered(m.GetId()) {
		e.settled(ctx, "")
	}
}

// settled ends the jobs of the offer. Their rows in the table are written when
// the log says what it holds.
func (e *enricher) settled(ctx actor.Context, dropped string) {
	b := e.batch
	e.timers.Cancel(offerTime{})
	n := len(b.offer.GetEvents())
	for _, j := range b.jobs[:n] {
		e.forget(j)
		if j.corrects && dropped == "" {
			dropped = "corrected"
		}
		e.cfg.Observe(Observation{
			Page: j.out.Page, Vector: j.out.Vector, Summary: j.out.Summary, Took: e.cfg.Clock.Elapsed() - j.begun, Dropped: dropped, Waiting: len(e.jobs),
		})
	}
	b.jobs, b.offer = slices.Clone(b.jobs[n:]), nil
	e.offerNext(ctx)
	e.goOn(ctx)
}

// refused waits for as long as the journal does not take it.
func (e *enricher) refused(ctx actor.Context, m *messages.OfferRefused) {
	if !e.offered(m.GetId()) {
		return
	}
	b := e.batch
	never := m.GetReason() == messages.RefuseReason_REFUSE_TOO_LARGE || m.GetReason() == messages.RefuseReason_REFUSE_INVALID
	switch {
	case never && len(b.offer.GetEvents()) > 1:
		b.single = true
		e.offerNext(ctx)
	case never:
		e.cfg.Logger.Error("an article cannot be enriched: its event can never be written", "event", b.jobs[0].event.GetId(), "why", m.GetDetail())
		e.settled(ctx, "unwritable")
	default:
		b.asked = e.question()
		wait := min(max(time.Duration(m.GetRetryAfterMs())*time.Millisecond, 100*time.Millisecond), e.cfg.OfferTimeout)
		e.timers.Set(offerTime{}, wait, ctx.Self(), offerTime{b.asked})
	}
}

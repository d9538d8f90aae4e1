package newsdesk

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
)

// offers is what of the machine's events the journal has. Events are offered in
// order, the next only after the ones before are durable: whoever reads one of
// them in the log knows that all before it are there.
type offers struct {
	begun   bool              // the log's end was reached: what is pending is missing
	durable string            // id of the newest event that the journal has acknowledged
	open    []*messages.Event // offered and not answered
	number  uint64            // of the offer
	single  bool              // one was refused for good: the next ones are offered alone, to find it
}

const (
	offerMost  = 256
	offerAgain = 10 * time.Second
	offerLater = 200 * time.Millisecond
)

type offerTime struct{}

// unsaid are the pending events that are not known to be durable.
func (d *newsdesk) unsaid() []*messages.Event { return d.desk.After(d.durable) }

// offer offers what is unsaid, unless an offer is open or the log's end was not
// reached yet.
func (d *newsdesk) offer(ctx actor.Context) {
	if !d.begun || d.open != nil || !d.cfg.Lease.Live() {
		return
	}
	unsaid := d.unsaid()
	if len(unsaid) == 0 {
		return
	}
	n := min(len(unsaid), offerMost)
	if d.single {
		n = 1
	}
	d.open = append([]*messages.Event(nil), unsaid[:n]...) // the machine's own slice moves
	d.number++
	d.send(ctx)
}

func (d *newsdesk) send(ctx actor.Context) {
	ctx.Request(d.cfg.Journal, &messages.Offer{Id: d.number, Events: d.open})
	d.timers.Set(offerTime{}, offerAgain, ctx.Self(), &offerTime{})
}

// offerAgain sends the open offer once more. What of it is in the log already
// the journal, or a router, takes for what it is: a repeat.
func (d *newsdesk) offerAgain(ctx actor.Context) {
	if d.open != nil {
		d.send(ctx)
	}
}

func (d *newsdesk) appended(ctx actor.Context, m *messages.Appended) {
	if d.open == nil || m.GetId() != d.number {
		return
	}
	d.settle(ctx)
}

// settle goes on after the open offer.
func (d *newsdesk) settle(ctx actor.Context) {
	d.durable = d.open[len(d.open)-1].GetId()
	d.open = nil
	d.timers.Cancel(offerTime{})
	d.goOn(ctx)
	d.offer(ctx)
}

func (d *newsdesk) refused(ctx actor.Context, m *messages.OfferRefused) {
	if d.open == nil || m.GetId() != d.number {
		return
	}
	switch m.GetReason() {
	case messages.RefuseReason_REFUSE_TOO_LARGE, messages.RefuseReason_REFUSE_INVALID:
		if len(d.open) > 1 {
			d.open, d.single = nil, true
			d.offer(ctx)
			return
		}
		d.cfg.Logger.Error("an event about a story can not be written and is left out", "event", d.open[0].GetId(), "reason", m.GetDetail())
		d.single = false
		d.settle(ctx)
	default: // later
		wait := max(time.Duration(m.GetRetryAfterMs())*time.Millisecond, offerLater)
		d.timers.Set(offerTime{}, wait, ctx.Self(), &offerTime{})
	}
}

// tick has time go by in the log where no article moves it: a minute after the
// last one while stories are awake, and soon where something waits to be told.
// There is no answer to wait for: the next one makes up for a lost one.
func (d *newsdesk) tick(ctx actor.Context) {
	if !d.live() || !d.begun || !d.cfg.Lease.Live() {
		return
	}
	d.offer(ctx) // which a lease that was not live may have kept
	now := d.cfg.Clock.Now().UnixMilli()
	passed := time.Duration(now-d.desk.Now()) * time.Millisecond
	_, awake := d.desk.Live()
	if passed < watchEvery || awake == 0 || !d.desk.Waiting() && passed < time.Minute {
		return
	}
	at := now - now%watchEvery.Milliseconds()
	ctx.Send(d.cfg.Journal, &messages.Offer{Events: []*messages.Event{{
		Id: fmt.Sprintf("%s:time:%d", desk.Source, at), Source: desk.Source, DetectedMs: at,
		Body: &messages.Event_DeskTime{DeskTime: &messages.DeskTime{AtMs: at}},
	}}})
}

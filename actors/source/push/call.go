package push

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// call is one body on its way: the offer being filled, and those unanswered.
type call struct {
	ingest  *Ingest
	result  Result
	refused *Backpressure

	events      []*messages.Event
	bytes       int
	first, last int // lines of events
	offers      uint64
	pending     []pending // unanswered, oldest first; at most cfg.InFlight
}

type pending struct {
	n           int
	first, last int
	answer      func() (proto.Message, error)
}

// maxOfferBytes keeps an offer near one frame: more would only wait in the
// journal's queue, where it counts against everybody.
const maxOfferBytes = 224 << 10

func (c *call) add(e *messages.Event, size, line int) {
	if len(c.events) == 0 {
		c.first = line
	}
	c.events, c.bytes, c.last = append(c.events, e), c.bytes+size, line
}

func (c *call) full() bool { return len(c.events) >= maxOffer || c.bytes >= maxOfferBytes }

func (c *call) flush(ctx context.Context) {
	if len(c.events) == 0 {
		return
	}
	c.offers++
	offer := &messages.Offer{Id: c.offers, Events: c.events, Bytes: uint64(c.bytes)}
	c.pending = append(c.pending, pending{
		n: len(c.events), first: c.first, last: c.last, answer: c.ingest.cfg.Intake.Offer(ctx, offer),
	})
	c.events, c.bytes = nil, 0
}

// settle waits for answers until at most most offers are unanswered. Once one
// was refused it waits for all: those behind it may have been taken.
func (c *call) settle(most int) {
	for len(c.pending) > most || c.refused != nil && len(c.pending) > 0 {
		p := c.pending[0]
		c.pending = c.pending[1:]
		answer, err := p.answer()
		if err != nil {
			c.refuse(http.StatusServiceUnavailable, 2*time.Second, "push ingest did not answer: "+err.Error())
			continue
		}
		switch m := answer.(type) {
		case *messages.Appended:
			c.result.Duplicates += len(m.GetDuplicates())
			c.result.Accepted += p.n - len(m.GetDuplicates())
		case *messages.OfferRefused:
			c.refusal(p, m)
		default:
			c.refuse(http.StatusServiceUnavailable, 2*time.Second, fmt.Sprintf("push ingest answered with %T", answer))
		}
	}
}

func (c *call) refusal(p pending, m *messages.OfferRefused) {
	switch m.GetReason() {
	case messages.RefuseReason_REFUSE_TOO_LARGE, messages.RefuseReason_REFUSE_INVALID:
		// No event that passed the decoder is as large; if bounds ever part, say so.
		c.reject(p.first, fmt.Sprintf("lines %d to %d: %s", p.first, p.last, m.GetDetail()))
	case messages.RefuseReason_REFUSE_BUSY:
		c.refuse(http.StatusTooManyRequests, time.Duration(m.GetRetryAfterMs())*time.Millisecond, m.GetDetail())
	default:
		c.refuse(http.StatusServiceUnavailable, time.Duration(m.GetRetryAfterMs())*time.Millisecond, m.GetDetail())
	}
}

// refuse keeps the first refusal: it is the one that says from where to send again.
func (c *call) refuse(status int, after time.Duration, detail string) {
	if c.refused == nil {
		c.refused = &Backpressure{Status: status, RetryAfter: max(after, time.Millisecond), Detail: detail}
	}
}

func (c *call) reject(line int, text string) {
	if len(c.result.Rejected) == maxRejected {
		c.result.Unlisted++
		return
	}
	c.result.Rejected = append(c.result.Rejected, Rejection{Line: line, Error: text})
}

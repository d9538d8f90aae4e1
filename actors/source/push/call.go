package push

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// call is one body on its way: the offer being filled, and those unanswered.
//
//	first offer --waits for its answer--> refused: 429 or 503, nothing was taken
//	                                 \--> the others, up to cfg.InFlight at a time
//
// Once the first offer is durable the push source takes the others in order, or
// gives the body up: nobody has to send again what was taken.
type call struct {
	ingest  *Ingest
	id      uint64
	result  Result
	refused *Backpressure
	begun   bool // a part of it is durable

	events  []*messages.Event
	lines   []int // of events
	before  int   // rejected past the listed ones, before events
	bytes   int
	offers  uint64
	pending []pending // unanswered, oldest first; at most cfg.InFlight
}

type pending struct {
	lines  []int
	before int
	answer func() (proto.Message, error)
}

// maxOfferBytes keeps an offer near one frame: more would only wait in the
// journal's queue, where it counts against everybody.
const maxOfferBytes = 224 << 10

func (c *call) add(e *messages.Event, size, line int) {
	if len(c.events) == 0 {
		c.before = c.result.Unlisted
	}
	c.events, c.lines, c.bytes = append(c.events, e), append(c.lines, line), c.bytes+size
}

func (c *call) full() bool { return len(c.events) >= maxOffer || c.bytes >= maxOfferBytes }

// flush offers what was gathered. What comes after the first offer is gathered
// while that one is on its way.
func (c *call) flush(ctx context.Context) {
	if !c.begun {
		c.settle(0)
	}
	if len(c.events) == 0 || c.refused != nil {
		return
	}
	c.offers++
	offer := &messages.Offer{Id: c.offers, Events: c.events, Call: c.id, Continues: c.begun}
	c.pending = append(c.pending, pending{lines: c.lines, before: c.before, answer: c.ingest.cfg.Intake.Offer(ctx, offer)})
	c.events, c.lines, c.bytes = nil, nil, 0
}

// settle waits for answers until at most most offers are unanswered. Once one
// was refused it waits for all: what was offered after it is refused as well,
// as a rule, and counts where it was not.
func (c *call) settle(most int) {
	for len(c.pending) > most || c.refused != nil && len(c.pending) > 0 {
		p := c.pending[0]
		c.pending = c.pending[1:]
		answer, err := p.answer()
		if err != nil {
			c.refuse(p, 0, http.StatusServiceUnavailable, 2*time.Second, "push ingest did not answer: "+err.Error())
			continue
		}
		switch m := answer.(type) {
		case *messages.Appended:
			c.took(len(p.lines), len(m.GetDuplicates()))
		case *messages.OfferRefused:
			c.refusal(p, m)
		default:
			c.refuse(p, 0, http.StatusServiceUnavailable, 2*time.Second, "push ingest gave no answer that is known")
		}
	}
}

func (c *call) took(n, duplicates int) {
	c.begun = c.begun || n > 0
	c.result.Accepted += n - duplicates
	c.result.Duplicates += duplicates
}

func (c *call) refusal(p pending, m *messages.OfferRefused) {
	taken := min(int(m.GetTaken()), len(p.lines)-1)
	c.took(taken, len(m.GetDuplicates()))
	status := http.StatusServiceUnavailable
	switch m.GetReason() {
	case messages.RefuseReason_REFUSE_TOO_LARGE, messages.RefuseReason_REFUSE_INVALID:
		// No event that passed the decoder is as large; if bounds ever part, say so.
		first, last := p.lines[taken], p.lines[len(p.lines)-1]
		c.reject(first, fmt.Sprintf("lines %d to %d: %s", first, last, m.GetDetail()))
		return
	case messages.RefuseReason_REFUSE_BUSY:
		if !c.begun {
			status = http.StatusTooManyRequests
		}
	}
	c.refuse(p, taken, status, time.Duration(m.GetRetryAfterMs())*time.Millisecond, m.GetDetail())
}

// refuse keeps the first refusal: it is the one that says from where to send
// again. What was rejected after that line is rejected again when it comes.
func (c *call) refuse(p pending, taken, status int, after time.Duration, detail string) {
	if c.refused != nil {
		return
	}
	c.refused = &Backpressure{Status: status, RetryAfter: max(after, time.Millisecond), Detail: detail}
	c.result.Next, c.result.Unlisted = p.lines[taken], p.before
	c.result.Rejected = slices.DeleteFunc(c.result.Rejected, func(r Rejection) bool { return r.Line >= c.result.Next })
}

func (c *call) reject(line int, text string) {
	if len(c.result.Rejected) == maxRejected {
		c.result.Unlisted++
		return
	}
	c.result.Rejected = append(c.result.Rejected, Rejection{Line: line, Error: text})
}

package nats

import (
	"context"
	"fmt"
	"strconv"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What a message that carries no frame says: the batch is whole, or there is
// nothing at or after the sequence asked for.
const (
	statusEnd      = "204"
	statusNotFound = "404"
	statusNobody   = "503" // nobody takes what was sent

	noResults = "No Results" // the description of a 404 that only says so

	statusHeader      = "Status"
	descriptionHeader = "Description"
	pendingHeader     = "Nats-Num-Pending"
	lastHeader        = "Nats-Last-Sequence"
	directGet         = "$JS.API.DIRECT.GET." // + the stream
)

// request is one batch asked for.
type request struct {
	from    uint64
	batch   int // bytes
	headers bool
}

func (r request) question() []byte {
	return fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d,"no_hdr":%t}`, r.from, maxBatch, r.batch, !r.headers)
}

// batchEnd is what comes after a batch.
type batchEnd struct {
	status  string
	pending uint64 // at least so many were there to read, the batch included
	last    uint64 // sequence of the batch's last message
}

// ask asks for a batch. ahead: only where there is room for it now; the reader
// has something else to do.
func (c *cursor) ask(ctx context.Context, r request, ahead bool) error {
	if err := c.store.vetting.clear(ctx, r.from, maxBatch); err != nil {
		return err
	}
	l, err := c.sess.link(replays)
	if err != nil {
		return err
	}
	subject, weight := directGet+journalStream, int64(r.batch)
	if ahead {
		c.answer, err = l.tryAsk(subject, r.question(), weight)
	} else {
		c.answer, err = l.ask(ctx, subject, r.question(), weight)
	}
	c.asked = r
	return err
}

// receive waits for the batch that is on its way. Where ctx ends first, what
// came so far is kept and the next call goes on; after any other error it is
// asked for again.
func (c *cursor) receive(ctx context.Context) (came []*nc.Msg, end batchEnd, err error) {
	a := c.answer
	if err := a.wait(ctx, c.sess.done); err != nil {
		if ctx.Err() != nil {
			return nil, end, ctx.Err()
		}
		c.drop()
		c.store.suspected()
		return nil, end, err
	}
	c.answer = nil
	c.store.health.went(replays)
	end.status = a.end.Header.Get(statusHeader)
	if end.status == statusEnd {
		end.pending, err = strconv.ParseUint(a.end.Header.Get(pendingHeader), 10, 64)
		if err == nil {
			end.last, err = strconv.ParseUint(a.end.Header.Get(lastHeader), 10, 64)
		}
	}
	return a.messages, end, err
}

// drop gives up the batch that is on its way.
func (c *cursor) drop() {
	if c.answer != nil {
		c.answer.leave()
		c.answer = nil
	}
}

// sequenceOf is the place of a message that was read in its stream.
func sequenceOf(m *nc.Msg) (uint64, error) {
	text := m.Header.Get(jetstream.SequenceHeader)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the embedded server answered with sequence %q", text)
	}
	return n, nil
}

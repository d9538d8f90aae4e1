package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// What a message that carries no frame says: the batch is whole, or there is
// nothing at or after the sequence asked for.
const (
	statusEnd      = "204"
	statusNotFound = "404"

	noResults = "No Results" // the description of a 404 that only says so

	statusHeader      = "Status"
	descriptionHeader = "Description"
	pendingHeader     = "Nats-Num-Pending"
	lastHeader        = "Nats-Last-Sequence"
	directGet         = "$JS.API.DIRECT.GET." // + the stream
)

// attach subscribes on the session that runs now, where the cursor is not. A
// batch that was on its way from an older one is given up and asked for again.
func (c *cursor) attach(ctx context.Context) error {
	sess, err := c.store.session(ctx)
	if err != nil {
		return err
	}
	if c.sess == sess && c.sub != nil {
		return nil
	}
	if err := c.detach(); err != nil {
		return err
	}
	// Room for a whole batch and its end: the client drops what does not fit.
	in := make(chan *nc.Msg, maxBatch+1)
	sub, err := sess.reads.ChanSubscribe(nc.NewInbox(), in)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	c.sess, c.in, c.sub = sess, in, sub
	return nil
}

func (c *cursor) detach() error {
	sub := c.sub
	c.sess, c.sub, c.in, c.asked, c.partial = nil, nil, nil, request{}, nil
	if sub == nil {
		return nil
	}
	err := sub.Unsubscribe()
	if errors.Is(err, nc.ErrConnectionClosed) || errors.Is(err, nc.ErrBadSubscription) {
		return nil // its session is gone, and it with that
	}
	return err
}

// request is one batch asked for.
type request struct {
	from    uint64
	batch   int // bytes
	headers bool
}

// batchEnd is what stands behind a batch.
type batchEnd struct {
	status  string
	pending uint64 // at least so many were there to read, the batch included
	last    uint64 // sequence of the batch's last message
}

func (c *cursor) ask(r request) error {
	text := fmt.Appendf(nil, `{"seq":%d,"batch":%d,"max_bytes":%d,"no_hdr":%t}`, r.from, maxBatch, r.batch, !r.headers)
	if err := c.sess.reads.PublishRequest(directGet+journalStream, c.sub.Subject, text); err != nil {
		return fmt.Errorf("ask for a batch: %w", err)
	}
	c.asked, c.partial = r, nil
	return nil
}

// receive collects the batch in partial until its end. Where ctx ends first,
// what came so far stays and the next call goes on.
func (c *cursor) receive(ctx context.Context) (end batchEnd, err error) {
	deadline := time.NewTimer(opTimeout)
	defer deadline.Stop()
	for {
		select {
		case m := <-c.in:
			if len(m.Data) > 0 {
				c.partial = append(c.partial, m)
				continue
			}
			end.status = m.Header.Get(statusHeader)
			if end.status == statusEnd {
				end.pending, err = strconv.ParseUint(m.Header.Get(pendingHeader), 10, 64)
				if err == nil {
					end.last, err = strconv.ParseUint(m.Header.Get(lastHeader), 10, 64)
				}
			}
			return end, err
		case <-c.sess.done:
			return end, errors.Join(errors.New("the embedded server was stopped"), c.detach())
		case <-ctx.Done():
			return end, ctx.Err()
		case <-deadline.C:
			c.store.suspected()
			return end, errors.Join(fmt.Errorf("no answer within %v", opTimeout), c.detach())
		}
	}
}

// sequenceOf is where a message that was read stands in its stream.
func sequenceOf(m *nc.Msg) (uint64, error) {
	text := m.Header.Get(jetstream.SequenceHeader)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the embedded server answered with sequence %q", text)
	}
	return n, nil
}

// collect sends a request whose answer is up to n messages and an end, and
// gives each message to take.
func (s *session) collect(ctx context.Context, subject string, request []byte, n int, take func(*nc.Msg) error) error {
	in := make(chan *nc.Msg, n+1) // room for the whole answer: the client drops what does not fit
	sub, err := s.reads.ChanSubscribe(nc.NewInbox(), in)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.reads.PublishRequest(subject, sub.Subject, request); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	for {
		select {
		case m := <-in:
			switch status := m.Header.Get(statusHeader); {
			case status == statusEnd, status == statusNotFound && m.Header.Get(descriptionHeader) == noResults:
				return nil
			case status == statusNotFound:
				return fmt.Errorf("%w: the server holds a message and does not read it", store.ErrCorrupt)
			case status != "" && len(m.Data) == 0:
				return fmt.Errorf("the embedded server answered %s", status)
			}
			if err := take(m); err != nil {
				return err
			}
		case <-s.done:
			return errors.New("the embedded server was stopped")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

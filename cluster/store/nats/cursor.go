package nats

import (
	"context"
	"errors"
	"fmt"
	"io"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/cluster/store"
)

// A cursor asks for batches and decodes one while the server reads the next.
// Batches start small, so that a client that resumes near the log's end, and
// thousands that do so at once, cost little; they grow as one reads on.
//
// A batch was preferred over a consumer: it leaves nothing in the server
// between two calls, and a cursor that waits at the end costs one subscription.
const (
	firstBatch = 64 << 10 // bytes; at most one message more
	lastBatch  = 1 << 20  // longer ones make appends wait for a noticeable time
	maxBatch   = 512      // messages in one batch
)

// cursor reads the journal from next on.
//
// Invariant: every sequence below next was handed out, or was said to be
// skipped; what is in got starts at next or after it.
type cursor struct {
	store *Store
	next  uint64
	got   []stored // whole and not yet decoded
	err   error    // stands for good: the cursor was trimmed or closed

	batch int    // bytes to ask for
	blank uint64 // the log's last sequence when it first said that next is not there

	sess    *session // the one that in is subscribed on
	in      chan *nc.Msg
	sub     *nc.Subscription
	asked   request   // the batch that is on its way; zero: none is
	partial []*nc.Msg // what came of it so far
}

// stored is a frame as it stands in the log.
type stored struct {
	sequence uint64
	data     []byte
}

func (j *journal) Read(ctx context.Context, from uint64) (store.Cursor, error) {
	first, last, err := j.Bounds(ctx)
	if err != nil {
		return nil, fmt.Errorf("read journal from %d: %w", from, err)
	}
	switch {
	case from <= 1:
		from = first
	case from < first:
		return nil, fmt.Errorf("read journal from %d: %w", from, &store.TrimmedError{First: first})
	case from > last+1:
		return nil, fmt.Errorf("read journal from %d: it ends at %d", from, last)
	}
	return &cursor{store: j.store, next: from, batch: firstBatch}, nil
}

func (c *cursor) Next(ctx context.Context) (store.Entry, error) {
	e, err := c.entry(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		return e, fmt.Errorf("read journal at %d: %w", c.next, err)
	}
	return e, err
}

func (c *cursor) entry(ctx context.Context) (store.Entry, error) {
	if c.err != nil {
		return store.Entry{}, c.err
	}
	for len(c.got) == 0 {
		e, err := c.fill(ctx)
		if err != nil || e.Skipped != nil {
			return e, err
		}
	}
	m := c.got[0]
	if m.sequence > c.next {
		return c.gap(ctx, m.sequence)
	}
	frame, err := store.DecodeFrame(m.data)
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return store.Entry{}, err // of a newer version: not ours to skip
	}
	c.got = c.got[1:]
	if err != nil {
		return c.unreadable(err), nil
	}
	c.next++
	return store.Entry{Sequence: m.sequence, Frame: frame}, nil
}

// gap answers for the sequences from next to before found, which the server
// does not have: taken by retention while the cursor stood before them, or
// gone from the middle.
func (c *cursor) gap(ctx context.Context, found uint64) (store.Entry, error) {
	sess, err := c.store.session(ctx)
	if err != nil {
		return store.Entry{}, err
	}
	first, _, err := sess.bounds(ctx)
	if err != nil {
		return store.Entry{}, err
	}
	if first > c.next {
		c.err = &store.TrimmedError{First: first}
		return store.Entry{}, c.err
	}
	gone := c.store.holes.reason(span{From: c.next, To: found - 1})
	c.next = gone.To + 1
	if gone.Reason == store.Damaged {
		c.store.cfg.Logger.Error("frames of the journal are lost and are skipped", "from", gone.From, "to", gone.To)
	}
	return store.Entry{Sequence: gone.From, Skipped: gone}, nil
}

// unreadable gives up one frame: the one replica there is holds it damaged.
func (c *cursor) unreadable(why error) store.Entry {
	c.store.cfg.Logger.Error("a frame of the journal is damaged and is skipped", "sequence", c.next, "error", why)
	c.next++
	return store.Entry{Sequence: c.next - 1, Skipped: &store.Skipped{From: c.next - 1, To: c.next - 1, Reason: store.Damaged}}
}

// fill receives the batch that is on its way, asking for it first, and asks for
// the one after it. It returns io.EOF at the log's end, Skipped where the
// server cannot read what it holds, and nothing where got is not empty now.
func (c *cursor) fill(ctx context.Context) (store.Entry, error) {
	if err := c.attach(ctx); err != nil {
		return store.Entry{}, err
	}
	if c.asked.batch == 0 {
		if err := c.ask(request{from: c.next, batch: c.batch}); err != nil {
			return store.Entry{}, err
		}
	}
	end, err := c.receive(ctx)
	if err != nil {
		return store.Entry{}, err
	}
	switch end.status {
	case statusEnd:
		if len(c.partial) > 0 {
			return store.Entry{}, c.take(end)
		}
		return c.nothing(ctx)
	case statusNotFound:
		return c.nothing(ctx)
	}
	c.asked = request{}
	c.store.suspected()
	return store.Entry{}, fmt.Errorf("the embedded server answered %s", end.status)
}

// take makes a whole batch out of what came, and asks for the next where there
// was more. Asked without headers, which are half of the cost of a small frame,
// the messages say no sequences; they follow from each other where the batch
// ends where it would without a gap, and else it is asked for again with them.
func (c *cursor) take(end batchEnd) error {
	came, asked := c.partial, c.asked
	c.partial, c.asked = nil, request{}
	if !asked.headers && end.last != asked.from+uint64(len(came))-1 {
		return c.ask(request{from: asked.from, batch: asked.batch, headers: true})
	}
	got := make([]stored, len(came))
	for i, m := range came {
		got[i] = stored{sequence: asked.from + uint64(i), data: m.Data}
		if asked.headers {
			sequence, err := sequenceOf(m)
			if err != nil {
				return err
			}
			if sequence < c.next {
				return fmt.Errorf("the embedded server answered with %d", sequence)
			}
			got[i].sequence = sequence
		}
	}
	c.got, c.blank = got, 0
	c.batch = min(2*c.batch, lastBatch)
	if end.pending <= uint64(len(came)) {
		return nil
	}
	return c.ask(request{from: got[len(got)-1].sequence + 1, batch: c.batch})
}

// nothing decides what it means that the server has nothing at next: the log's
// end, or a frame that it has and cannot read. Between its answer and ours one
// may have been appended, so only the second answer counts, about a sequence
// that stood before it was asked.
func (c *cursor) nothing(ctx context.Context) (store.Entry, error) {
	c.asked = request{}
	first, last, err := c.sess.bounds(ctx)
	switch {
	case err != nil:
		return store.Entry{}, err
	case first > c.next:
		c.err = &store.TrimmedError{First: first}
		return store.Entry{}, c.err
	case last < c.next:
		c.blank, c.batch = 0, firstBatch
		return store.Entry{}, io.EOF
	case c.blank < c.next:
		c.blank = last
		return store.Entry{}, nil // asked again
	}
	if err := c.sess.sick(); err != nil {
		return store.Entry{}, fmt.Errorf("the embedded server: %w", err)
	}
	return c.unreadable(errors.New("the server holds it and does not read it")), nil
}

func (c *cursor) Close() error {
	c.err = store.ErrClosed
	c.got, c.partial = nil, nil
	return c.detach()
}

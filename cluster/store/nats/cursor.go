package nats

import (
	"context"
	"errors"
	"fmt"
	"io"

	nc "github.com/nats-io/nats.go"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// A cursor asks for batches and decodes one while the server reads the next.
// Batches start small, so that a client that resumes near the log's end, and
// thousands that do so at once, cost little; they grow as one reads on.
//
// A batch was preferred over a consumer: it leaves nothing in the server
// between two calls, and a cursor that waits at the end costs nothing.
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
	err   error    // never changes again: the cursor was trimmed or closed

	batch int    // bytes to ask for
	seek  uint64 // where to ask from, where that is past next: what is before it cannot be read
	blank uint64 // the log's last sequence when it first said that there is nothing from there on

	sess   *session // the one that was asked last
	asked  request  // of the batch that is on its way
	answer *answer  // nil: none is
}

// stored is a frame as it is in the log.
type stored struct {
	sequence uint64
	data     []byte
	leaders  bool // it is the leader's word, not the nearest replica's
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
		return nil, fmt.Errorf("read journal from %d: %w", from, &messages.TrimmedError{First: first})
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
	for {
		for len(c.got) == 0 {
			e, err := c.fill(ctx)
			if err != nil || e.Skipped != nil {
				return e, err
			}
		}
		m := c.got[0]
		frame, err := store.DecodeFrame(m.data)
		if c.sess.shared && !m.leaders && (m.sequence != c.next || errors.Is(err, messages.ErrDamaged)) {
			// The nearest replica is behind, or damaged.
			if e, err := c.leaders(ctx); err != nil || e.Skipped != nil {
				return e, err
			}
			continue
		}
		if m.sequence > c.next {
			return c.gap(ctx, m.sequence)
		}
		if err != nil && !errors.Is(err, messages.ErrDamaged) {
			return store.Entry{}, err // of a newer version: not ours to skip
		}
		c.got = c.got[1:]
		if err != nil {
			return c.skip(m.sequence), nil
		}
		c.next++
		return store.Entry{Sequence: m.sequence, Frame: frame}, nil
	}
}

// gap answers for the sequences from next to before found, which the server
// does not have: taken by retention while the cursor was before them, or
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
		c.err = &messages.TrimmedError{First: first}
		return store.Entry{}, c.err
	}
	return c.skip(found - 1), nil
}

// skip gives up the frames from next to last, or the first of them that are
// gone for one reason: the one replica there is does not have them, or has them
// damaged.
func (c *cursor) skip(last uint64) store.Entry {
	gone, accepted := c.store.holes.reason(span{From: c.next, To: last})
	c.next = gone.To + 1
	if gone.Reason == store.Damaged && !accepted {
		c.store.framesLost(gone.From, gone.To)
	}
	return store.Entry{Sequence: gone.From, Skipped: gone}
}

// fill receives the batch that is on its way, asking for it first, and asks for
// the one after it. It returns io.EOF at the log's end, Skipped where the
// server cannot read what it holds, and nothing where got is not empty now.
func (c *cursor) fill(ctx context.Context) (store.Entry, error) {
	sess, err := c.store.session(ctx)
	if err != nil {
		return store.Entry{}, err
	}
	if c.sess != sess {
		c.drop()
		c.sess = sess
	}
	if c.answer == nil {
		if err := c.ask(ctx, request{from: max(c.next, c.seek), batch: c.batch}, false); err != nil {
			return store.Entry{}, err
		}
	}
	came, end, err := c.receive(ctx)
	if err != nil {
		return store.Entry{}, err
	}
	switch end.status {
	case statusEnd:
		if len(came) > 0 {
			return store.Entry{}, c.take(ctx, came, end)
		}
		return c.nothing(ctx)
	case statusNotFound:
		return c.nothing(ctx)
	}
	c.store.suspected()
	return store.Entry{}, fmt.Errorf("the embedded server answered %s", end.status)
}

// take makes a whole batch out of what came, and asks for the next where there
// was more. Asked without headers, which are half of the cost of a small frame,
// the messages say no sequences; they follow from each other where the batch
// ends where it would without a gap, and else it is asked for again with them.
func (c *cursor) take(ctx context.Context, came []*nc.Msg, end batchEnd) error {
	asked := c.asked
	if !asked.headers && end.last != asked.from+uint64(len(came))-1 {
		return c.ask(ctx, request{from: asked.from, batch: asked.batch, headers: true}, false)
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
	// Where this fails it is asked for again, with the next call.
	_ = c.ask(ctx, request{from: got[len(got)-1].sequence + 1, batch: c.batch}, true)
	return nil
}

// nothing decides what it means that the server has nothing at or after where
// it was asked: the log's end, or frames that it has and cannot read. Between
// its answer and ours one may have been appended, so only the second answer
// counts, about a sequence that was there before it was asked. It goes on one
// by one: a block that cannot be read hides those after it.
func (c *cursor) nothing(ctx context.Context) (store.Entry, error) {
	if c.sess.shared {
		return c.leaders(ctx)
	}
	at := max(c.next, c.seek)
	first, last, err := c.sess.bounds(ctx)
	switch {
	case err != nil:
		return store.Entry{}, err
	case first > c.next:
		c.err = &messages.TrimmedError{First: first}
		return store.Entry{}, c.err
	case last < at && at > c.next:
		return c.skip(at - 1), nil
	case last < at:
		c.blank, c.batch = 0, firstBatch
		return store.Entry{}, io.EOF
	case c.blank < at:
		c.blank = last
		return store.Entry{}, nil // asked again
	}
	if err := c.store.sick(c.sess); err != nil {
		return store.Entry{}, fmt.Errorf("the embedded server: %w", err)
	}
	c.seek = at + 1
	return store.Entry{}, nil
}

func (c *cursor) Close() error {
	c.err = store.ErrClosed
	c.got = nil
	c.drop()
	return nil
}

package nats

import (
	"context"
	"errors"
	"io"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// leaders decides, by the word of the log's leader, what it means that the
// nearest replica does not have the frame at next: the log's end, a replica that
// is behind or damaged, or a frame that is gone for good. It returns nothing
// where got begins with that frame now.
func (c *cursor) leaders(ctx context.Context) (store.Entry, error) {
	first, last, err := c.sess.bounds(ctx) // before it is asked for the frame: what is appended in between is not missed
	if err != nil {
		return store.Entry{}, c.store.unread(err)
	}
	if first > c.next {
		c.err = &messages.TrimmedError{First: first}
		return store.Entry{}, c.err
	}
	if last < c.next {
		c.got, c.batch = nil, firstBatch
		c.drop()
		return store.Entry{}, io.EOF
	}
	found, err := c.ofLeader(ctx)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		c.got = nil
		return c.skip(last), nil
	case err != nil:
		return store.Entry{}, err
	case found.sequence > c.next:
		// Retention may have passed it since.
		if first, _, err = c.sess.bounds(ctx); err != nil {
			return store.Entry{}, c.store.unread(err)
		}
		if first > c.next {
			c.err = &messages.TrimmedError{First: first}
			return store.Entry{}, c.err
		}
		c.insert(found)
		return c.skip(found.sequence - 1), nil
	}
	c.insert(found)
	return store.Entry{}, nil
}

// insert puts a frame of the leader before what came from a replica.
func (c *cursor) insert(found stored) {
	for len(c.got) > 0 && c.got[0].sequence <= found.sequence {
		c.got = c.got[1:]
	}
	if len(c.got) == 0 {
		c.drop() // what is on its way begins where the replica ended
	}
	c.got = append([]stored{found}, c.got...)
}

// ofLeader is the first frame from next on that the leader has.
func (c *cursor) ofLeader(ctx context.Context) (stored, error) {
	m, err := c.sess.leaders(ctx, journalStream, nextOf(journalSubject+">", c.next))
	if err != nil {
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return stored{}, err
		}
		return stored{}, c.store.unread(err)
	}
	return stored{sequence: m.Sequence, data: m.Data, leaders: true}, nil
}

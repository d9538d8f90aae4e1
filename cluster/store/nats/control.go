package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// control keeps records in a key-value bucket, one message a key. A deleted
// one leaves a word of it in its place.
type control struct {
	store *Store
	// deletedFor is how long that word stands: long enough for every watcher
	// to have heard it. Without an end, every key that ever was would stay.
	deletedFor time.Duration
	behind     int // changes that may wait for one watcher
}

// Headers and values of the key-value convention, which watchers read.
const (
	operationHeader = "KV-Operation"
	operationPurge  = "PURGE"
	markerHeader    = "Nats-Marker-Reason" // the server's own word for what it expired
)

func (c *control) Get(ctx context.Context, key string) (store.Value, error) {
	v, deleted, err := c.last(ctx, key)
	if err == nil && deleted {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Value{}, fmt.Errorf("get %s: %w", key, err)
	}
	return v, nil
}

// last is the last word on a key, which may be that it was deleted.
func (c *control) last(ctx context.Context, key string) (v store.Value, deleted bool, err error) {
	if err := store.CheckKey(key); err != nil {
		return v, false, err
	}
	sess, err := c.store.session(ctx)
	if err != nil {
		return v, false, err
	}
	m, err := sess.records.GetLastMsgForSubject(ctx, controlSubject+key)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return v, false, store.ErrNotFound
	}
	if err != nil {
		return v, false, c.store.unread(err)
	}
	return store.Value{Key: key, Data: m.Data, Revision: m.Sequence},
		m.Header.Get(operationHeader) != "" || m.Header.Get(markerHeader) != "", nil
}

func (c *control) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := store.CheckKey(key); err != nil {
		return 0, err
	}
	m := nc.NewMsg(controlSubject + key)
	m.Data = data
	next, err := c.write(ctx, m, revision)
	if revision == 0 && errors.Is(err, store.ErrConflict) {
		// There may be the word of a deletion, which stands for nothing.
		v, deleted, lastErr := c.last(ctx, key)
		if lastErr == nil && deleted {
			next, err = c.write(ctx, m, v.Revision)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("write %s at revision %d: %w", key, revision, err)
	}
	return next, nil
}

func (c *control) write(ctx context.Context, m *nc.Msg, revision uint64) (uint64, error) {
	expect(m, revision)
	ack, err := c.store.publish(ctx, m)
	if err != nil {
		return 0, err
	}
	c.store.marks.advance(markControl, ack.Sequence)
	return ack.Sequence, nil
}

func (c *control) Delete(ctx context.Context, key string, revision uint64) error {
	v, deleted, err := c.last(ctx, key)
	switch {
	case err != nil:
	case deleted:
		err = store.ErrNotFound
	case v.Revision != revision:
		// Asked before: the condition below would let revision 0 pass as "none".
		err = store.ErrConflict
	default:
		m := nc.NewMsg(controlSubject + key)
		m.Header.Set(operationHeader, operationPurge)
		m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(max(1, int(c.deletedFor.Seconds()))))
		_, err = c.write(ctx, m, revision)
	}
	if err != nil {
		return fmt.Errorf("delete %s at revision %d: %w", key, revision, err)
	}
	return nil
}

func (c *control) List(ctx context.Context, prefix string) ([]store.Value, error) {
	values, err := c.list(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	return values, nil
}

func (c *control) list(ctx context.Context, prefix string) ([]store.Value, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := c.watch(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var values []store.Value
	for change := range changes {
		if !change.Synced {
			values = append(values, change.Value)
			continue
		}
		slices.SortFunc(values, func(a, b store.Value) int {
			if by := strings.Compare(a.Key, b.Key); by != 0 {
				return by
			}
			return int(b.Revision) - int(a.Revision)
		})
		// One that changed while it was listed came twice: the newest counts.
		return slices.CompactFunc(values, func(a, b store.Value) bool { return a.Key == b.Key }), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, errors.New("the embedded server was stopped")
}

// unread is what a failed read means, after the mender was told of those that
// should not fail.
func (s *Store) unread(err error) error {
	if s.life.Err() != nil {
		return store.ErrClosed
	}
	s.suspected()
	return err
}

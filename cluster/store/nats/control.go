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
	"github.com/birdwire/birdwire/messages"
)

// control keeps records in a key-value bucket, one message a key. A deleted
// one leaves a word of it in its place.
type control struct {
	store *Store
	// deletedFor is how long that word is there: long enough for every watcher
	// to have heard it. Without an end, every key that ever was would stay.
	deletedFor time.Duration
	maxWaiting int // changes that may wait for one watcher
	// stalled is how long a list may come no further before it is completed
	// record by record.
	stalled time.Duration
}

// Headers and values of the key-value convention, which watchers read.
const (
	operationHeader = "KV-Operation"
	operationPurge  = "PURGE"
	markerHeader    = "Nats-Marker-Reason" // the server's own word for what it expired
)

func isDeleted(h nc.Header) bool {
	return h.Get(operationHeader) != "" || h.Get(markerHeader) != ""
}

func isNotFound(err error) bool { return errors.Is(err, messages.ErrNotFound) }

func (c *control) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	v, deleted, err := c.last(ctx, key)
	if err == nil && deleted {
		err = messages.ErrNotFound
	}
	if err != nil {
		return messages.KeptRecord{}, fmt.Errorf("get %s: %w", key, err)
	}
	return v, nil
}

// last is the last word on a key, which may be that it was deleted.
func (c *control) last(ctx context.Context, key string) (v messages.KeptRecord, deleted bool, err error) {
	if err := store.CheckKey(key); err != nil {
		return v, false, err
	}
	if !c.store.cfg.shared() && c.store.records.isClosed(key) { // else another node may have mended it
		return v, false, fmt.Errorf("%w: the record is lost or cannot be read", messages.ErrDamaged)
	}
	v, deleted, err = c.read(ctx, key)
	switch {
	case isNotFound(err):
		err = c.broken(ctx, key)
	case err == nil && deleted && !c.store.cfg.shared():
		c.store.notedDeleted(key, v.Revision)
	case err == nil && !c.store.cfg.shared() && !c.store.records.must(key):
		c.store.noted(key, v.Revision) // written, and the answer was lost
	}
	return v, deleted, err
}

func (c *control) read(ctx context.Context, key string) (v messages.KeptRecord, deleted bool, err error) {
	sess, err := c.store.session(ctx)
	if err != nil {
		return v, false, err
	}
	m, err := sess.message(ctx, controlStream, lastOf(controlSubject+key))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return v, false, messages.ErrNotFound
	}
	if err != nil {
		return v, false, c.store.unread(err)
	}
	c.store.health.went(lookups)
	v = messages.KeptRecord{Key: key, Revision: m.Sequence}
	if isDeleted(m.Header) {
		return v, true, nil
	}
	if v.Data, err = c.store.unseal(controlStream, key, m.Data); err != nil {
		c.store.quarantine(key)
	} else if c.store.cfg.shared() {
		c.store.reopened(key)
	}
	return v, false, err
}

func (c *control) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := store.CheckKey(key); err != nil {
		return 0, err
	}
	next, err := c.cas(ctx, key, data, revision)
	if err != nil {
		return 0, fmt.Errorf("write %s at revision %d: %w", key, revision, err)
	}
	return next, nil
}

func (c *control) cas(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if c.store.records.isClosed(key) {
		if _, _, err := c.last(ctx, key); errors.Is(err, messages.ErrDamaged) {
			return 0, err
		}
	}
	next, err := c.write(ctx, key, data, revision)
	if revision == 0 && errors.Is(err, messages.ErrConflict) {
		// There may be the word of a deletion, which is no record.
		v, deleted, lastErr := c.last(ctx, key)
		if errors.Is(lastErr, messages.ErrDamaged) {
			return 0, lastErr
		}
		if lastErr == nil && deleted {
			next, err = c.write(ctx, key, data, v.Revision)
		}
	}
	return next, err
}

func (c *control) write(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	m := nc.NewMsg(controlSubject + key)
	m.Data = store.Seal(key, data)
	expect(m, revision)
	ack, err := c.store.publish(ctx, m, small)
	if err != nil {
		c.store.uncertain(key, err)
		return 0, err
	}
	c.store.noted(key, ack.Sequence)
	return ack.Sequence, nil
}

func (c *control) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	next, err := c.mend(ctx, key, data)
	if err != nil {
		return 0, fmt.Errorf("mend %s: %w", key, err)
	}
	return next, nil
}

// mend writes over whatever the server has under that key, which may be an
// older version, something damaged or nothing.
func (c *control) mend(ctx context.Context, key string, data []byte) (uint64, error) {
	if err := store.CheckKey(key); err != nil {
		return 0, err
	}
	m := nc.NewMsg(controlSubject + key)
	m.Data = store.Seal(key, data)
	if c.store.cfg.shared() {
		v, _, err := c.last(ctx, key)
		if err != nil && !errors.Is(err, messages.ErrDamaged) && !isNotFound(err) {
			return 0, err
		}
		expect(m, v.Revision) // another node may mend it at once
	}
	if !c.store.records.isClosed(key) {
		return 0, fmt.Errorf("%w: it is not damaged", messages.ErrConflict)
	}
	ack, err := c.store.publish(ctx, m, small)
	if err != nil {
		c.store.uncertain(key, err)
		return 0, err
	}
	c.store.noted(key, ack.Sequence)
	c.store.reopened(key)
	return ack.Sequence, nil
}

// reopened is told of a record that is whole.
func (s *Store) reopened(key string) {
	if !s.records.isClosed(key) {
		return
	}
	s.records.reopen(key)
	lost := s.recordLost(key)
	s.reports.drop(func(d store.Damage) bool { return d == lost })
	s.cfg.Logger.Warn("a damaged record was written again", "record", key)
}

func (c *control) Delete(ctx context.Context, key string, revision uint64) error {
	v, deleted, err := c.last(ctx, key)
	switch {
	case err != nil:
	case deleted:
		err = messages.ErrNotFound
	case v.Revision != revision:
		// Asked before: the condition below would let revision 0 pass as "none".
		err = messages.ErrConflict
	default:
		var ack acknowledged
		if ack, err = c.store.publish(ctx, c.deletion(key, revision), small); err != nil {
			c.store.uncertain(key, err)
		} else {
			c.store.notedDeleted(key, ack.Sequence)
		}
	}
	if err != nil {
		return fmt.Errorf("delete %s at revision %d: %w", key, revision, err)
	}
	return nil
}

func (c *control) deletion(key string, revision uint64) *nc.Msg {
	m := nc.NewMsg(controlSubject + key)
	m.Header.Set(operationHeader, operationPurge)
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Header.Set(jetstream.MsgTTLHeader, strconv.Itoa(max(1, int(c.deletedFor.Seconds()))))
	expect(m, revision)
	return m
}

// purge deletes on a session that is being opened.
func (c *control) purge(ctx context.Context, sess *session, key string, revision uint64) error {
	answer, err := sess.publish(ctx, c.deletion(key, revision))
	if err == nil {
		_, err = readAck(answer)
	}
	return err
}

// noted is told of a write that was acknowledged. Of records that others write
// too there are no notes: the replicas are what a loss is told by.
func (s *Store) noted(key string, sequence uint64) {
	if s.cfg.shared() {
		s.changes.look()
		return
	}
	s.marks.advanceLater(markControl, sequence)
	s.records.wrote(key)
	s.controlList.note(s.cfg.Now().Unix(), noted{key, sequence, false})
}

// notedDeleted is told of a deletion, its own or one whose answer was lost.
func (s *Store) notedDeleted(key string, sequence uint64) {
	if s.cfg.shared() {
		s.changes.look()
		return
	}
	s.marks.advanceLater(markControl, sequence)
	if s.records.must(key) {
		s.records.deleted(key)
		s.controlList.note(s.cfg.Now().Unix(), noted{key, sequence, true})
	}
}

// unseal is the data of a record. Those of a stream from before records were
// sealed may be without.
func (s *Store) unseal(stream, name string, b []byte) ([]byte, error) {
	if !store.Sealed(b) && !s.sealed[stream] {
		return b, nil
	}
	return store.Unseal(name, b)
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

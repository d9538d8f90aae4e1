package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// checkedMost is up to how many records a list is held against the names that
// the server has. A longer one is of a start, right after the files were read.
const checkedMost = 4096

func (c *control) List(ctx context.Context, prefix string) ([]messages.KeptRecord, error) {
	values, err := c.list(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefix, err)
	}
	return values, nil
}

// list is what is there under prefix and what is damaged of it, by key. The
// server tells its client how many records to expect and steps over those that
// it cannot read, so that the client would wait for them for ever: where it
// comes no further, what is missing is read record by record.
func (c *control) list(ctx context.Context, prefix string) ([]messages.KeptRecord, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	sess, err := c.store.session(ctx)
	if err != nil {
		return nil, err
	}
	found, whole, err := c.gather(ctx, sess, prefix)
	if err != nil {
		return nil, err
	}
	if !whole || len(found) <= checkedMost {
		if err := c.complete(ctx, sess, prefix, found); err != nil {
			return nil, err
		}
	}
	values := make([]messages.KeptRecord, 0, len(found))
	for key, v := range found {
		if !c.store.records.isClosed(key) {
			values = append(values, v)
		}
	}
	for _, key := range c.store.records.closedUnder(prefix) {
		values = append(values, messages.KeptRecord{Key: key, Damaged: true})
	}
	slices.SortFunc(values, func(a, b messages.KeptRecord) int { return strings.Compare(a.Key, b.Key) })
	return values, nil
}

// gather reads what the server pushes; whole says whether it was all.
func (c *control) gather(ctx context.Context, sess *session, prefix string) (found map[string]messages.KeptRecord, whole bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates, end, err := c.updates(ctx, sess, prefix)
	if err != nil {
		return nil, false, err
	}
	defer end()
	found = map[string]messages.KeptRecord{}
	stall := time.NewTimer(c.stalled)
	defer stall.Stop()
	for {
		select {
		case entry, open := <-updates:
			if !open {
				return nil, false, errLost
			}
			if entry == nil {
				return found, true, nil
			}
			stall.Reset(c.stalled)
			if v, deleted, ok := c.value(entry); ok && !deleted && found[v.Key].Revision < v.Revision {
				found[v.Key] = v
			} else if ok && deleted {
				delete(found, v.Key)
			}
		case <-stall.C:
			return found, false, nil
		case <-sess.done:
			return nil, false, errStopped
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

// complete reads by itself what the server has under prefix and did not push.
func (c *control) complete(ctx context.Context, sess *session, prefix string, found map[string]messages.KeptRecord) error {
	names, err := sess.names(ctx, controlStream, controlSubject+prefix+">")
	if err != nil {
		return err
	}
	for subject := range names {
		key := strings.TrimPrefix(subject, controlSubject)
		if _, ok := found[key]; ok || !strings.HasPrefix(key, prefix) {
			continue
		}
		v, err := c.Get(ctx, key)
		switch {
		case err == nil:
			found[key] = v
		case errors.Is(err, messages.ErrDamaged), isNotFound(err): // it is closed now, or was deleted
		default:
			return err
		}
	}
	return nil
}

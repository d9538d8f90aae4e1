package nats

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// maxWaiting is how many changes may wait for one watcher. One for which
// more would wait is ended, and watches again: nothing that it was not told of may
// be kept from it in silence.
const maxWaiting = 65_536

func (c *control) Watch(ctx context.Context, prefix string) (<-chan store.Change, error) {
	changes, err := c.watch(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", prefix, err)
	}
	return changes, nil
}

// watch lists what there is, and follows what changes since before the list was
// taken: what is in both is told once.
func (c *control) watch(ctx context.Context, prefix string) (<-chan store.Change, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	sess, err := c.store.session(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	updates, from, end, err := c.follow(ctx, sess, prefix)
	if err != nil {
		cancel()
		return nil, err
	}
	values, err := c.list(ctx, []string{prefix})
	if err != nil {
		end()
		cancel()
		return nil, err
	}
	w := &watch{
		control: c, updates: updates, from: from, out: make(chan store.Change), stopped: sess.done, maxWaiting: c.maxWaiting, told: map[string]uint64{},
	}
	for _, v := range values {
		w.waiting = append(w.waiting, store.Change{KeptRecord: v})
		if v.Revision > from {
			w.told[v.Key] = v.Revision
		}
	}
	w.waiting = append(w.waiting, store.Change{Synced: true})
	w.maxWaiting += len(w.waiting)
	go func() {
		defer cancel()
		defer end()
		w.run(ctx)
	}()
	return w.out, nil
}

// follow gives what changes under the prefix after the revision from.
func (c *control) follow(ctx context.Context, sess *session, prefix string) (updates <-chan jetstream.KeyValueEntry, from uint64, end func(), err error) {
	if sess.shared {
		updates, end = c.store.changes.join(prefix)
		// It may tell of what came before too, where the nearest replica is behind.
		last, err := sess.leaders(ctx, controlStream, lastOf(controlSubject+prefix+">"))
		if err == nil {
			return updates, last.Sequence, end, nil
		}
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return updates, 0, end, nil
		}
		end()
		return nil, 0, nil, c.store.unread(err)
	}
	info, err := sess.info(ctx, controlStream)
	if err != nil {
		return nil, 0, nil, c.store.unread(err)
	}
	from = info.State.LastSeq
	updates, end, err = c.updates(ctx, sess, []string{prefix}, jetstream.ResumeFromRevision(from+1))
	return updates, from, end, err
}

// updates has the server push what it has under the prefixes and what changes.
// end lets go of it.
func (c *control) updates(ctx context.Context, sess *session, prefixes []string, opts ...jetstream.WatchOpt) (<-chan jetstream.KeyValueEntry, func(), error) {
	l, err := sess.link(watches)
	if err != nil {
		return nil, nil, err
	}
	bucket, err := l.bucket(ctx)
	if err != nil {
		return nil, nil, c.store.unread(err)
	}
	filters := make([]string, len(prefixes))
	for i, prefix := range prefixes {
		filters[i] = prefix + ">"
	}
	watcher, err := bucket.WatchFiltered(ctx, filters, opts...)
	if err != nil {
		return nil, nil, c.store.unread(err)
	}
	return watcher.Updates(), func() {
		_ = watcher.Stop() // fails where the connection is gone, and it with that
		drain(watcher.Updates(), l.conn.IsClosed)
	}, nil
}

// drain reads a watcher's channel to its end: the client's own goroutine may wait
// at a full channel, and ends once it has got rid of what it holds. A connection
// that closed while the watcher was being made leaves the channel open for ever;
// then nobody writes to it.
func drain(updates <-chan jetstream.KeyValueEntry, closed func() bool) {
	look := time.NewTicker(drainLook)
	defer look.Stop()
	gone := false
	for {
		select {
		case _, open := <-updates:
			if !open {
				return
			}
			gone = false
		case <-look.C:
			if gone {
				return
			}
			gone = closed()
		}
	}
}

const drainLook = 500 * time.Millisecond

// value is what an update says. ok is false for a record that is damaged, which
// is closed by that.
func (c *control) value(entry jetstream.KeyValueEntry) (v messages.KeptRecord, deleted, ok bool) {
	v = messages.KeptRecord{Key: entry.Key(), Revision: entry.Revision()}
	if entry.Operation() != jetstream.KeyValuePut {
		return v, true, true
	}
	data, err := c.store.unseal(controlStream, v.Key, entry.Value())
	if err != nil {
		c.store.quarantine(v.Key)
		return v, false, false
	}
	v.Data = data
	if c.store.cfg.shared() {
		c.store.reopened(v.Key)
	}
	return v, false, true
}

// watch carries one watcher's changes. Its goroutine ends with the watcher's
// context, with the session, or where too much waits for the watcher.
type watch struct {
	control    *control
	updates    <-chan jetstream.KeyValueEntry
	from       uint64 // nothing up to it is a change
	out        chan store.Change
	stopped    <-chan struct{}
	waiting    []store.Change
	maxWaiting int               // how many may wait
	told       map[string]uint64 // revisions in the list that came after it was begun
}

func (w *watch) run(ctx context.Context) {
	defer close(w.out)
	for {
		out, first := w.out, store.Change{}
		if len(w.waiting) == 0 {
			out = nil
		} else {
			first = w.waiting[0]
		}
		select {
		case entry, open := <-w.updates:
			if !open {
				return
			}
			if entry != nil { // nil: what there was has come; there is a list for that
				w.take(entry)
			}
			if len(w.waiting) > w.maxWaiting {
				return
			}
		case out <- first:
			w.waiting[0] = store.Change{}
			w.waiting = w.waiting[1:]
		case <-w.stopped:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take queues one change.
func (w *watch) take(entry jetstream.KeyValueEntry) {
	v, deleted, ok := w.control.value(entry)
	if !ok || v.Revision <= w.from || v.Revision <= w.told[v.Key] {
		return
	}
	w.waiting = append(w.waiting, store.Change{KeptRecord: v, Deleted: deleted})
}

package nats

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
)

// Bounds of what waits for one watcher. Before Synced the server is made to
// wait; after it, one that falls behind by more than maxBehind is ended, and
// watches anew: nothing that it was not told of may be kept from it in silence.
const (
	maxUnsynced = 1024
	maxBehind   = 65_536
)

func (c *control) Watch(ctx context.Context, prefix string) (<-chan store.Change, error) {
	changes, err := c.watch(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("watch %q: %w", prefix, err)
	}
	return changes, nil
}

func (c *control) watch(ctx context.Context, prefix string) (<-chan store.Change, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	sess, err := c.store.session(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	updates, err := sess.control.Watch(ctx, prefix+">")
	if err != nil {
		cancel()
		return nil, c.store.unread(err)
	}
	w := &watch{updates: updates, out: make(chan store.Change), session: sess.done, behind: c.behind}
	go func() {
		defer cancel()
		w.run(ctx)
	}()
	return w.out, nil
}

// watch carries one watcher's changes. Its goroutine ends with the watcher's
// context, with the session, or where the watcher is too far behind.
type watch struct {
	updates jetstream.KeyWatcher
	out     chan store.Change
	session <-chan struct{}
	waiting []store.Change // bounds above
	behind  int            // the second of them
	synced  bool
}

func (w *watch) run(ctx context.Context) {
	defer close(w.out)
	defer w.release()
	for {
		in, out, first := w.updates.Updates(), w.out, store.Change{}
		if len(w.waiting) == 0 {
			out = nil
		} else {
			first = w.waiting[0]
		}
		if !w.synced && len(w.waiting) >= maxUnsynced {
			in = nil
		}
		select {
		case entry, open := <-in:
			if !open {
				return
			}
			w.take(entry)
			if w.synced && len(w.waiting) > w.behind {
				return
			}
		case out <- first:
			w.waiting[0] = store.Change{}
			w.waiting = w.waiting[1:]
		case <-w.session:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take queues one update; nil from the client is the end of what stood.
func (w *watch) take(entry jetstream.KeyValueEntry) {
	switch {
	case entry == nil:
		w.synced = true
		w.waiting = append(w.waiting, store.Change{Synced: true})
	case entry.Operation() == jetstream.KeyValuePut:
		w.waiting = append(w.waiting, store.Change{Value: store.Value{
			Key: entry.Key(), Data: entry.Value(), Revision: entry.Revision(),
		}})
	case w.synced:
		w.waiting = append(w.waiting, store.Change{Deleted: true, Value: store.Value{
			Key: entry.Key(), Revision: entry.Revision(),
		}})
	}
}

// release lets the client's own goroutine go: it may stand in front of a full
// channel, and ends once it has got rid of what it holds.
func (w *watch) release() {
	_ = w.updates.Stop() // fails where the connection is gone, and it with that
	for range w.updates.Updates() {
	}
}

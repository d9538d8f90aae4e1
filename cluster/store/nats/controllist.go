package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// checkedMost is up to how many records a list is held against the names that
// the server has. A longer one is of a start, right after the files were read.
const checkedMost = 4096

func (c *control) List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error) {
	values, err := c.list(ctx, prefixes)
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", prefixes, err)
	}
	return values, nil
}

// list is what is there under the prefixes and what is damaged of it, by key. The
// server tells its client how many records to expect and steps over those that
// it cannot read, so that the client would wait for them for ever: where it
// comes no further, what is missing is read record by record.
func (c *control) list(ctx context.Context, prefixes []string) ([]messages.KeptRecord, error) {
	if err := store.CheckPrefixes(prefixes); err != nil || len(prefixes) == 0 {
		return nil, err
	}
	sess, err := c.store.session(ctx)
	if err != nil {
		return nil, err
	}
	found, whole := map[string]messages.KeptRecord{}, true
	if sess.shared {
		err = c.scan(ctx, sess, prefixes, found)
	} else {
		found, whole, err = c.gather(ctx, sess, prefixes)
	}
	if err != nil {
		return nil, err
	}
	if !sess.shared && (!whole || len(found) <= checkedMost) {
		if err := c.complete(ctx, sess, prefixes, found); err != nil {
			return nil, err
		}
	}
	values := make([]messages.KeptRecord, 0, len(found))
	for key, v := range found {
		if !c.store.records.isClosed(key) {
			values = append(values, v)
		}
	}
	for _, prefix := range prefixes {
		for _, key := range c.store.records.closedUnder(prefix) {
			values = append(values, messages.KeptRecord{Key: key, Damaged: true})
		}
	}
	slices.SortFunc(values, func(a, b messages.KeptRecord) int { return strings.Compare(a.Key, b.Key) })
	return values, nil
}

// scan reads all that is under the prefixes, up to the last that the leader has
// now, from the nearest replica. A record that is written over while more than one
// answer is read moves behind that last one, and would be missing: so what was
// written meanwhile is read, too, until it was nothing or came in one answer that has
// all that there was then.
func (c *control) scan(ctx context.Context, sess *session, prefixes []string, found map[string]messages.KeptRecord) error {
	filter := controlSubject + covering(prefixes) + ">"
	take := func(m *nc.Msg) error {
		entry, err := readEntry(m)
		if err != nil || !store.Under(prefixes, entry.key) {
			return err
		}
		switch v, deleted, ok := c.value(entry); {
		case ok && deleted:
			delete(found, v.Key)
		case ok:
			found[v.Key] = v
		}
		return nil
	}
	for from := uint64(1); ; {
		last, err := sess.leaders(ctx, controlStream, lastOf(filter))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return c.store.unread(err)
		}
		if last.Sequence < from {
			// The replica may have applied what its leader has not: what it has moved is
			// behind that, too. Where it is silent the leader's word has to do.
			rest := reader{sess: sess, duty: lookups, stream: controlStream, filter: filter, next: from}
			if err := rest.nearest(ctx, take); err != nil && !passing(err) {
				return err
			}
			if !rest.cut {
				return nil
			}
			from = rest.next
			continue
		}
		if once, err := sess.scan(ctx, controlStream, filter, from, last.Sequence, take); once || err != nil {
			return err
		}
		from = last.Sequence + 1
	}
}

// gather reads what the server pushes; whole says whether it was all.
func (c *control) gather(ctx context.Context, sess *session, prefixes []string) (found map[string]messages.KeptRecord, whole bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	updates, end, err := c.updates(ctx, sess, prefixes)
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

// complete reads by itself what the server has under the prefixes and did not
// push.
func (c *control) complete(ctx context.Context, sess *session, prefixes []string, found map[string]messages.KeptRecord) error {
	names, err := sess.names(ctx, controlStream, controlSubject+covering(prefixes)+">")
	if err != nil {
		return err
	}
	for subject := range names {
		key := strings.TrimPrefix(subject, controlSubject)
		if _, ok := found[key]; ok || !store.Under(prefixes, key) {
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

// covering begins a subject that holds all that is under the prefixes, and may
// hold more: they are asked for at once, and the server takes one subject. Those
// of one key have its shard and its id in the same places.
func covering(prefixes []string) string {
	tokens := strings.Split(prefixes[0], ".")
	for _, prefix := range prefixes[1:] {
		other := strings.Split(prefix, ".")
		tokens = tokens[:min(len(tokens), len(other))]
		for i := range tokens {
			if tokens[i] != other[i] {
				tokens[i] = "*"
			}
		}
	}
	tokens[len(tokens)-1] = "" // after the last dot there is nothing, or what the shortest does not have
	return strings.Join(tokens, ".")
}

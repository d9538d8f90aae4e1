package nats

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// items keeps one message an article. Written one by one, each would cost a
// sync of its own; an atomic batch costs a handful for hundreds.
type items struct {
	store *Store
	// batches bounds the atomic batches on their way: the server takes fifty a
	// stream, and more than a few at once gain nothing. More wait.
	batches chan struct{}
}

// Bounds of one batch; the server's own is 1,000 messages.
const (
	batchItems      = 256
	batchBytes      = 4 << 20
	batchesInFlight = 4
	// batchWorth is from how many on a batch is the faster way. It is staged on
	// disk first, which costs as much as 20 single writes where a sync takes
	// 0.2 ms, and as much as 5 where it takes 10 ms.
	batchWorth = 12
	// maxItem is what one item may have, in bytes.
	maxItem = store.MaxFrameBytes
)

func newItems(s *Store) *items {
	return &items{store: s, batches: make(chan struct{}, batchesInFlight)}
}

func itemSubject(identity string) string {
	sum := sha256.Sum256([]byte(identity))
	return itemsSubject + hex.EncodeToString(sum[:])
}

func (t *items) Get(ctx context.Context, identities []string) ([]store.ItemState, error) {
	states := make([]store.ItemState, len(identities))
	for from := 0; from < len(identities); from += batchItems {
		to := min(from+batchItems, len(identities))
		if err := t.get(ctx, identities[from:to], states[from:to]); err != nil {
			return nil, fmt.Errorf("get %d items: %w", len(identities), err)
		}
	}
	return states, nil
}

// get reads one batch of articles in one exchange; those that are not there
// are not in the answer.
func (t *items) get(ctx context.Context, identities []string, states []store.ItemState) error {
	sess, err := t.store.session(ctx)
	if err != nil {
		return err
	}
	places := make(map[string][]int, len(identities))
	var subjects []string
	for i, identity := range identities {
		subject := itemSubject(identity)
		if _, ok := places[subject]; !ok {
			subjects = append(subjects, subject)
		}
		places[subject] = append(places[subject], i)
	}
	if sess.shared {
		return t.ofLeader(ctx, sess, subjects, places, identities, states)
	}
	request, err := json.Marshal(struct {
		Last []string `json:"multi_last"`
	}{subjects})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	err = sess.collect(ctx, directGet+itemsStream, request, batchBytes, func(m *nc.Msg) error {
		revision, err := sequenceOf(m)
		if err != nil {
			return err
		}
		for _, i := range places[m.Header.Get(jetstream.SubjectHeader)] {
			item := new(messages.Item)
			data, err := t.store.unseal(itemsStream, itemSubject(identities[i]), m.Data)
			if err == nil {
				err = proto.Unmarshal(data, item)
			}
			if err != nil {
				return fmt.Errorf("%w: %w", messages.ErrDamaged, err)
			}
			states[i] = store.ItemState{Item: item, Revision: revision}
		}
		return nil
	})
	if errors.Is(err, messages.ErrDamaged) {
		return t.without(ctx, sess, identities, states)
	}
	return err
}

// ofLeader reads articles of the stream's leader. A state that is behind would
// have an article pass for a new one.
func (t *items) ofLeader(ctx context.Context, sess *session, subjects []string, places map[string][]int, identities []string, states []store.ItemState) error {
	found, err := sess.leadersMany(ctx, itemsStream, subjects)
	if err != nil {
		return t.store.unread(err)
	}
	for n, m := range found {
		if m == nil {
			continue
		}
		item := new(messages.Item)
		data, err := t.store.unseal(itemsStream, subjects[n], m.Data)
		if err != nil || proto.Unmarshal(data, item) != nil {
			return t.without(ctx, sess, identities, states)
		}
		for _, i := range places[subjects[n]] {
			states[i] = store.ItemState{Item: item, Revision: m.Sequence}
		}
	}
	return nil
}

// without reads articles of which some are damaged one by one. A damaged state
// is forgotten: its article counts as never seen, and comes from its source
// again.
func (t *items) without(ctx context.Context, sess *session, identities []string, states []store.ItemState) error {
	for i, identity := range identities {
		subject := itemSubject(identity)
		states[i] = store.ItemState{}
		m, err := sess.message(ctx, itemsStream, lastOf(subject))
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
		if err == nil {
			item := new(messages.Item)
			data, unsealErr := t.store.unseal(itemsStream, subject, m.Data)
			if unsealErr == nil && proto.Unmarshal(data, item) == nil {
				states[i] = store.ItemState{Item: item, Revision: m.Sequence}
				continue
			}
		}
		if err := t.forget(ctx, sess, subject); err != nil {
			return err
		}
	}
	return nil
}

// forget takes away what the server has under the subject and cannot read.
func (t *items) forget(ctx context.Context, sess *session, subject string) error {
	has, err := sess.names(ctx, itemsStream, subject)
	if err != nil || !has[subject] {
		return err
	}
	handle, err := sess.handle(ctx, itemsStream)
	if err != nil {
		return err
	}
	info, err := sess.info(ctx, itemsStream)
	if err != nil {
		return err
	}
	if err := handle.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
		return err
	}
	name, _ := recordName(itemsStream, subject)
	t.store.itemsList.note(t.store.cfg.Now().Unix(), noted{name, info.State.LastSeq, true})
	t.store.forgotten(itemsStream, []string{name})
	return nil
}

func (t *items) CAS(ctx context.Context, all []*messages.Item, revisions []uint64) ([]error, error) {
	if len(all) != len(revisions) {
		return nil, fmt.Errorf("write items: %d items, %d revisions", len(all), len(revisions))
	}
	each := make([]error, len(all))
	chosen, err := t.encode(all, revisions, each)
	if err != nil {
		return nil, err
	}
	known := 0
	for len(chosen) > 0 {
		n, bytes := 0, 0
		for n < len(chosen) && n < batchItems && (n == 0 || bytes+len(chosen[n].m.Data) <= batchBytes) {
			bytes += len(chosen[n].m.Data)
			n++
		}
		if err := t.write(ctx, chosen[:n], each); err != nil {
			if known == 0 {
				return nil, fmt.Errorf("write %d items: %w", len(all), err)
			}
			for _, w := range chosen {
				each[w.place] = err // what was written before stays
			}
			return each, nil
		}
		known += n
		chosen = chosen[n:]
	}
	return each, nil
}

// itemWrite is one item on its way, and its place in the caller's slices.
type itemWrite struct {
	m     *nc.Msg
	place int
}

// encode makes the messages, each conditional on its revision. An article named
// twice is written once: its second revision cannot be the stored one.
func (t *items) encode(all []*messages.Item, revisions []uint64, each []error) ([]itemWrite, error) {
	chosen := make([]itemWrite, 0, len(all))
	seen := make(map[string]bool, len(all))
	for i, item := range all {
		subject := itemSubject(item.GetIdentity())
		if seen[subject] {
			each[i] = fmt.Errorf("item %q twice in one write: %w", item.GetIdentity(), messages.ErrConflict)
			continue
		}
		seen[subject] = true
		data, err := proto.Marshal(item)
		if err != nil {
			return nil, fmt.Errorf("write item %q: %w", item.GetIdentity(), err)
		}
		data = store.Seal(subject, data)
		if len(data) > maxItem {
			each[i] = fmt.Errorf("write item %q: %d bytes, at most %d", item.GetIdentity(), len(data), maxItem)
			continue
		}
		m := nc.NewMsg(subject)
		m.Data = data
		expect(m, revisions[i])
		chosen = append(chosen, itemWrite{m, i})
	}
	return chosen, nil
}

// write writes one batch: a large one all at once where every revision is the stored one,
// which is nearly always; else one by one, to learn which did not. The error is
// of the batch where nothing is known of any.
func (t *items) write(ctx context.Context, batch []itemWrite, each []error) error {
	select {
	case t.batches <- struct{}{}:
		defer func() { <-t.batches }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := t.store.disk.room(large); err != nil {
		return err
	}
	if t.store.replaced.Load() {
		return errReplaced
	}
	if len(batch) >= batchWorth {
		err := t.atomic(ctx, batch)
		if err == nil || !errors.Is(err, messages.ErrConflict) {
			return err
		}
	}
	return t.oneByOne(ctx, batch, each)
}

// Headers of an atomic batch.
const (
	batchIDHeader       = "Nats-Batch-Id"
	batchSequenceHeader = "Nats-Batch-Sequence"
	batchCommitHeader   = "Nats-Batch-Commit"
)

// atomic writes all or nothing. Only the last message is answered.
func (t *items) atomic(ctx context.Context, batch []itemWrite) error {
	sess, err := t.store.session(ctx)
	if err != nil {
		return err
	}
	l, err := sess.link(writes)
	if err != nil {
		return err
	}
	id := nuid.Next()
	last := len(batch) - 1
	for i, w := range batch {
		w.m.Header.Set(batchIDHeader, id)
		w.m.Header.Set(batchSequenceHeader, strconv.Itoa(i+1))
		if i < last {
			if err := l.conn.PublishMsg(w.m); err != nil {
				return t.store.unanswered(err)
			}
		}
	}
	batch[last].m.Header.Set(batchCommitHeader, "1")
	ack, err := t.store.publish(ctx, batch[last].m, large)
	if err != nil {
		return err
	}
	written := make([]noted, len(batch))
	for i, w := range batch { // they follow each other in the stream
		written[i] = itemNoted(w.m, ack.Sequence-uint64(last-i))
	}
	t.store.itemsList.note(t.store.cfg.Now().Unix(), written...)
	return nil
}

func itemNoted(m *nc.Msg, sequence uint64) noted {
	name, _ := recordName(itemsStream, m.Subject)
	return noted{name, sequence, false}
}

// oneByOne writes each by itself, all on their way at once.
func (t *items) oneByOne(ctx context.Context, batch []itemWrite, each []error) error {
	sess, err := t.store.session(ctx)
	if err != nil {
		return err
	}
	l, err := sess.link(writes)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	asked := make([]*answer, len(batch))
	for i, w := range batch {
		for _, header := range []string{batchIDHeader, batchSequenceHeader, batchCommitHeader} {
			w.m.Header.Del(header)
		}
		if asked[i], each[w.place] = l.request(ctx, w.m); each[w.place] != nil {
			each[w.place] = fmt.Errorf("write item: %w", t.store.unanswered(each[w.place]))
		}
	}
	written := make([]noted, 0, len(batch))
	for i, w := range batch {
		if asked[i] == nil {
			continue
		}
		answer, err := asked[i].word(ctx, sess.done)
		if err != nil {
			each[w.place] = fmt.Errorf("write item: %w", t.store.unanswered(err))
			continue
		}
		t.store.health.went(writes)
		ack, err := readAck(answer)
		if err != nil {
			each[w.place] = fmt.Errorf("write item: %w", err)
			continue
		}
		written = append(written, itemNoted(w.m, ack.Sequence))
	}
	t.store.itemsList.note(t.store.cfg.Now().Unix(), written...)
	return nil
}

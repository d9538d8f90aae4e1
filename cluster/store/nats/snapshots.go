package nats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	nc "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// snapshots keeps, for every id, the last two whole uploads: chunks under a
// subject of the upload's own, and a head that names them, written after the
// last chunk was acknowledged. So a torn upload has no head, and one whose
// chunks were damaged later leaves the one before it.
//
// The client library's object store was rejected: it sends the head together
// with the chunks, gives a read of any size five seconds, and waits out a
// deadline where all chunks are gone.
type snapshots struct{ store *Store }

const (
	headSubject   = "snapshots.head."  // + id . slot
	chunkSubject  = "snapshots.chunk." // + id . upload
	snapshotSlots = 2
	chunkBytes    = 256 << 10
)

// head says what one slot holds.
type head struct {
	Epoch    string            `json:"epoch"` // positions of another one mean nothing
	Position messages.Position `json:"position"`
	Upload   string            `json:"upload"`
	Chunks   int               `json:"chunks"`
	Sum      []byte            `json:"sha256"`
}

func (t *snapshots) Put(ctx context.Context, id string, at messages.Position, r io.Reader) error {
	if err := t.put(ctx, id, at, r); err != nil {
		return fmt.Errorf("put snapshot %q at %d: %w", id, at, err)
	}
	return nil
}

func (t *snapshots) put(ctx context.Context, id string, at messages.Position, r io.Reader) error {
	heads, err := t.heads(ctx, id)
	if err != nil {
		return err
	}
	slot := t.oldest(heads)
	h, err := t.upload(ctx, id, r)
	if err != nil {
		return err
	}
	h.Epoch, h.Position = t.store.epoch, at
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	m := nc.NewMsg(fmt.Sprintf("%s%s.%d", headSubject, token(id), slot))
	m.Data = store.Seal(m.Subject, data)
	ack, err := t.store.publish(ctx, m, large)
	if err != nil {
		return err
	}
	name, _ := recordName(snapshotStream, m.Subject)
	t.store.snapshotsList.note(t.store.cfg.Now().Unix(), noted{name, ack.Sequence, false})
	heads[slot] = h
	if err := t.sweep(ctx, id, heads); err != nil {
		// It is stored; what is left over takes space until the next one.
		t.store.cfg.Logger.Warn("chunks of older snapshots could not be deleted", "id", id, "error", err)
	}
	return nil
}

// oldest is the slot to write over: an empty one, one of an older epoch, or the
// one with the lower position.
func (t *snapshots) oldest(heads [snapshotSlots]head) int {
	rank := func(h head) messages.Position {
		if h.Epoch != t.store.epoch {
			return 0
		}
		return h.Position + 1
	}
	if rank(heads[0]) <= rank(heads[1]) {
		return 0
	}
	return 1
}

// upload writes the chunks and returns the head that names them.
func (t *snapshots) upload(ctx context.Context, id string, r io.Reader) (head, error) {
	h := head{Upload: nuid.Next()}
	sum := sha256.New()
	subject := chunkSubject + token(id) + "." + h.Upload
	for {
		chunk := make([]byte, chunkBytes)
		n, err := io.ReadFull(r, chunk)
		if n > 0 {
			m := nc.NewMsg(subject)
			m.Data = chunk[:n]
			if _, err := t.store.publish(ctx, m, large); err != nil {
				return h, err
			}
			sum.Write(chunk[:n])
			h.Chunks++
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			h.Sum = sum.Sum(nil)
			return h, nil
		}
		if err != nil {
			return h, fmt.Errorf("read what is to be stored: %w", err)
		}
	}
}

// sweep takes away the chunks that no head names: of the slot written over, and
// of uploads that were torn.
func (t *snapshots) sweep(ctx context.Context, id string, heads [snapshotSlots]head) error {
	sess, err := t.store.session(ctx)
	if err != nil {
		return err
	}
	prefix := chunkSubject + token(id) + "."
	uploads, err := sess.names(ctx, snapshotStream, prefix+"*")
	if err != nil {
		return t.store.unread(err)
	}
	handle, err := sess.handle(ctx, snapshotStream)
	if err != nil {
		return err
	}
	for subject := range uploads {
		named := func(h head) bool { return prefix+h.Upload == subject }
		if slices.ContainsFunc(heads[:], named) {
			continue
		}
		if err := handle.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return t.store.unread(err)
		}
	}
	return nil
}

func (t *snapshots) heads(ctx context.Context, id string) (heads [snapshotSlots]head, err error) {
	sess, err := t.store.session(ctx)
	if err != nil {
		return heads, err
	}
	for slot := range heads {
		subject := fmt.Sprintf("%s%s.%d", headSubject, token(id), slot)
		m, err := sess.message(ctx, snapshotStream, lastOf(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return heads, t.store.unread(err)
		}
		data, err := t.store.unseal(snapshotStream, subject, m.Data)
		if err == nil {
			err = json.Unmarshal(data, &heads[slot])
		}
		if err != nil {
			heads[slot] = head{} // counts as empty, and is written over next
			t.store.damagedSnapshot(id, "the head in slot "+strconv.Itoa(slot))
		}
	}
	return heads, nil
}

func (t *snapshots) Latest(ctx context.Context, id string) (messages.Position, io.ReadCloser, error) {
	heads, err := t.heads(ctx, id)
	if err != nil {
		return 0, nil, fmt.Errorf("latest snapshot of %q: %w", id, err)
	}
	found := slices.DeleteFunc(heads[:], func(h head) bool { return h.Epoch != t.store.epoch })
	slices.SortFunc(found, func(a, b head) int { return -int(min(1, max(-1, int64(a.Position)-int64(b.Position)))) })
	for _, h := range found {
		// Read twice: whoever gets it must be able to trust its first byte.
		sum := sha256.New()
		_, err := io.Copy(sum, t.open(ctx, id, h))
		if err == nil && bytes.Equal(sum.Sum(nil), h.Sum) {
			return h.Position, t.open(t.store.life, id, h), nil
		}
		if err != nil && !errors.Is(err, messages.ErrDamaged) {
			return 0, nil, fmt.Errorf("latest snapshot of %q: %w", id, err)
		}
		t.store.damagedSnapshot(id, fmt.Sprintf("the one at position %d", h.Position))
	}
	return 0, nil, fmt.Errorf("latest snapshot of %q: %w", id, messages.ErrNotFound)
}

func (t *snapshots) open(ctx context.Context, id string, h head) *snapshotReader {
	return &snapshotReader{ctx: ctx, store: t.store, subject: chunkSubject + token(id) + "." + h.Upload, left: h.Chunks, next: 1}
}

// snapshotReader reads an upload's chunks, a few in one exchange.
type snapshotReader struct {
	ctx     context.Context // the store's own: a reader outlives the call that made it
	store   *Store
	subject string
	next    uint64 // sequence to go on from
	left    int    // chunks not yet received
	got     [][]byte
}

const chunksAtOnce = 4

func (r *snapshotReader) Read(p []byte) (int, error) {
	for len(r.got) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.fetch(); err != nil {
			return 0, fmt.Errorf("read snapshot: %w", err)
		}
	}
	n := copy(p, r.got[0])
	if r.got[0] = r.got[0][n:]; len(r.got[0]) == 0 {
		r.got = r.got[1:]
	}
	return n, nil
}

func (r *snapshotReader) fetch() error {
	sess, err := r.store.session(r.ctx)
	if err != nil {
		return err
	}
	if sess.shared {
		return r.fetchShared(sess)
	}
	ctx, cancel := context.WithTimeout(r.ctx, opTimeout)
	defer cancel()
	request := fmt.Appendf(nil, `{"seq":%d,"next_by_subj":%q,"batch":%d}`, r.next, r.subject, min(chunksAtOnce, r.left))
	before := r.left
	err = sess.collect(ctx, directGet+snapshotStream, request, chunksAtOnce*chunkBytes, func(m *nc.Msg) error {
		sequence, err := sequenceOf(m)
		r.got, r.next, r.left = append(r.got, m.Data), sequence+1, r.left-1
		return err
	})
	if err == nil && r.left == before {
		return fmt.Errorf("%w: %s of it missing", messages.ErrDamaged, count(r.left, "chunk"))
	}
	return err
}

// fetchShared reads on, of the nearest replica where it has it.
func (r *snapshotReader) fetchShared(sess *session) error {
	from := reader{sess: sess, duty: lookups, stream: snapshotStream, filter: r.subject, next: r.next}
	before := r.left
	err := from.fill(r.ctx, math.MaxUint64-1, func(m *nc.Msg) error {
		if r.left > 0 {
			r.got, r.left = append(r.got, m.Data), r.left-1
		}
		return nil
	})
	r.next = from.next
	if err == nil && r.left == before {
		return fmt.Errorf("%w: %s of it missing", messages.ErrDamaged, count(r.left, "chunk"))
	}
	return err
}

func (r *snapshotReader) Close() error {
	r.got, r.left = nil, 0
	return nil
}

func (s *Store) damagedSnapshot(id, which string) {
	s.report(store.Damage{Stream: snapshotStream, Lost: "of the snapshots of " + id + " " + which, Advice: "an older one is used, or what it held is computed from the log: nothing need be done"})
}

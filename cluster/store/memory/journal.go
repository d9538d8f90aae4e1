package memory

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strconv"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

type journal struct{ *Store }

func (j journal) Append(ctx context.Context, frame *messages.Frame) (uint64, error) {
	// Encoded for its bounds alone; a frame is never changed, so it is kept as
	// it is.
	if _, err := store.EncodeFrame(frame); err != nil {
		return 0, err
	}
	name := nameOf(frame)
	fault, err := j.beginWrite(ctx, JournalAppend, name.String())
	if err != nil {
		return 0, err
	}
	defer j.disk.mu.Unlock()
	return write(j.disk, fault, JournalAppend, name.String(), func() (uint64, error) { return j.disk.append(name, frame) })
}

// append writes after the node's last frame, or finds the frame where it
// is. Holding mu.
func (d *Disk) append(name store.Name, frame *messages.Frame) (uint64, error) {
	last, ok := d.tails[name.Node]
	if ok && name.Compare(last.name) < 0 {
		for _, w := range d.frames {
			if nameOf(w.frame) == name {
				return w.sequence, nil
			}
		}
		return 0, fmt.Errorf("append frame %s: %w: frame %s is at %d and this one is not in the log",
			name, messages.ErrFenced, last.name, last.sequence)
	}
	if ok && name == last.name {
		return last.sequence, nil
	}
	d.last++
	d.frames = append(d.frames, written{d.last, frame, d.cfg.Now()})
	d.tails[name.Node] = tail{name, d.last}
	return d.last, nil
}

func (j journal) Bounds(ctx context.Context) (first, last uint64, err error) {
	if _, err := j.begin(ctx, JournalBounds, ""); err != nil {
		return 0, 0, err
	}
	defer j.disk.mu.Unlock()
	return j.disk.first(), j.disk.last, nil
}

func (j journal) Epoch() string {
	j.disk.mu.Lock()
	defer j.disk.mu.Unlock()
	return j.disk.epoch
}

func (j journal) Tail(ctx context.Context, node string) (store.Name, error) {
	if _, err := j.begin(ctx, JournalTail, node); err != nil {
		return store.Name{}, err
	}
	defer j.disk.mu.Unlock()
	return j.disk.tails[node].name, nil
}

func (j journal) Read(ctx context.Context, from uint64) (store.Cursor, error) {
	if _, err := j.begin(ctx, JournalRead, strconv.FormatUint(from, 10)); err != nil {
		return nil, err
	}
	defer j.disk.mu.Unlock()
	first, last := j.disk.first(), j.disk.last
	switch {
	case from <= 1:
		from = first
	case from < first:
		return nil, fmt.Errorf("read journal from %d: %w", from, &messages.TrimmedError{First: first})
	case from > last+1:
		return nil, fmt.Errorf("read journal from %d: it ends at %d", from, last)
	}
	return &cursor{store: j.Store, next: from}, nil
}

type cursor struct {
	store *Store
	next  uint64
	err   error // never changes again: trimmed or closed
}

func (c *cursor) Next(ctx context.Context) (store.Entry, error) {
	if c.err != nil {
		return store.Entry{}, fmt.Errorf("read journal at %d: %w", c.next, c.err)
	}
	if _, err := c.store.begin(ctx, JournalNext, strconv.FormatUint(c.next, 10)); err != nil {
		return store.Entry{}, err
	}
	d := c.store.disk
	defer d.mu.Unlock()
	if c.next > d.last {
		return store.Entry{}, io.EOF
	}
	if first := d.first(); c.next < first {
		c.err = &messages.TrimmedError{First: first}
		return store.Entry{}, fmt.Errorf("read journal at %d: %w", c.next, c.err)
	}
	i := sort.Search(len(d.frames), func(i int) bool { return d.frames[i].sequence >= c.next })
	to := d.last // of what is skipped: up to the next frame, or the log's end, or the reason's
	if i < len(d.frames) {
		if w := d.frames[i]; w.sequence == c.next {
			c.next++
			return store.Entry{Sequence: w.sequence, Frame: w.frame}, nil
		}
		to = d.frames[i].sequence - 1
	}
	gone := d.gone(c.next, to)
	c.next = gone.To + 1
	return store.Entry{Sequence: gone.From, Skipped: gone}, nil
}

// gone is the stretch from from on, at most up to to, that is gone for one
// reason. Holding mu.
func (d *Disk) gone(from, to uint64) *store.Skipped {
	gone := &store.Skipped{From: from, To: from, Reason: store.Damaged}
	if d.burnt[from] {
		gone.Reason = store.NeverWritten
	}
	for gone.To < to && d.burnt[gone.To+1] == d.burnt[from] {
		gone.To++
	}
	return gone
}

func (c *cursor) Close() error {
	c.err = store.ErrClosed
	return nil
}

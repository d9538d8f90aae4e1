package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

type control struct{ *Store }

func (c control) Get(ctx context.Context, key string) (messages.KeptRecord, error) {
	if err := store.CheckKey(key); err != nil {
		return messages.KeptRecord{}, err
	}
	if _, err := c.begin(ctx, ControlGet, key); err != nil {
		return messages.KeptRecord{}, err
	}
	defer c.disk.mu.Unlock()
	v, ok := c.disk.records.Get(key)
	if c.disk.damaged[key] {
		return messages.KeptRecord{}, fmt.Errorf("get %s: %w", key, messages.ErrDamaged)
	}
	if !ok {
		return messages.KeptRecord{}, fmt.Errorf("get %s: %w", key, messages.ErrNotFound)
	}
	v.Data = bytes.Clone(v.Data)
	return v, nil
}

func (c control) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	if err := store.CheckKey(key); err != nil {
		return 0, err
	}
	fault, err := c.beginWrite(ctx, ControlCAS, key)
	if err != nil {
		return 0, err
	}
	defer c.disk.mu.Unlock()
	data = bytes.Clone(data)
	word := c.disk.deleted[key]
	return write(c.disk, fault, ControlCAS, key, func() (uint64, error) { return c.disk.cas(key, data, revision, word) })
}

// cas is CAS. One that is to make a record, and is late, does so only if the record was
// not made and deleted in between: word is the deletion that it was asked for after, 0
// where there was none. Holding mu.
func (d *Disk) cas(key string, data []byte, revision, word uint64) (uint64, error) {
	if revision == 0 && d.deleted[key] != word {
		return 0, fmt.Errorf("write %s: %w: it was deleted at %d", key, messages.ErrConflict, d.deleted[key])
	}
	if d.damaged[key] {
		return 0, fmt.Errorf("write %s at revision %d: %w", key, revision, messages.ErrDamaged)
	}
	if have, _ := d.records.Get(key); have.Revision != revision {
		return 0, fmt.Errorf("write %s at revision %d: %w: it is %d", key, revision, messages.ErrConflict, have.Revision)
	}
	return d.put(key, data), nil
}

// put writes the record, and keeps data. Holding mu.
func (d *Disk) put(key string, data []byte) (revision uint64) {
	d.written++
	v := messages.KeptRecord{Key: key, Data: data, Revision: d.written}
	d.records.Set(key, v)
	d.tell(store.Change{KeptRecord: v})
	return v.Revision
}

func (c control) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	if err := store.CheckKey(key); err != nil {
		return 0, err
	}
	fault, err := c.beginWrite(ctx, ControlCAS, key)
	if err != nil {
		return 0, err
	}
	defer c.disk.mu.Unlock()
	data = bytes.Clone(data)
	return write(c.disk, fault, ControlCAS, key, func() (uint64, error) { return c.disk.mend(key, data) })
}

// mend is Mend. Holding mu.
func (d *Disk) mend(key string, data []byte) (uint64, error) {
	if !d.damaged[key] {
		return 0, fmt.Errorf("mend %s: %w: it is not damaged", key, messages.ErrConflict)
	}
	delete(d.damaged, key)
	return d.put(key, data), nil
}

func (c control) Delete(ctx context.Context, key string, revision uint64) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	fault, err := c.beginWrite(ctx, ControlDelete, key)
	if err != nil {
		return err
	}
	defer c.disk.mu.Unlock()
	_, err = write(c.disk, fault, ControlDelete, key, func() (struct{}, error) { return struct{}{}, c.disk.remove(key, revision) })
	return err
}

// remove is Delete. Holding mu.
func (d *Disk) remove(key string, revision uint64) error {
	switch have, ok := d.records.Get(key); {
	case d.damaged[key]:
		return fmt.Errorf("delete %s at revision %d: %w", key, revision, messages.ErrDamaged)
	case !ok:
		return fmt.Errorf("delete %s: %w", key, messages.ErrNotFound)
	case have.Revision != revision:
		return fmt.Errorf("delete %s at revision %d: %w: it is %d", key, revision, messages.ErrConflict, have.Revision)
	}
	d.written++
	d.records.Delete(key)
	d.deleted[key] = d.written
	d.tell(store.Change{KeptRecord: messages.KeptRecord{Key: key, Revision: d.written}, Deleted: true})
	return nil
}

func (c control) List(ctx context.Context, prefixes ...string) ([]messages.KeptRecord, error) {
	if err := store.CheckPrefixes(prefixes); err != nil {
		return nil, err
	}
	if _, err := c.begin(ctx, ControlList, strings.Join(prefixes, " ")); err != nil {
		return nil, err
	}
	defer c.disk.mu.Unlock()
	var values []messages.KeptRecord
	prefixes = slices.Clone(prefixes)
	slices.Sort(prefixes)
	for _, prefix := range prefixes {
		values = append(values, c.disk.list(prefix)...)
	}
	return values, nil
}

// list copies what is stored under prefix, by key. Holding mu.
func (d *Disk) list(prefix string) []messages.KeptRecord {
	var values []messages.KeptRecord
	for key := range d.damaged {
		if strings.HasPrefix(key, prefix) {
			values = append(values, messages.KeptRecord{Key: key, Damaged: true})
		}
	}
	lost := len(values)
	d.records.Ascend(prefix, func(key string, v messages.KeptRecord) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		if !d.damaged[key] {
			v.Data = bytes.Clone(v.Data)
			values = append(values, v)
		}
		return true
	})
	if lost > 0 {
		slices.SortFunc(values, func(a, b messages.KeptRecord) int { return strings.Compare(a.Key, b.Key) })
	}
	return values
}

// watch is one watcher: a channel with room for what was stored and for what may
// wait, so that telling it never blocks and needs no goroutine.
type watch struct {
	store  *Store
	prefix string
	out    chan store.Change
	ended  bool
}

func (c control) Watch(ctx context.Context, prefix string) (<-chan store.Change, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if _, err := c.begin(ctx, ControlWatch, prefix); err != nil {
		return nil, err
	}
	defer c.disk.mu.Unlock()
	d := c.disk
	stored := d.list(prefix)
	w := &watch{store: c.Store, prefix: prefix, out: make(chan store.Change, len(stored)+1+d.cfg.WatchBuffer)}
	for _, v := range stored {
		w.out <- store.Change{KeptRecord: v}
	}
	w.out <- store.Change{Synced: true}
	d.watches = append(d.watches, w)
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		w.end()
		d.dropEnded()
	})
	return w.out, nil
}

// tell hands a change to whoever watches it, in the order they came. Holding mu.
func (d *Disk) tell(change store.Change) {
	for _, w := range d.watches {
		if !strings.HasPrefix(change.Key, w.prefix) {
			continue
		}
		change.Data = bytes.Clone(change.Data)
		select {
		case w.out <- change:
		default:
			w.end() // too much waits for it: it watches again
		}
	}
	d.dropEnded()
}

// end closes the watch. Holding mu.
func (w *watch) end() {
	if !w.ended {
		w.ended = true
		close(w.out)
	}
}

func (d *Disk) dropEnded() {
	d.watches = slices.DeleteFunc(d.watches, func(w *watch) bool { return w.ended })
}

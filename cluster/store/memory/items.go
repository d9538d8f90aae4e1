package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

type items struct{ *Store }

type itemRecord struct {
	item     *messages.Item
	revision uint64
	at       time.Time
}

// item is the record as it is, zero where it is too old. Holding mu.
func (d *Disk) item(identity string) itemRecord {
	r := d.items[identity]
	if age := d.cfg.ItemsAge; age > 0 && r.item != nil && r.at.Before(d.cfg.Now().Add(-age)) {
		delete(d.items, identity)
		return itemRecord{}
	}
	return r
}

func (t items) Get(ctx context.Context, identities []string) ([]store.ItemState, error) {
	if _, err := t.begin(ctx, ItemsGet, ""); err != nil {
		return nil, err
	}
	defer t.disk.mu.Unlock()
	states := make([]store.ItemState, len(identities))
	for i, identity := range identities {
		r := t.disk.item(identity)
		states[i] = store.ItemState{Item: r.item, Revision: r.revision}
	}
	return states, nil
}

func (t items) CAS(ctx context.Context, all []*messages.Item, revisions []uint64) ([]error, error) {
	if len(all) != len(revisions) {
		return nil, fmt.Errorf("write items: %d items, %d revisions", len(all), len(revisions))
	}
	fault, err := t.beginWrite(ctx, ItemsCAS, "")
	if err != nil {
		return nil, err
	}
	defer t.disk.mu.Unlock()
	return write(t.disk, fault, ItemsCAS, "", func() ([]error, error) { return t.disk.putItems(all, revisions), nil })
}

// putItems writes each whose revision is the stored one. Holding mu.
func (d *Disk) putItems(all []*messages.Item, revisions []uint64) []error {
	each := make([]error, len(all))
	for i, item := range all {
		identity := item.GetIdentity()
		if have := d.item(identity).revision; have != revisions[i] {
			each[i] = fmt.Errorf("write item %q at revision %d: %w: it is %d", identity, revisions[i], messages.ErrConflict, have)
			continue
		}
		d.written++
		d.items[identity] = itemRecord{item, d.written, d.cfg.Now()}
	}
	return each
}

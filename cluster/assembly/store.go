package assembly

import (
	"context"
	"errors"
	"fmt"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// portError says in the actors' words what the store said in its own.
func portError(err error) error {
	for _, word := range [...]struct{ theirs, ours error }{
		{store.ErrFenced, actors.ErrFenced},
		{store.ErrInvalid, actors.ErrInvalid},
		{store.ErrNotFound, actors.ErrNotFound},
		{store.ErrConflict, actors.ErrConflict},
		{store.ErrFull, actors.ErrFull},
		{store.ErrCorrupt, actors.ErrDamaged},
		{store.ErrAmbiguous, actors.ErrAmbiguous},
	} {
		if errors.Is(err, word.theirs) {
			return fmt.Errorf("%w: %w", word.ours, err)
		}
	}
	return err
}

// Records is the control store as the actors take it.
type Records struct{ Control store.Control }

var _ actors.Records = Records{}

// Get is actors.Records.
func (r Records) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	v, err := r.Control.Get(ctx, key)
	return v.Data, v.Revision, portError(err)
}

// CAS is actors.Records.
func (r Records) CAS(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	revision, err := r.Control.CAS(ctx, key, data, revision)
	return revision, portError(err)
}

// Delete is actors.Records.
func (r Records) Delete(ctx context.Context, key string, revision uint64) error {
	return portError(r.Control.Delete(ctx, key, revision))
}

// Mend is actors.Records.
func (r Records) Mend(ctx context.Context, key string, data []byte) (uint64, error) {
	revision, err := r.Control.Mend(ctx, key, data)
	return revision, portError(err)
}

// List is actors.Records.
func (r Records) List(ctx context.Context, prefix string) ([]actors.Record, error) {
	values, err := r.Control.List(ctx, prefix)
	if err != nil {
		return nil, portError(err)
	}
	list := make([]actors.Record, len(values))
	for i, v := range values {
		list[i] = actors.Record(v)
	}
	return list, nil
}

// counters are the store's as keys take them.
type counters struct{ store store.Counters }

var _ apikey.Counters = counters{}

func (c counters) Reserve(ctx context.Context, keyID, month string, n, limit int64, op string) (*messages.Grant, error) {
	grant, err := c.store.Reserve(ctx, store.Reservation{KeyID: keyID, Month: month, N: n, Limit: limit, Op: op})
	if errors.Is(err, store.ErrExhausted) {
		return nil, fmt.Errorf("%w: %w", apikey.ErrExhausted, err)
	}
	return grant, portError(err)
}

func (c counters) Settle(ctx context.Context, grant *messages.Grant, used int64) error {
	return portError(c.store.Settle(ctx, grant, used))
}

func (c counters) Usage(ctx context.Context, keyID, month string) (*messages.Ledger, error) {
	ledger, err := c.store.Usage(ctx, keyID, month)
	return ledger, portError(err)
}

// Items is the item table as sources take it.
type Items struct{ Table store.Items }

var _ source.Items = Items{}

// Get is source.Items.
func (i Items) Get(ctx context.Context, identities []string) ([]*messages.Item, []uint64, error) {
	states, err := i.Table.Get(ctx, identities)
	if err != nil {
		return nil, nil, portError(err)
	}
	list, revisions := make([]*messages.Item, len(states)), make([]uint64, len(states))
	for n, s := range states {
		list[n], revisions[n] = s.Item, s.Revision
	}
	return list, revisions, nil
}

// CAS is source.Items.
func (i Items) CAS(ctx context.Context, list []*messages.Item, revisions []uint64) ([]error, error) {
	each, err := i.Table.CAS(ctx, list, revisions)
	for n := range each {
		each[n] = portError(each[n])
	}
	return each, portError(err)
}

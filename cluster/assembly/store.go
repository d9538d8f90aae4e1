package assembly

import (
	"context"

	"github.com/birdwire/birdwire/actors"
	"github.com/birdwire/birdwire/actors/apikey"
	"github.com/birdwire/birdwire/actors/source"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/messages"
)

// The control store is the actors' port as it is.
var _ actors.Records = store.Control(nil)

// counters are the store's as keys take them.
type counters struct{ store.Counters }

var _ apikey.Counters = counters{}

func (c counters) Reserve(ctx context.Context, r apikey.Reservation) (*messages.Grant, error) {
	return c.Counters.Reserve(ctx, store.Reservation(r))
}

// items is the item table as sources take it.
type items struct{ store.Items }

var _ source.Items = items{}

func (i items) Get(ctx context.Context, identities []string) ([]*messages.Item, []uint64, error) {
	states, err := i.Items.Get(ctx, identities)
	if err != nil {
		return nil, nil, err
	}
	list, revisions := make([]*messages.Item, len(states)), make([]uint64, len(states))
	for n, s := range states {
		list[n], revisions[n] = s.Item, s.Revision
	}
	return list, revisions, nil
}

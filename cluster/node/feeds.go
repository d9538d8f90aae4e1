package node

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// updateTries is how often a change of a feed is tried while others write it.
const updateTries = 8

var _ admin.Feeds = (*sources)(nil)

// ListFeeds is every feed with how its source is.
func (s *sources) ListFeeds(ctx context.Context) ([]admin.FeedState, error) {
	feeds, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	states := make([]admin.FeedState, len(feeds))
	for i, f := range feeds {
		states[i] = admin.FeedState{Feed: f, Source: s.describe(f.GetId())}
	}
	return states, nil
}

// GetFeed is one of them.
func (s *sources) GetFeed(ctx context.Context, id string) (admin.FeedState, error) {
	f, _, err := s.get(ctx, id)
	if err != nil {
		return admin.FeedState{}, err
	}
	return admin.FeedState{Feed: f, Source: s.describe(id)}, nil
}

// FeedURL is an address as browsers would ask for it.
func (s *sources) FeedURL(raw string) (string, error) { return feed.Address(raw) }

// TryFeed reads an address once.
func (s *sources) TryFeed(ctx context.Context, address string) (admin.Tried, error) {
	t, err := s.feeds.Try(ctx, address)
	return admin.Tried(t), err
}

// CreateFeed writes the record and starts the source.
func (s *sources) CreateFeed(ctx context.Context, f *messages.Feed) error {
	feeds, err := s.list(ctx)
	if err != nil {
		return err
	}
	for _, other := range feeds {
		if other.GetUrl() == f.GetUrl() {
			return fmt.Errorf("feed %s has that url: %w", other.GetId(), admin.ErrConflict)
		}
	}
	data, err := proto.Marshal(f)
	if err != nil {
		return fmt.Errorf("create feed: %w", err)
	}
	_, err = s.n.store.Control().CAS(ctx, feedsPrefix+f.GetId(), data, 0)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("feed %s: %w", f.GetId(), admin.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("create feed: %w", err)
	}
	return s.spawnFeed(f)
}

// UpdateFeed writes a changed record and starts the source anew.
func (s *sources) UpdateFeed(ctx context.Context, id string, change func(*messages.Feed)) (admin.FeedState, error) {
	for range updateTries {
		f, revision, err := s.get(ctx, id)
		if err != nil {
			return admin.FeedState{}, err
		}
		change(f)
		data, err := proto.Marshal(f)
		if err != nil {
			return admin.FeedState{}, fmt.Errorf("update feed %s: %w", id, err)
		}
		_, err = s.n.store.Control().CAS(ctx, feedsPrefix+id, data, revision)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return admin.FeedState{}, fmt.Errorf("update feed %s: %w", id, err)
		}
		s.end(id)
		return admin.FeedState{Feed: f}, s.spawnFeed(f)
	}
	return admin.FeedState{}, fmt.Errorf("update feed %s: others kept changing it", id)
}

// DeleteFeed ends the source and removes the record; what it read stays read.
func (s *sources) DeleteFeed(ctx context.Context, id string) error {
	for range updateTries {
		_, revision, err := s.get(ctx, id)
		if err != nil {
			return err
		}
		err = s.n.store.Control().Delete(ctx, feedsPrefix+id, revision)
		if errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return fmt.Errorf("delete feed %s: %w", id, err)
		}
		s.end(id)
		return nil
	}
	return fmt.Errorf("delete feed %s: others kept changing it", id)
}

func (s *sources) get(ctx context.Context, id string) (*messages.Feed, uint64, error) {
	v, err := s.n.store.Control().Get(ctx, feedsPrefix+id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, 0, fmt.Errorf("feed %s: %w", id, admin.ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("get feed %s: %w", id, err)
	}
	f := new(messages.Feed)
	if err := proto.Unmarshal(v.Data, f); err != nil {
		return nil, 0, fmt.Errorf("get feed %s: its record is damaged: %w", id, err)
	}
	return f, v.Revision, nil
}

package node

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/feed"
	"github.com/birdwire/birdwire/gateway/admin"
	"github.com/birdwire/birdwire/messages"
)

// updateTries is how often a change of a feed is tried while others write it.
const updateTries = 8

var _ admin.Feeds = sources{}

// askUpstreams asks the actor that keeps the feeds; a refusal is an error.
func askUpstreams[T proto.Message](ctx context.Context, n *Node, command proto.Message) (answer T, err error) {
	m, err := ask(ctx, n.actors, n.actors.Upstreams(), command, n.cfg.answerTime)
	if err != nil {
		return answer, n.unanswered(command, err)
	}
	if answer, ok := m.(T); ok {
		return answer, nil
	}
	refused, ok := m.(*messages.Rejected)
	if !ok {
		return answer, n.unanswered(command, fmt.Errorf("answered by a %T", m))
	}
	switch refused.GetRejection() {
	case messages.Rejection_REJECTION_NOT_FOUND:
		return answer, fmt.Errorf("%s: %w", refused.GetDetail(), messages.ErrNotFound)
	case messages.Rejection_REJECTION_CONFLICT:
		return answer, &conflictError{refused}
	}
	return answer, fmt.Errorf("%s", refused.GetDetail())
}

// conflictError is messages.ErrConflict in the upstreams' words.
type conflictError struct{ refused *messages.Rejected }

func (e *conflictError) Error() string { return e.refused.GetDetail() }
func (e *conflictError) Unwrap() error { return messages.ErrConflict }

func state(s *messages.FeedShown) admin.FeedState {
	return admin.FeedState{Feed: s.GetFeed(), Source: s.GetSource()}
}

// ListFeeds is every feed with how its source is.
func (s sources) ListFeeds(ctx context.Context) ([]admin.FeedState, error) {
	listed, err := askUpstreams[*messages.FeedsListed](ctx, s.n, &messages.ListFeeds{})
	if err != nil {
		return nil, err
	}
	states := make([]admin.FeedState, len(listed.GetFeeds()))
	for i, f := range listed.GetFeeds() {
		states[i] = state(f)
	}
	return states, nil
}

// GetFeed is one of them.
func (s sources) GetFeed(ctx context.Context, id string) (admin.FeedState, error) {
	f, err := askUpstreams[*messages.FeedShown](ctx, s.n, &messages.GetFeed{Id: id})
	return state(f), err
}

// FeedURL is an address as browsers would ask for it.
func (s sources) FeedURL(raw string) (string, error) { return feed.Address(raw) }

// TryFeed reads an address once.
func (s sources) TryFeed(ctx context.Context, address string) (admin.Tried, error) {
	t, err := s.n.feeds.Try(ctx, address)
	return admin.Tried(t), err
}

// CreateFeed makes the feed and starts its source.
func (s sources) CreateFeed(ctx context.Context, f *messages.Feed) error {
	_, err := askUpstreams[*messages.FeedShown](ctx, s.n, &messages.CreateFeed{Feed: f})
	return err
}

// UpdateFeed changes the feed as it is stored, and again where another change came
// first.
func (s sources) UpdateFeed(ctx context.Context, id string, change func(*messages.Feed)) (admin.FeedState, error) {
	for try := 1; ; try++ {
		stored, err := askUpstreams[*messages.FeedShown](ctx, s.n, &messages.GetFeed{Id: id})
		if err != nil {
			return admin.FeedState{}, err
		}
		f := proto.CloneOf(stored.GetFeed())
		change(f)
		changed, err := askUpstreams[*messages.FeedShown](ctx, s.n, &messages.UpdateFeed{Feed: f, Revision: stored.GetRevision()})
		if conflict, ok := err.(*conflictError); ok && conflict.refused.GetField() == "" && try < updateTries {
			continue
		}
		return state(changed), err
	}
}

// DeleteFeed ends the source and forgets the feed; what it read stays read.
func (s sources) DeleteFeed(ctx context.Context, id string) error {
	_, err := askUpstreams[*messages.FeedDeleted](ctx, s.n, &messages.DeleteFeed{Id: id})
	return err
}

package node

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// news is rest.News over the node's actors and store.
type news struct{ n *Node }

var _ rest.News = news{}

// Ask asks the newsdesk on the node that has it.
func (s news) Ask(ctx context.Context, question proto.Message) (proto.Message, error) {
	answer, err := ask(ctx, s.n.actors, s.n.actors.Newsdesk(), question, s.n.cfg.answerTime)
	if err != nil {
		return nil, s.n.unanswered(question, err)
	}
	return answer, nil
}

// Events reads the log.
func (s news) Events(ctx context.Context, positions []messages.Position) ([]*messages.Event, error) {
	return assembly.Log{Journal: s.n.store.Journal()}.Events(ctx, positions)
}

// Item reads the item table.
func (s news) Item(ctx context.Context, identity string) (*messages.Item, error) {
	states, err := s.n.store.Items().Get(ctx, []string{identity})
	if err != nil {
		return nil, err
	}
	return states[0].Item, nil
}

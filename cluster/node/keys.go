package node

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/gateway"
	"github.com/birdwire/birdwire/messages"
)

// keys is gateway.Keys over the actors of this node.
type keys struct {
	n       *Node
	timeout time.Duration
}

var _ gateway.Keys = keys{}

// Ask waits for the answer on the caller's own goroutine: gateways may, actors may not.
func (k keys) Ask(ctx context.Context, keyID string, command proto.Message) (proto.Message, error) {
	if _, ok := command.(*messages.Release); ok {
		k.n.actors.TellKey(keyID, command)
		return nil, nil
	}
	answer, err := wait(ctx, k.timeout, func(within time.Duration, answer func(proto.Message, error)) {
		k.n.actors.AskKey(keyID, command, within, answer)
	})
	if err != nil {
		return nil, k.n.unanswered(command, err)
	}
	return answer, nil
}

// ask is one question to one of this node's actors.
func ask(ctx context.Context, actors *assembly.Node, to *actor.PID, command proto.Message, timeout time.Duration) (proto.Message, error) {
	return wait(ctx, timeout, func(within time.Duration, answer func(proto.Message, error)) {
		actors.Ask(to, command, within, answer)
	})
}

// unanswered is what is told of a question that got no answer: nothing of the
// actors that it was for, which are no concern of who asked, and what is wrong
// with the store where that is why. The log has the rest.
func (n *Node) unanswered(command proto.Message, err error) error {
	if errors.Is(err, context.Canceled) {
		return err // nobody reads it
	}
	n.log.Debug("a question got no answer", "command", command.ProtoReflect().Descriptor().Name(), "error", err)
	for _, cause := range []error{n.store.Healthy(context.Background()), n.store.Room()} {
		if cause != nil {
			return &noAnswer{cause.Error(), err}
		}
	}
	if errors.Is(err, assembly.ErrStopping) {
		return &noAnswer{"it is stopping", err}
	}
	return &noAnswer{"no answer came in time; look first whether a change was made, then try again", err}
}

// noAnswer is err in words for whoever asked.
type noAnswer struct {
	text string
	err  error
}

func (e *noAnswer) Error() string { return e.text }
func (e *noAnswer) Unwrap() error { return e.err }

// wait asks and waits for the answer, until ctx ends.
func wait(ctx context.Context, timeout time.Duration, ask func(time.Duration, func(proto.Message, error))) (proto.Message, error) {
	return begin(timeout, ask)(ctx)
}

// begin asks. What it returns waits for the answer.
func begin(timeout time.Duration, ask func(time.Duration, func(proto.Message, error))) func(context.Context) (proto.Message, error) {
	type outcome struct {
		answer proto.Message
		err    error
	}
	answered := make(chan outcome, 1)
	ask(timeout, func(answer proto.Message, err error) { answered <- outcome{answer, err} })
	return func(ctx context.Context) (proto.Message, error) {
		select {
		case o := <-answered:
			return o.answer, o.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/cluster/assembly"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// offerTimeout is longer than the push source holds an offer (30 s) and then
// waits for the journal's answer (30 s): its own word is always the first.
const offerTimeout = 75 * time.Second

// intake is the push source of this node as the push adapter asks it. The
// request is sent before Offer returns, so offers keep their order.
type intake struct{ actors *assembly.Node }

var _ push.Intake = intake{}

func (i intake) Offer(ctx context.Context, offer *messages.Offer) func() (proto.Message, error) {
	answer := begin(offerTimeout, func(within time.Duration, answer func(proto.Message, error)) {
		i.actors.Ask(i.actors.Push(), offer, within, answer)
	})
	return func() (proto.Message, error) { return answer(context.WithoutCancel(ctx)) }
}

// ingest says in REST's words what push says in its own.
type ingest struct {
	push    *push.Ingest
	healthy func() error // of the store, at once
}

var _ rest.Ingest = ingest{}

func (i ingest) Posts(ctx context.Context, body io.Reader) (rest.Result, error) {
	if err := i.refused(); err != nil {
		return nothing(), err
	}
	return outcome(i.push.Posts(ctx, body))
}

func (i ingest) Articles(ctx context.Context, body io.Reader) (rest.Result, error) {
	if err := i.refused(); err != nil {
		return nothing(), err
	}
	return outcome(i.push.Articles(ctx, body))
}

func (i ingest) DeleteArticle(ctx context.Context, sourceID, id string) (bool, error) {
	if err := i.refused(); err != nil {
		return false, err
	}
	err := i.push.DeleteArticle(ctx, sourceID, id)
	if errors.Is(err, messages.ErrNotFound) {
		return false, nil
	}
	_, err = outcome(push.Result{}, err)
	return err == nil, err
}

// storeBack is when a client may try again whose push the store could not take.
const storeBack = 5 * time.Second

// refused: a store that takes no writes would keep a push for half a minute
// before it is refused, and its place from others.
func (i ingest) refused() error {
	if err := i.healthy(); err != nil {
		return &rest.IngestError{Status: http.StatusServiceUnavailable, RetryAfter: storeBack, Detail: err.Error()}
	}
	return nil
}

// nothing is the result of a body that was not read.
func nothing() rest.Result { return rest.Result{Rejected: []rest.Rejected{}} }

func outcome(r push.Result, err error) (rest.Result, error) {
	result := rest.Result{Accepted: r.Accepted, Duplicates: r.Duplicates, Unlisted: r.Unlisted, Next: r.Next, Rejected: make([]rest.Rejected, len(r.Rejected))}
	for i, rejection := range r.Rejected {
		result.Rejected[i] = rest.Rejected(rejection)
	}
	if errors.Is(err, push.ErrTooLarge) {
		return result, fmt.Errorf("%w: %w", rest.ErrTooLarge, err)
	}
	var back *push.Backpressure
	if errors.As(err, &back) {
		return result, &rest.IngestError{Status: back.Status, RetryAfter: back.RetryAfter, Detail: back.Detail}
	}
	return result, err
}

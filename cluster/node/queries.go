package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/actors/router/trial"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// validations are how reading for them is shared between keys: each holds a
// part of the log's end in memory while it runs.
var validations = runtime.Share{Places: 4, PlacesEach: 1, Waiting: 256, WaitingEach: 4}

// backtests are how many are under way, one a key: each remembers some
// megabytes of what may be repeats. reading is how many of them read at a time:
// each takes a core, and live matching has need of them. Those under way take
// turns, from one word on their progress to the next, and nobody holds a turn
// while its client takes that word: neither long logs nor slow clients keep
// others waiting. Past the line a client is told to come back.
var (
	backtests = runtime.Share{Places: 16, PlacesEach: 1, Waiting: 256, WaitingEach: 1}
	reading   = runtime.Share{Places: 2, PlacesEach: 2, Waiting: 16, WaitingEach: 16}
)

// backtestTime is how long one may take, its client's part included.
const backtestTime = 10 * time.Minute

// queries are the trials of queries that this node runs for REST.
type queries struct {
	log     replay.Log
	limits  rule.Limits
	credits int64 // of one delivery

	gate, backtests, reading *runtime.Gate // gate is for validation

	stopping context.Context
	stop     context.CancelFunc // ends backtests, so that the server can
}

var _ rest.Queries = &queries{}

func newQueries(l replay.Log, limits rule.Limits, credits int64) *queries {
	q := &queries{
		log: l, limits: limits, credits: credits,
		gate: runtime.NewGate(validations), backtests: runtime.NewGate(backtests), reading: runtime.NewGate(reading),
	}
	q.stopping, q.stop = context.WithCancel(context.Background())
	return q
}

func (q *queries) Validate(ctx context.Context, keyID, query string) (*messages.Validation, error) {
	parsed, err := trial.Parse(query, q.limits)
	if err != nil {
		return &messages.Validation{Invalid: err}, nil
	}
	leave, err := q.gate.Enter(ctx, keyID)
	if errors.Is(err, runtime.ErrBusy) {
		return nil, fmt.Errorf("validate: %w", rest.ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	defer leave()
	return parsed.Newest(ctx, q.log)
}

func (q *queries) Backtest(ctx context.Context, keyID, query string, since time.Time, progress func(messages.Backtested) error) (messages.Backtested, error) {
	var none messages.Backtested
	parsed, err := trial.Parse(query, q.limits)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(ctx, backtestTime)
	defer cancel()
	defer context.AfterFunc(q.stopping, cancel)()
	leave, err := q.backtests.Enter(ctx, keyID)
	if errors.Is(err, runtime.ErrBusy) {
		return none, fmt.Errorf("backtest: %w", rest.ErrBusy)
	}
	if err != nil {
		return none, err
	}
	defer leave()
	pause, err := q.reading.Enter(ctx, keyID)
	if err != nil {
		return none, err
	}
	defer func() { pause() }()
	b, err := parsed.Since(ctx, q.log, since, time.Now(), func(b messages.Backtested) error {
		if err := q.stopping.Err(); err != nil {
			return err // at once, where ctx may take a moment
		}
		pause()
		if err := progress(b); err != nil {
			return err
		}
		next, err := q.reading.Enter(ctx, keyID)
		if err == nil {
			pause = next
		}
		return err
	})
	b.CreditsPerDelivery = q.credits
	return b, err
}

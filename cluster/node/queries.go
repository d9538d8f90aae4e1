package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/cluster/runtime"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// validateFrames is how much of the log's end a query under validation is
// tried on: what a second's patience reads.
const validateFrames = 512

// validations are how reading for them is shared between keys: each holds up to
// validateFrames in memory while it runs.
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

const (
	samplesMost = 10
	// shareLeast is of how many posts a share is worth telling.
	shareLeast = 20
	// reasonMost is how much of one clause's reason is shown, in characters: a
	// post may have a hundred addresses.
	reasonMost = 300
)

// queries says what the rule language makes of a text, and of the posts that
// the log holds.
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

func (q *queries) Validate(ctx context.Context, keyID, query string) (*rest.Validation, error) {
	parsed, err := rule.Parse(query, q.limits)
	if err != nil {
		v := &rest.Validation{Error: err.Error()}
		var syntax *rule.SyntaxError
		if errors.As(err, &syntax) {
			v.Position, v.Expected = syntax.Position, syntax.Expected
		}
		return v, nil
	}
	leave, err := q.gate.Enter(ctx, keyID)
	if errors.Is(err, runtime.ErrBusy) {
		return nil, fmt.Errorf("validate: %w", rest.ErrBusy)
	}
	if err != nil {
		return nil, err
	}
	defer leave()
	newest := replay.Backtest{Query: ruleQuery(query), Newest: validateFrames, Samples: samplesMost}
	tally, err := newest.Run(ctx, q.log, func(replay.Tally) error { return nil })
	if err != nil {
		return nil, err
	}
	slices.Reverse(tally.Samples)
	v := &rest.Validation{
		Valid: true, Warnings: append(warnings(parsed), share("newest ", tally)...),
		Posts: tally.Posts, Matched: tally.Matched, Samples: tally.Samples,
	}
	if v.Explained = tally.Newest; len(v.Samples) > 0 {
		v.Explained = v.Samples[0]
	}
	if v.Explained != nil {
		var doc rule.Doc
		doc.Reset(v.Explained)
		v.Explanation = explanation(parsed.Explain(&doc))
	}
	return v, nil
}

func (q *queries) Backtest(ctx context.Context, keyID, query string, since time.Time, progress func(rest.Backtested) error) (rest.Backtested, error) {
	parsed, err := rule.Parse(query, q.limits)
	var syntax *rule.SyntaxError
	if errors.As(err, &syntax) {
		return rest.Backtested{}, &rest.QueryError{Position: syntax.Position, Expected: syntax.Expected, Text: syntax.Error()}
	}
	if err != nil {
		return rest.Backtested{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, backtestTime)
	defer cancel()
	defer context.AfterFunc(q.stopping, cancel)()
	leave, err := q.backtests.Enter(ctx, keyID)
	if errors.Is(err, runtime.ErrBusy) {
		return rest.Backtested{}, fmt.Errorf("backtest: %w", rest.ErrBusy)
	}
	if err != nil {
		return rest.Backtested{}, err
	}
	defer leave()
	pause, err := q.reading.Enter(ctx, keyID)
	if err != nil {
		return rest.Backtested{}, err
	}
	defer func() { pause() }()
	ends := time.Now()
	past := replay.Backtest{Query: ruleQuery(query), SinceMs: since.UnixMilli(), Samples: samplesMost}
	tally, err := past.Run(ctx, q.log, func(t replay.Tally) error {
		if err := q.stopping.Err(); err != nil {
			return err // at once, where ctx may take a moment
		}
		pause()
		if err := progress(backtested(t, since, ends)); err != nil {
			return err
		}
		next, err := q.reading.Enter(ctx, keyID)
		if err == nil {
			pause = next
		}
		return err
	})
	if err != nil {
		return rest.Backtested{}, err
	}
	b := backtested(tally, since, ends)
	slices.Reverse(tally.Samples)
	b.Samples, b.CreditsPerDelivery, b.Warnings = tally.Samples, q.credits, append(warnings(parsed), share("", tally)...)
	return b, nil
}

func backtested(t replay.Tally, since, ends time.Time) rest.Backtested {
	b := rest.Backtested{Done: 1, Posts: t.Posts, Matched: t.Matched, Begins: since, Ends: ends}
	if t.Last >= t.First && t.At < t.Last {
		b.Done = float64(t.At+1-t.First) / float64(t.Last+1-t.First)
	}
	if t.First > t.LogFirst {
		return b // the log reaches further back
	}
	if from := time.UnixMilli(t.FromMs); t.FromMs == 0 {
		b.Begins = ends
	} else if from.After(since) {
		b.Begins = from
	}
	return b
}

func ruleQuery(text string) *messages.Query {
	return &messages.Query{Want: &messages.Query_Rule{Rule: text}}
}

func warnings(r *rule.Rule) (list []string) {
	for _, w := range r.Warnings {
		list = append(list, fmt.Sprintf("position %d: %s", w.Position, w.Text))
	}
	return list
}

// share warns of a rule that matches most of what there is: it costs as much
// as no rule at all.
func share(which string, t replay.Tally) []string {
	if t.Posts < shareLeast || t.Matched*2 <= t.Posts {
		return nil
	}
	return []string{fmt.Sprintf("the rule matches %d %% of the %s%d posts", t.Matched*100/t.Posts, which, t.Posts)}
}

var opNames = map[rule.Op]string{rule.OpAnd: "all", rule.OpOr: "any", rule.OpNot: "not"}

// explanation says in REST's words what the language says in its own.
func explanation(e *rule.Explanation) *rest.Explanation {
	out := &rest.Explanation{Clause: e.Clause, Op: "term", Matched: e.Matched, Reason: e.Reason}
	if name := opNames[e.Op]; name != "" {
		out.Op = name
	}
	if r := []rune(e.Reason); len(r) > reasonMost {
		out.Reason = string(r[:reasonMost-1]) + "…"
	}
	for _, a := range e.Args {
		out.Clauses = append(out.Clauses, explanation(a))
	}
	return out
}

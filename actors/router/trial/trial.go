// Package trial says what a query would match before it is a rule: of the
// newest posts of the log, and of all that it holds since a moment. It reads
// with the index, the matcher and the rule about repeats that live posts meet.
//
// It keeps nothing, and bounds neither how many trials run nor for how long:
// that is whoever asks for them.
package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

const (
	// newestFrames is how much of the log's end Newest looks at: what a second's
	// patience reads.
	newestFrames = 512
	samplesMost  = 10
	// shareLeast is of how many posts a share is worth telling.
	shareLeast = 20
)

// Query is one under trial.
type Query struct {
	text   string
	parsed *rule.Rule
}

// Parse reads a query. An error is a *messages.SyntaxError.
func Parse(text string, limits rule.Limits) (*Query, error) {
	parsed, err := rule.Parse(text, limits)
	if err != nil {
		return nil, err
	}
	return &Query{text, parsed}, nil
}

// String is the query as it is understood: spelled out, in one way.
func (q *Query) String() string { return q.parsed.String() }

// Warnings are what the query says and probably does not mean.
func (q *Query) Warnings() (list []string) {
	for _, w := range q.parsed.Warnings {
		list = append(list, fmt.Sprintf("position %d: %s", w.Position, w.Text))
	}
	return list
}

// Explain says of each clause what it says of the post. doc is room to work in.
func (q *Query) Explain(doc *rule.Doc, post *messages.Event) *messages.Explanation {
	doc.Reset(post)
	return q.parsed.Explain(doc)
}

// Newest tries the query on the log's end.
func (q *Query) Newest(ctx context.Context, log replay.Log) (*messages.Validation, error) {
	newest := replay.Backtest{Query: q.query(), Newest: newestFrames, Samples: samplesMost}
	tally, err := newest.Run(ctx, log, func(replay.Tally) error { return nil })
	if err != nil {
		return nil, err
	}
	slices.Reverse(tally.Samples)
	v := &messages.Validation{
		Warnings: append(q.Warnings(), share("newest ", tally)...),
		Posts:    tally.Posts, Matched: tally.Matched, Samples: tally.Samples,
	}
	if v.Explained = tally.Newest; len(v.Samples) > 0 {
		v.Explained = v.Samples[0]
	}
	if v.Explained != nil {
		v.Explanation = q.Explain(new(rule.Doc), v.Explained)
	}
	return v, nil
}

// Since tries the query on what was detected at since or later; now is when
// that was asked. progress is told at every frame, and an error of its ends the
// trial.
func (q *Query) Since(ctx context.Context, log replay.Log, since, now time.Time, progress func(messages.Backtested) error) (messages.Backtested, error) {
	past := replay.Backtest{Query: q.query(), SinceMs: since.UnixMilli(), Samples: samplesMost}
	tally, err := past.Run(ctx, log, func(t replay.Tally) error { return progress(backtested(t, since, now)) })
	if err != nil {
		return messages.Backtested{}, err
	}
	b := backtested(tally, since, now)
	slices.Reverse(tally.Samples)
	b.Samples, b.Warnings = tally.Samples, append(q.Warnings(), share("", tally)...)
	return b, nil
}

func (q *Query) query() *messages.Query {
	return &messages.Query{Want: &messages.Query_Rule{Rule: q.text}}
}

func backtested(t replay.Tally, since, now time.Time) messages.Backtested {
	b := messages.Backtested{Done: 1, Posts: t.Posts, Matched: t.Matched, Begins: since, Ends: now}
	if t.Last >= t.First && t.At < t.Last {
		b.Done = float64(t.At+1-t.First) / float64(t.Last+1-t.First)
	}
	if t.First > t.LogFirst {
		return b // the log reaches further back
	}
	if from := time.UnixMilli(t.FromMs); t.FromMs == 0 {
		b.Begins = now
	} else if from.After(since) {
		b.Begins = from
	}
	return b
}

// share warns of a rule that matches most of what there is: it costs as much
// as no rule at all.
func share(which string, t replay.Tally) []string {
	if t.Posts < shareLeast || t.Matched*2 <= t.Posts {
		return nil
	}
	return []string{fmt.Sprintf("the rule matches %d %% of the %s%d posts", t.Matched*100/t.Posts, which, t.Posts)}
}

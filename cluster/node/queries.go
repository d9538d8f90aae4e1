package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/birdwire/birdwire/actors/filterrule"
	"github.com/birdwire/birdwire/actors/router/rule"
	"github.com/birdwire/birdwire/gateway/rest"
	"github.com/birdwire/birdwire/messages"
)

// validateFrames is how much of the log's end a query under validation is
// tried on: what a second's patience reads.
const validateFrames = 512

const validateSamples = 10

// queries says what the rule language makes of a text.
type queries struct {
	log    log
	limits rule.Limits
}

var _ rest.Queries = queries{}

func (q queries) Validate(ctx context.Context, query string) (*rest.Validation, error) {
	parsed, err := rule.Parse(query, q.limits)
	if err != nil {
		v := &rest.Validation{Error: err.Error()}
		var syntax *rule.SyntaxError
		if errors.As(err, &syntax) {
			v.Position, v.Expected = syntax.Position, syntax.Expected
		}
		return v, nil
	}
	v := &rest.Validation{Valid: true}
	for _, w := range parsed.Warnings {
		v.Warnings = append(v.Warnings, fmt.Sprintf("position %d: %s", w.Position, w.Text))
	}
	return v, q.try(ctx, parsed, v)
}

// try runs the query over the newest posts.
func (q queries) try(ctx context.Context, parsed *rule.Rule, v *rest.Validation) error {
	first, last, err := q.log.Bounds(ctx)
	if err != nil || last < first {
		return err
	}
	from := first
	if last > first+validateFrames {
		from = last - validateFrames
	}
	frames, err := q.log.Read(ctx, from)
	if err != nil {
		return err
	}
	defer frames.Close()
	compiled := &rule.Compiled{Class: rule.ClassPost, Expr: parsed.Expr, Sample: parsed.Sample}
	var doc rule.Doc
	posts := 0
	for {
		_, frame, err := frames.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, e := range frame.GetEvents() {
			if e.GetPost() == nil {
				continue
			}
			posts++
			if doc.Reset(e); compiled.Match(&doc) {
				v.Matched++
				v.Samples = newest(v.Samples, e)
			}
		}
	}
	slices.Reverse(v.Samples)
	if posts >= 100 && v.Matched*2 > posts {
		v.Warnings = append(v.Warnings, fmt.Sprintf("the rule matches %d %% of the newest %d posts", v.Matched*100/posts, posts))
	}
	return nil
}

// newest keeps the last of what it is given.
func newest(samples []*messages.Event, e *messages.Event) []*messages.Event {
	if len(samples) == validateSamples {
		samples = append(samples[:0], samples[1:]...)
	}
	return append(samples, e)
}

// parse is the rule language as a rule's actor takes it.
func (q queries) parse(query string) error {
	_, err := rule.Parse(query, q.limits)
	var syntax *rule.SyntaxError
	if errors.As(err, &syntax) {
		return &filterrule.SyntaxError{Position: syntax.Position, Expected: syntax.Expected, Text: syntax.Error()}
	}
	return err
}

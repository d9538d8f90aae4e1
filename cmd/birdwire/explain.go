package main

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/fatih/color"

	"github.com/birdwire/birdwire/gateway/client"
)

// paper is a screen for results: of w's width and in color where w is a
// terminal, else as wide as need be and plain.
func (c *cli) paper(w io.Writer) *screen {
	if width, ok := terminal(w); ok {
		return newScreen(width, noColor(c.environ))
	}
	return newScreen(math.MaxInt32, true)
}

func (s *screen) marked(matched bool) part {
	if matched {
		return part{s.good, "✓"}
	}
	return part{s.bad, "✗"}
}

// explain draws what each clause says, a line each, those inside others
// further in.
func (s *screen) explain(w io.Writer, e *client.Explanation, depth int) error {
	parts := []part{s.marked(e.Matched)}
	switch e.Op {
	case "all", "any":
		parts = append(parts, part{s.mark, e.Op + " of"})
	case "not":
		parts = append(parts, part{s.mark, "not"})
	default:
		clause := e.Clause
		if e.Reason != "" {
			clause += ":"
		}
		parts = append(parts, part{s.what, clause}, part{s.reasonColor(e), e.Reason})
	}
	if err := s.line(w, strings.Repeat("  ", depth), " ", parts); err != nil {
		return err
	}
	for _, inner := range e.Clauses {
		if err := s.explain(w, inner, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// reasonColor shows what is missing in another color than what was found.
func (s *screen) reasonColor(e *client.Explanation) *color.Color {
	if e.Matched {
		return s.time
	}
	return nil
}

// post draws a post after its mark.
func (s *screen) post(w io.Writer, matched bool, id, author, text string) error {
	return s.line(w, "", "  ", []part{s.marked(matched), {s.time, id}, {s.who, "@" + author}, {nil, text}})
}

// samples draws posts that match, a line each.
func (s *screen) samples(w io.Writer, all []client.Sample) error {
	for _, p := range all {
		if err := s.line(w, "  ", "  ", []part{{s.time, stamp(p.DetectedAt)}, {s.who, "@" + p.AuthorUsername}, {nil, clip(p.TweetText, 100)}}); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) showValidation(p printer, v *client.Validation) error {
	c.warn(v.Warnings)
	matches := fmt.Sprintf("%d of the newest posts", v.SampleResults)
	if v.SamplePosts != nil {
		matches = fmt.Sprintf("%d of the newest %d posts", v.SampleResults, *v.SamplePosts)
	}
	if err := p.sheet("valid", "yes", "matches", matches); err != nil {
		return err
	}
	s := c.paper(p.Writer)
	if err := s.samples(p, v.Samples); err != nil {
		return err
	}
	if v.Explanation == nil || v.Explanation.Clause == nil {
		return nil
	}
	which := "the newest of them, clause by clause:"
	if !v.Explanation.Clause.Matched {
		which = "none of them; the newest post, clause by clause:"
	}
	if _, err := fmt.Fprintln(p, which); err != nil {
		return err
	}
	e := v.Explanation
	if err := s.post(p, e.Clause.Matched, e.TweetID, e.AuthorUsername, e.TweetText); err != nil {
		return err
	}
	return s.explain(p, e.Clause, 1)
}

// warn says what is accepted and probably not meant, on stderr.
func (c *cli) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(c.stderr, "warning: %s\n", w)
	}
}

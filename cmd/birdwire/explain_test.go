package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

func TestTheCaretIsUnderItsPlace(t *testing.T) {
	long := strings.Repeat("abcdefghi ", 20)
	for name, c := range map[string]struct {
		query    string
		position int
		line     string
		column   int
	}{
		"begin":          {"abc", 0, "abc", 0},
		"end":            {"abc", 3, "abc", 3},
		"wide":           {"月面 x", 3, "月面 x", 5},
		"emoji":          {"🚀 x", 2, "🚀 x", 3},
		"combining":      {"e\u0301 x", 3, "e\u0301 x", 2},
		"lines":          {"a\n\tb", 3, "a  b", 3},
		"escape":         {"a\x1b[31m b", 7, "a·[31m b", 7},
		"reversed":       {"a\u202e b", 3, "a· b", 3},
		"not UTF-8":      {"a\xff b", 3, "a\ufffd b", 3},
		"middle of long": {long, 100, "…" + long[50:126] + "…", 51},
		"end of long":    {long, 200, "…" + long[150:], 51},
	} {
		line, mark := caret(c.query, c.position)
		if line != c.line || mark != strings.Repeat(" ", c.column)+"^" {
			t.Errorf("%s:\n%s\n%s\nwant %q and column %d", name, line, mark, c.line, c.column)
		}
	}
}

func TestAnErrorWithoutAPlaceStaysAsItIs(t *testing.T) {
	at := 9
	for _, err := range []error{errors.New("x"), &client.Error{Status: 422}, &client.Error{Status: 422, Position: &at}} {
		if got := inQuery("abc", err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestExplanationIsDrawn(t *testing.T) {
	e := &client.Explanation{Op: "all", Clauses: []*client.Explanation{
		{Op: "term", Clause: "moon", Matched: true, Reason: "in the text: moon\x1b[2J"},
		{Op: "not", Clauses: []*client.Explanation{{Op: "term", Clause: "is:retweet", Matched: true, Reason: "the post is a retweet"}}},
	}}
	var plain, colored bytes.Buffer
	if err := newScreen(30, true).explain(&plain, e, 0); err != nil {
		t.Fatal(err)
	}
	if want := "✗ all of\n  ✓ moon: in the text: moon[2J\n  ✗ not\n    ✓ is:retweet: the post is…\n"; plain.String() != want {
		t.Errorf("drawn as\n%swant\n%s", plain.String(), want)
	}
	if err := newScreen(80, false).explain(&colored, e, 0); err != nil || !strings.Contains(colored.String(), "\x1b[32m✓") || !strings.Contains(colored.String(), "\x1b[31m✗") {
		t.Errorf("%q, %v: want a green and a red mark", colored.String(), err)
	}
}

func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	b := bar{w: &out, screen: newScreen(80, true)}
	for done, want := range map[float64]string{
		0:   "\r" + strings.Repeat("░", 30) + "   0 %  7 of 1,234 posts match\x1b[K",
		0.5: "\r" + strings.Repeat("█", 15) + strings.Repeat("░", 15) + "  50 %  7 of 1,234 posts match\x1b[K",
		1:   "\r" + strings.Repeat("█", 30) + " 100 %  7 of 1,234 posts match\x1b[K",
	} {
		out.Reset()
		if b.show(client.Progress{Done: done, Posts: 1234, Matched: 7}); out.String() != want {
			t.Errorf("%v: %q, want %q", done, out.String(), want)
		}
	}
	out.Reset()
	if b.clear(); out.String() != "\r\x1b[K" {
		t.Errorf("cleared by %q", out.String())
	}
	silent := (&cli{}).newBar(&out)
	out.Reset()
	silent.show(client.Progress{Done: 1})
	if silent.clear(); out.Len() > 0 {
		t.Errorf("no terminal, and %q", out.String())
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 7: "7", 0.25: "0.25", 12.5: "12", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}

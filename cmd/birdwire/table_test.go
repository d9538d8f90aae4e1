package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/gateway/client"
)

// wide are texts whose characters, bytes and cells differ in number.
var wide = []string{
	"日本語のニュース見出しがここにあります。とても長い見出しです。", "Café — naïve résumé e\u0301te\u0301", "👩‍👩‍👧‍👦 🇨🇭 👍🏽 emoji 👍🏽 in a row 👍🏽",
	"한국어 제목 하나", "עברית וعربي", "plain ascii that is long enough to be cut at forty cells and more", "ﾊﾝｶｸ ｶﾅ", "",
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for width := 40; width <= 200; width++ {
		var rows [][]string
		for i, text := range wide {
			rows = append(rows, []string{fmt.Sprintf("rule-%010d", i), "active", text, wide[(i+3)%len(wide)], text})
		}
		var out bytes.Buffer
		if err := writeTable(&out, width, []string{"ID", "STATUS", "TAG", "QUERY", "REASON"}, rows); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if len(lines) != len(wide)+1 {
			t.Fatalf("width %d: %d lines", width, len(lines))
		}
		for i, line := range lines {
			if cells(line) > width {
				t.Errorf("width %d: %d cells: %q", width, cells(line), line)
			}
			if id := fmt.Sprintf("rule-%010d", i-1); i > 0 && !strings.HasPrefix(line, id) {
				t.Errorf("width %d: the id is cut: %q", width, line)
			}
		}
	}
}

func TestColumnsAreAlignedByCells(t *testing.T) {
	var out bytes.Buffer
	rows := [][]string{{"a", "日本語", "x"}, {"b", "e\u0301te\u0301", "y"}, {"c", "two\nlines \x1b[31m", "z"}}
	if err := writeTable(&out, 0, []string{"ID", "NAME", "LAST"}, rows); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	at := strings.Index(lines[0], "LAST")
	for i, last := range []string{"x", "y", "z"} {
		before, ok := strings.CutSuffix(lines[i+1], last)
		if !ok || cells(before) != at {
			t.Errorf("%q: the last column begins at cell %d, want %d", lines[i+1], cells(before), at)
		}
	}
}

// Into a pipe nothing is cut: programs read it.
func TestAPipeGetsWholeTexts(t *testing.T) {
	var out bytes.Buffer
	long := strings.Repeat("long ", 100) + "end"
	if err := (printer{Writer: &out}).table("ID URL", [][]string{{"a", long}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), long) {
		t.Errorf("cut: %q", out.String())
	}
}

func TestTailFitsTheTerminalByCells(t *testing.T) {
	for width := 40; width <= 200; width += 3 {
		for _, text := range wide {
			line := drawn(t, width, true, &client.Tweet{AuthorUsername: "ada", MonitorName: "市場の見張り", TweetType: "quote", TweetText: text + text + text})
			if got := cells(strings.TrimSuffix(line, "\n")); got > width {
				t.Errorf("width %d: %d cells: %q", width, got, line)
			}
		}
	}
}

package rule_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

var update = flag.Bool("update", false, "write the golden files again")

// golden runs say over every line of a file that is not indented, and holds
// the indented lines below it against the answer.
func golden(t *testing.T, file string, say func(rule string) []string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		out.WriteString(line + "\n")
		if line == "" || line[0] == '#' && strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# tag") {
			continue
		}
		var want []string
		for i+1 < len(lines) && strings.HasPrefix(lines[i+1], "    ") {
			i++
			want = append(want, lines[i][4:])
		}
		got := say(unescape(line))
		for _, g := range got {
			out.WriteString("    " + g + "\n")
		}
		if !*update && strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s\ngot  %s\nwant %s", line, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErrors(t *testing.T) {
	golden(t, "testdata/errors.txt", func(s string) []string {
		_, err := rule.Parse(s, rule.Limits{})
		var syntax *messages.SyntaxError
		if !errors.As(err, &syntax) {
			return []string{fmt.Sprintf("accepted (%v)", err)}
		}
		if n := len([]rune(s)); syntax.Position < 0 || syntax.Position > n || syntax.Found == "" || syntax.Expected == "" {
			t.Errorf("%s: an error without place, finding or expectation: %+v", s, syntax)
		}
		return []string{err.Error()}
	})
}

func TestWarnings(t *testing.T) {
	golden(t, "testdata/warnings.txt", func(s string) []string {
		r, err := rule.Parse(s, rule.Limits{})
		if err != nil {
			return []string{"refused: " + err.Error()}
		}
		out := []string{"= " + r.String()}
		for _, w := range r.Warnings {
			out = append(out, fmt.Sprintf("position %d: %s", w.Position, w.Text))
		}
		return out
	})
}

// hostile is what would make a careless parser slow, deep or wrong.
var hostile = []struct{ name, rule, want string }{
	{"empty", "", "position 0: found the end, expected a term"},
	{"spaces", " \t\n ", "found the end"},
	{"brackets", strings.Repeat("(", 1024), "position 64: found \"(\", expected at most 64 groups"},
	{"closed brackets", strings.Repeat("(", 512) + strings.Repeat(")", 512), "at most 64 groups"},
	{"negated brackets", strings.Repeat("-(", 512), "at most 64 groups"},
	{"closing brackets", strings.Repeat(")", 1024), "no group is open"},
	{"minuses", strings.Repeat("-", 1024), "right after the minus"},
	{"a thousand ORs", strings.Repeat("a OR ", 1000) + "a", "at most 1024 characters"},
	{"ORs alone", strings.Repeat("OR ", 341), "found \"OR\""},
	{"quotation marks", strings.Repeat(`"`, 1023), "between the quotation marks"},
	{"one open", `"` + strings.Repeat("a", 1000), "never closed"},
	{"colons", strings.Repeat(":", 1024), "a word, a number or an emoji"},
	{"operators", strings.Repeat("from:", 200), "a username"},
	{"unknown", strings.Repeat("a", 1000) + ":x", "unknown operator"},
	{"not UTF-8", "caf\xe9 noir", "position 3: found a byte that is not UTF-8"},
	{"half a rune", "cat \xf0\x9f\x98", "position 4: found a byte that is not UTF-8"},
	{"lost on the way", "caf\ufffd noir", "position 3: found U+FFFD"},
	{"surrogate", "cat \xed\xa0\x80", "not UTF-8"},
	{"NUL", "cat\x00dog", "position 3: found the control character U+0000"},
	{"escape", "cat \x1b[31m", "control character"},
	{"one too long", strings.Repeat("é", 1025), "position 1024: found 1025 characters, expected at most 1024"},
	{"megabytes", strings.Repeat("a OR ", 4<<20), "at most 1024 characters"},
	{"backslashes", `"` + strings.Repeat(`\`, 1000), "never closed"},
}

func TestHostileRules(t *testing.T) {
	for _, c := range hostile {
		_, err := rule.Parse(c.rule, rule.Limits{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want …%s…", c.name, err, c.want)
		}
	}
}

// Refusing costs no more than the longest rule that is accepted: how long it
// takes is BenchmarkParse's, what it allocates is held here.
func TestHostileRulesCostLittle(t *testing.T) {
	const most = 256 << 10
	for _, c := range hostile {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := rule.Parse(c.rule, rule.Limits{}); err == nil {
			t.Errorf("%s: accepted", c.name)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > most {
			t.Errorf("%s: refused with %d bytes allocated, want at most %d", c.name, n, most)
		}
	}
}

// The limit counts characters, and can be raised to 2,048.
func TestLength(t *testing.T) {
	for _, c := range []struct {
		n, limit int
		ok       bool
	}{
		{1024, 0, true},
		{1025, 0, false},
		{1025, 2048, true},
		{2048, 2048, true},
		{2049, 2048, false},
		{2049, 1 << 20, false},
		{11, 10, false},
	} {
		_, err := rule.Parse(strings.Repeat("é", c.n), rule.Limits{MaxCharacters: c.limit})
		if (err == nil) != c.ok {
			t.Errorf("%d characters, limit %d: %v", c.n, c.limit, err)
		}
	}
	if _, err := rule.Parse(strings.Repeat("(", 64)+"a"+strings.Repeat(")", 64), rule.Limits{}); err != nil {
		t.Errorf("64 groups inside each other: %v", err)
	}
}

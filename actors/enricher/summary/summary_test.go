package summary

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	const minutes = "Federal Reserve officials agreed that interest rates are likely to be cut in March, minutes of their meeting show."
	for name, c := range map[string]struct{ title, body, want string }{
		"the lead":           {"Fed signals March cut", "WASHINGTON (Reuters) - " + minutes + " Markets rose. The dollar fell against the yen in late trading.", minutes},
		"not the page's own": {"Fed signals March cut", "Sign up for our newsletter to get the latest news of the Fed and its rates in March.\n" + minutes + "\nMarkets rose on Friday.", minutes},
		"not the title":      {"Fed officials see a cut in March", "Fed officials see a cut in March. " + minutes, minutes},
		"no text":            {"Fed  signals\ncut", "", "Fed signals cut"},
		"too short":          {"Fed signals cut", "Read on.", "Fed signals cut"},
		"no spaces":          {"日銀", "日本銀行は政策金利を引き上げた。市場は反応した。", "日本銀行は政策金利を引き上げた。"},
		"nothing":            {"", "", ""},
	} {
		if got := Line(c.title, c.body); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSentences(t *testing.T) {
	for in, want := range map[string][]string{
		`Mr. Smith met U.S. officials. "It went well," he said. It cost $3.5 million.`: {`Mr. Smith met U.S. officials.`, `"It went well," he said.`, `It cost $3.5 million.`},
		"J. K. Rowling wrote it! Who? You. see":                                        {"J. K. Rowling wrote it!", "Who?", "You. see"},
		"One\ntwo. Three":                                                              {"One", "two.", "Three"},
		"彼は「はい。」と言った。次。":                                                               {"彼は「はい。」", "と言った。", "次。"},
		"LONDON, March 3 (Reuters) - It rains. Again.":                                 {"It rains.", "Again."},
		"PARIS — It rains.":                                                            {"It rains."},
		"The plan - it has three parts - was kept.":                                    {"The plan - it has three parts - was kept."},
	} {
		if got := sentences(in, 10); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("Fed", "One. Two! \xff. 。。")
	f.Add("x", "A (B) - ")
	f.Fuzz(func(t *testing.T, title, body string) {
		line := Line(title, body)
		if utf8.RuneCountInString(line) > Runes || strings.ContainsAny(line, "\n\r") {
			t.Errorf("%q is no line", line)
		}
		if utf8.ValidString(title) && utf8.ValidString(body) && !utf8.ValidString(line) {
			t.Errorf("%q is cut inside a character", line)
		}
	})
}

func TestLongTextsAreReadInPart(t *testing.T) {
	line := Line(strings.Repeat("long title ", 100_000), strings.Repeat("And so it goes on and on. ", 100_000))
	if line != "And so it goes on and on." {
		t.Errorf("%q", line)
	}
}

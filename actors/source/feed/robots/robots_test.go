package robots

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAllowed(t *testing.T) {
	for name, c := range map[string]struct {
		file, path string
		want       bool
	}{
		"nothing said":             {"", "/a", true},
		"for everybody":            {"User-agent: *\nDisallow: /a", "/ab", false},
		"elsewhere":                {"User-agent: *\nDisallow: /a", "/b", true},
		"empty is nothing":         {"User-agent: *\nDisallow:", "/a", true},
		"for others":               {"User-agent: Other\nDisallow: /", "/a", true},
		"for us":                   {"User-agent: *\nDisallow:\n\nUser-agent: Birdwire\nDisallow: /", "/a", false},
		"for us alone":             {"User-agent: *\nDisallow: /\nUser-agent: birdwire/2.0\nDisallow: /x", "/a", true},
		"not for a longer name":    {"User-agent: birdwirebot\nDisallow: /", "/a", true},
		"a group of several":       {"User-agent: Other\nUser-agent: BIRDWIRE\nDisallow: /a\n", "/a", false},
		"two groups of ours":       {"User-agent: birdwire\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: birdwire\nDisallow: /b", "/b", false},
		"the longest decides":      {"User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", true},
		"order does not matter":    {"User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/b/c", true},
		"as long: allowed":         {"User-agent: *\nDisallow: /a\nAllow: /a", "/a", true},
		"a star":                   {"User-agent: *\nDisallow: /*.pdf", "/x/y.pdf?z", false},
		"an end":                   {"User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", true},
		"an end that fits":         {"User-agent: *\nDisallow: /*.pdf$", "/x.pdf/y.pdf", false},
		"only that page":           {"User-agent: *\nDisallow: /$", "/a", true},
		"comments, blanks, CR":     {"\ufeff# x\r\nUSER-AGENT : * # all\rDisallow : /a # b\r", "/a", false},
		"lines that say nothing":   {"hello\nUser-agent: *\nfoo: bar\nCrawl-delay: x\nDisallow: /a", "/a", false},
		"other lines end no group": {"User-agent: birdwire\nSitemap: https://x.example/\nDisallow: /a", "/a", false},
		"the query counts":         {"User-agent: *\nDisallow: /*?s=", "/a?s=1", false},
		"before any group":         {"Disallow: /\nUser-agent: other\nDisallow: /", "/a", true},
	} {
		if got := Parse(c.file, "birdwire").Allowed(c.path); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if Nothing.Allowed("/") {
		t.Error("nothing allows something")
	}
}

func TestDelay(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "1e9": delayMost, "-1": 0, "x": 0, "NaN": 0, "Inf": 0,
	} {
		if got := Parse("User-agent: *\nCrawl-delay: "+in, "birdwire").Delay; got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
}

// A pattern is a small regular expression.
func TestOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := "/" + rapid.StringMatching(`[ab*]{0,6}\$?`).Draw(t, "pattern")
		path := "/" + rapid.StringMatching(`[ab]{0,8}`).Draw(t, "path")
		p, end := strings.CutSuffix(pattern, "$")
		expr := "^" + strings.ReplaceAll(regexp.QuoteMeta(p), `\*`, ".*")
		if end {
			expr += "$"
		}
		if got, want := fits(pattern, path), regexp.MustCompile(expr).MatchString(path); got != want {
			t.Fatalf("%s on %s: %v, want %v", pattern, path, got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("User-agent: *\nDisallow: /*a$\nCrawl-delay: 3", "/a")
	f.Fuzz(func(t *testing.T, file, path string) {
		r := Parse(file, "birdwire")
		if r.Delay < 0 || r.Delay > delayMost {
			t.Errorf("%v", r.Delay)
		}
		r.Allowed(path)
	})
}

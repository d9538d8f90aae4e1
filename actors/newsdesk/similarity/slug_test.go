package similarity

import (
	"strings"
	"testing"
)

func TestSlug(t *testing.T) {
	for link, want := range map[string]string{
		"https://a.example/2014/03/10/ferry-runs-aground-off-orvin-31786121.html": "ferry runs aground off orvin",
		"a.example/news/ferry_runs_aground.aspx?x=some-other-words-here":          "ferry runs aground",
		"https://a.example/world/ferry-aground/story-about-the-ferry/":            "story about the ferry",
		"https://a.example/caf%C3%A9-b%C3%BCrger-feiern":                          "café bürger feiern",
		"https://a.example/caf%-burns-down-again":                                 "caf burns down again",
		"https://a.example/local/sport-news/article_bfa794fe-a917-11e3":           "",
		"https://ferry-runs-aground.example":                                      "",
		"https://a.example/":                                                      "",
		"guid-that-is-no-address":                                                 "",
		"":                                                                        "",
		"https://a.example/" + strings.Repeat("x", 40) + "-one-two-three":         "one two three",
		"https://a.example/" + strings.Repeat("word-", 100):                       strings.TrimSpace(strings.Repeat("word ", slugMost)),
	} {
		if got := slug(link); got != want {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

// A headline that says nothing is put to its story by its address; a word that
// the title has is not counted again, and how an address is written says nothing
// of names.
func TestTheAddressTellsTheStory(t *testing.T) {
	e := engine(t, Config{})
	first := e.Add(Article{ID: 1, Title: "Ferry runs aground off Orvin island", Discovered: 1_700_000_000_000})[0]
	for i, link := range []string{"", "https://a.example/2023/passengers-of-orvin-ferry-aground-rescued"} {
		c := e.Add(Article{ID: int64(i + 2), Title: "What they say", Link: link, Discovered: 1_700_000_100_000})[0]
		if joined := c.Kind == Joined && c.Story == first.Story; joined != (link != "") {
			t.Errorf("%q: %+v", link, c)
		}
	}
	e = engine(t, Config{})
	e.Add(Article{ID: 1, Title: "Orvin ferry", Link: "https://a.example/orvin-ferry-sinks-fast", Discovered: 1_700_000_000_000})
	for _, c := range e.read.terms {
		if x := e.words.terms[c.term]; c.title != 1 || x.caps+x.lows > 1 || c.address == 1 && x.lows > 0 {
			t.Errorf("%+v is known as %+v", c, x)
		}
	}
	if n := len(e.read.terms); n != 4 {
		t.Errorf("%d terms, want 4", n)
	}
}

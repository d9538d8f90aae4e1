package load

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestSameSeedSameLoad(t *testing.T) {
	a, b := New(Config{Seed: 7, Skip: Broad}), New(Config{Seed: 7, Skip: Broad})
	for range 10 {
		b.Post() // posts do not disturb rules
	}
	for i := range 200 {
		if x, y := a.Rule(), b.Rule(); x != y {
			t.Fatalf("rule %d: %q and %q", i, x, y)
		}
	}
	for range 10 {
		a.Post()
	}
	for i := range 200 {
		if x, y := a.Post(), b.Post(); !proto.Equal(x, y) {
			t.Fatalf("post %d: %v and %v", i, x, y)
		}
	}
}

func TestWordsDiffer(t *testing.T) {
	seen := map[string]uint64{}
	for n := uint64(0); n < words; n += 1 + n/100_000*13 { // all of the common ones, some of the rest
		w := Word(n)
		if m, ok := seen[w]; ok {
			t.Fatalf("%d and %d are both %q", m, n, w)
		}
		seen[w] = n
	}
}

func TestSharesAreAsDescribed(t *testing.T) {
	g := New(Config{Seed: 1, Skip: Selective})
	const n = 8000
	count := map[string]int{}
	for range n {
		r := g.Rule()
		for _, part := range []string{"lang:", "-is:retweet", " OR "} {
			if strings.Contains(r, part) {
				count[part]++
			}
		}
		p := g.Post().GetPost()
		if p.GetRetweetOf() != nil {
			count["retweets"]++
		}
		if len(p.GetUrls()) > 0 {
			count["links"]++
		}
		if strings.Contains(p.GetText(), "#") {
			count["tags"]++
		}
	}
	for part, percent := range map[string]int{"lang:": 35, "-is:retweet": 40, " OR ": 30, "retweets": 45, "links": 30, "tags": 35} {
		if got := count[part] * 100 / n; got < percent-5 || got > percent+5 {
			t.Errorf("%s: %d %%, want about %d", part, got, percent)
		}
	}
}

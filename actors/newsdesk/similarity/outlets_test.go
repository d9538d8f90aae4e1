package similarity

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// stream is what outlets say: one of them, of ten articles one, by a pattern, in
// which each X is another word every time; the others of all kinds of things.
func stream(pattern string, n int) (all []Article) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		b := []byte{byte('A' + r.IntN(26))}
		for range 3 {
			b = append(b, "aeiou"[r.IntN(5)], "bdfgklmnprstv"[r.IntN(13)])
		}
		return string(b)
	}
	for i := range n {
		a := Article{ID: int64(i + 1), Source: fmt.Sprint("s", i%20), Discovered: 1_700_000_000_000 + int64(i)*minute}
		if a.Title = "X X X X X"; i%10 == 3 {
			a.Source, a.Title = "outlet", strings.ReplaceAll(pattern, "#", fmt.Sprint(i))
		}
		for strings.Contains(a.Title, "X") {
			a.Title = strings.Replace(a.Title, "X", strings.TrimLeft(word(), "X"), 1)
		}
		all = append(all, a)
	}
	return all
}

// largest is how many of the outlet's articles are in one story.
func largest(t *testing.T, articles []Article, outlet func(*Article) bool) (most, stories int) {
	t.Helper()
	e := engine(t, Config{})
	in := map[int64]int{}
	for i := range articles {
		for _, c := range e.Add(articles[i]) {
			switch {
			case c.Kind == Merged:
				in[c.Story] += in[c.Other]
				delete(in, c.Other)
			case (c.Kind == Created || c.Kind == Joined) && outlet(&articles[i]):
				in[c.Story]++
			}
		}
	}
	for _, n := range in {
		most = max(most, n)
	}
	return most, len(in)
}

// What an outlet's headlines have in common makes no story of them. A text that it
// posts again and again is one; and what several outlets tell is told by all words,
// however often one of them says them.
func TestAnOutletsPatternIsNoStory(t *testing.T) {
	of := func(a *Article) bool { return a.Source == "outlet" }
	for _, pattern := range []string{
		"X minister visits X", "Morning briefing: X, X and X", "Live updates: X X at X", "X shares fall after X X", "Recipe of the day: X with X",
		"Horoscope for X: X", "What to watch tonight: X", "Five things to know about X", "X vs X: preview, team news, odds",
	} {
		if most, stories := largest(t, stream(pattern, 400), of); most > 10 {
			t.Errorf("%s: of 40 articles %d are one story, of %d; want 10 at most", pattern, most, stories)
		}
	}
	half := stream("Morning briefing: X, X and X", 400) // of what the outlet says; the rest is news
	for i := range half {
		if i%20 == 13 {
			half[i].Title = half[i-1].Title
			half[i-1].Source = "outlet"
		}
	}
	if most, stories := largest(t, half, func(a *Article) bool { return strings.HasPrefix(a.Title, "Morning") }); most > 10 {
		t.Errorf("of 20 briefings among other news %d are one story, of %d", most, stories)
	}
	for _, copied := range []string{"Harbor Steel halts output at Brenford plant, update #", "Storm Orvin: update #"} {
		if most, stories := largest(t, stream(copied, 400), of); most != 40 {
			t.Errorf("%s: of 40 copies %d are one story, of %d", copied, most, stories)
		}
	}
	told := stream("Orvin canal blocked by ship: X X", 400)
	for i := range told {
		if told[i].Source == "outlet" {
			told[i].Source = fmt.Sprint("outlet", i/10%5)
		}
	}
	if most, stories := largest(t, told, func(a *Article) bool { return strings.HasPrefix(a.Source, "outlet") }); most != 40 {
		t.Errorf("of 40 articles of five outlets %d are one story, of %d", most, stories)
	}
}

// Who hands on what many say, under one name, tells many things often: that is no
// pattern. Everything from one source makes nearly the stories that it makes without.
func TestAnAggregatorHasNoPattern(t *testing.T) {
	count := func(source string) (stories int) {
		e := engine(t, Config{})
		for i, a := range made(3, 900, 150, 5*minute) {
			if a.Source = source; i%9 == 3 {
				continue // those have a pattern
			}
			for _, c := range e.Add(a) {
				switch c.Kind {
				case Created, Split:
					stories++
				case Merged:
					stories--
				}
			}
		}
		return stories
	}
	if without, one := count(""), count("wire"); one < without-without/20 || one > without+without/20 {
		t.Errorf("%d stories of one source, %d where none is named", one, without)
	}
}

// What is known of outlets has its bounds, and what is forgotten does not depend on
// who forgets it.
func TestOutletsAreForgotten(t *testing.T) {
	cfg := Config{Live: 50}
	straight, broken := engine(t, cfg), engine(t, cfg)
	for i := range 5 * outletsMost / 2 {
		a := Article{ID: int64(i + 1), Title: fmt.Sprintf("Orvin%d tells Harbor%d of Quartz%d", i, i*7, i*13), Source: fmt.Sprint("s", i), Discovered: 1_700_000_000_000 + int64(i)*minute}
		if i%2 == 0 { // one tells many things
			a.Source = "s"
		}
		straight.Add(a)
		broken.Add(a)
		if i%500 == 0 {
			var err error
			if broken, err = Restore(cfg, broken.Snapshot()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(straight.from) != outletsMost {
		t.Errorf("%d outlets are known, want %d", len(straight.from), outletsMost)
	}
	for _, x := range straight.from {
		if len(x.heads) > headsMost || len(x.words) > wordsMost || x.told > toldMost {
			t.Fatalf("%d headlines, %d words, %d told", len(x.heads), len(x.words), x.told)
		}
	}
	if !bytes.Equal(straight.Snapshot(), broken.Snapshot()) {
		t.Error("the snapshots differ in the end")
	}
}

package novelty

import (
	"encoding/json"
	"reflect"
	"testing"
)

const (
	at     = int64(1_772_323_200_000)
	minute = int64(60_000)
)

// Texts by what they share with the story before them.
var (
	retold   = Text{Nearest: 0.6, NearestTitle: 0.5, Whole: 0.65, NewTerms: 0.2, NewTitle: 0.1, NewNames: 0.05, Body: true}
	turned   = Text{Nearest: 0.05, NearestTitle: 0, Whole: 0.06, NewTerms: 0.85, NewTitle: 0.8, NewNames: 0.9, Body: true}
	newTitle = Text{NewTerms: 1, NewTitle: 1, NewNames: 1}
)

func TestScoreOrdersTexts(t *testing.T) {
	if turned.Score() <= 0 || retold.Score() >= unsure {
		t.Errorf("a turn scores %v, what is told again %v", turned.Score(), retold.Score())
	}
	for name, change := range map[string]func(*Text){
		"nearer to an article": func(x *Text) { x.Nearest += 0.2 },
		"a title like another": func(x *Text) { x.NearestTitle += 0.2 },
		"nearer to the story":  func(x *Text) { x.Whole += 0.2 },
		"fewer new terms":      func(x *Text) { x.NewTerms -= 0.2 },
		"fewer in its title":   func(x *Text) { x.NewTitle -= 0.2 },
	} {
		for _, base := range []Text{turned, retold, newTitle} {
			less := base
			if change(&less); less.Score() >= base.Score() {
				t.Errorf("%s: %v, before %v", name, less.Score(), base.Score())
			}
		}
	}
}

func TestConditions(t *testing.T) {
	first := Article{At: at, Publisher: "a", Text: newTitle}
	for _, c := range []struct {
		name   string
		before []Article
		a      Article
		want   bool
	}{
		{"the first article", nil, Article{At: at, Publisher: "a", Trusted: true, Text: turned}, false},
		{"a second publisher", []Article{first}, Article{At: at + minute, Publisher: "b", Text: turned}, true},
		{"the same publisher", []Article{first}, Article{At: at + minute, Publisher: "a", Text: turned}, false},
		{"the same, trusted", []Article{first}, Article{At: at + minute, Publisher: "a", Trusted: true, Text: turned}, true},
		{"a near-duplicate", []Article{first}, Article{At: at + minute, Publisher: "b", Trusted: true, Copy: true, Text: turned}, false},
		{"told again, however late", []Article{first}, Article{At: at + 100*24*60*minute, Publisher: "b", Text: retold}, false},
		{"within the cooldown", []Article{first, {At: at + minute, Publisher: "b", Text: turned}}, Article{At: at + 30*minute, Publisher: "c", Text: turned}, false},
		{"after the cooldown", []Article{first, {At: at + minute, Publisher: "b", Text: turned}}, Article{At: at + 31*minute, Publisher: "c", Text: turned}, true},
		{"dated before the last", []Article{first, {At: at + 50*minute, Publisher: "b", Text: turned}}, Article{At: at, Publisher: "c", Text: turned}, false},
	} {
		var s State
		for _, b := range c.before {
			s.Judge(b)
		}
		if got := s.Judge(c.a); (got == Minor || got == Major) != c.want {
			t.Errorf("%s: %v (%q)", c.name, got, got)
		}
	}
}

// What is between is for a model; its late answer does not break the cooldown.
func TestAsk(t *testing.T) {
	unclear := retold
	for unclear.Score() < unsure/2 {
		unclear.Nearest -= 0.01
		unclear.Whole -= 0.01
		unclear.NearestTitle -= 0.01
	}
	var s State
	s.Judge(Article{At: at, Publisher: "a", Text: newTitle})
	if got := s.Judge(Article{At: at + minute, Publisher: "b", Text: unclear}); got != Ask {
		t.Fatalf("%v for a score of %v", got, unclear.Score())
	}
	if got := s.Confirm(at+minute, Nothing); got != Nothing || s.Last != 0 {
		t.Errorf("refused: %v, %+v", got, s)
	}
	if got := s.Confirm(at+minute, Minor); got != Minor {
		t.Errorf("confirmed: %v", got)
	}
	if got := s.Confirm(at+2*minute, Major); got != Nothing {
		t.Errorf("confirmed in the cooldown: %v", got)
	}
}

func TestSnapshotAndBounds(t *testing.T) {
	var s, again State
	for i := range 1000 {
		s.Judge(Article{At: at + int64(i)*minute, Publisher: string(rune('a' + i)), Text: turned})
	}
	data, err := json.Marshal(&s)
	if err != nil || len(data) > 200 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := json.Unmarshal(data, &again); err != nil || !reflect.DeepEqual(s, again) {
		t.Errorf("%+v, want %+v, %v", again, s, err)
	}
}

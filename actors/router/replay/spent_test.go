package replay_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

// Each of 100 frames has a post that matches, one that does not, and an article.
func TestWhatMayHaveBeenSpent(t *testing.T) {
	log := &plainLog{first: 10}
	for i := range 100 {
		log.frames = append(log.frames, &messages.Frame{Events: []*messages.Event{
			post(fmt.Sprint("a", i), "rates are up"), post(fmt.Sprint("b", i), "nothing"),
			{Id: fmt.Sprint("c", i), Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{}}}},
		}})
	}
	queries := []*messages.Query{{K: 1, Want: &messages.Query_Rule{Rule: "rates"}}}
	posts := func(after messages.Position) *messages.Spender {
		return &messages.Spender{Api: messages.Api_API_TWITTER, After: uint64(after)}
	}
	news := func(after messages.Position) *messages.Spender {
		return &messages.Spender{Api: messages.Api_API_NEWSRANK, After: uint64(after)}
	}
	type spenders = []*messages.Spender
	check := func(name string, queries []*messages.Query, by spenders, through messages.Position, most, want int64) {
		t.Helper()
		if got, err := replay.Spent(context.Background(), log, queries, by, through, most); err != nil || got != want {
			t.Errorf("%s: %d, want %d, %v", name, got, want, err)
		}
	}
	check("the last ten frames", queries, spenders{posts(messages.EndOf(99))}, 0, 1000, 10)
	check("by two", queries, spenders{posts(messages.EndOf(99)), posts(messages.EndOf(104))}, 0, 1000, 15)
	check("news", queries, spenders{news(messages.EndOf(99))}, 0, 1000, 10)
	check("of both", queries, spenders{news(messages.EndOf(100)), posts(messages.EndOf(99))}, 0, 1000, 19)
	check("to a place before the end", queries, spenders{news(messages.EndOf(99)), posts(messages.EndOf(99))}, messages.At(105, 0), 1000, 5+6)
	check("to one before the beginning", queries, spenders{posts(messages.EndOf(99))}, messages.At(90, 0), 1000, 0)
	check("from within a frame", queries, spenders{posts(messages.At(109, 0)), news(messages.At(109, 0))}, 0, 1000, 1)
	check("no queries", nil, spenders{posts(messages.EndOf(99))}, 0, 1000, 0)
	check("the end", queries, spenders{posts(messages.EndOf(109))}, 0, 1000, 0)
	check("all that is held", queries, spenders{posts(messages.EndOf(9))}, 0, 1000, 100)
	check("more than asked for", queries, spenders{posts(messages.EndOf(9))}, 0, 5, 5)
	check("before what is held", queries, spenders{posts(messages.EndOf(99)), posts(messages.EndOf(3))}, 0, 1000, 1000)
	check("free of charge", queries, spenders{{Api: messages.Api_API_KITE, After: uint64(messages.EndOf(9))}}, 0, 1000, 0)
	check("by nobody knows whom", queries, nil, 0, 1000, 1000)

	log.frames[95] = nil
	check("with a gap", queries, spenders{posts(messages.EndOf(99))}, 0, 1000, 1000)
	check("before the gap", queries, spenders{posts(messages.EndOf(99))}, messages.EndOf(104), 1000, 5)
	for range 5000 {
		log.frames = append(log.frames, &messages.Frame{})
	}
	check("a long log", queries, spenders{posts(messages.EndOf(109))}, 0, 1000, 1000)
	check("a long log to a place in it", queries, spenders{posts(messages.EndOf(105))}, messages.EndOf(200), 1000, 4)
}

func TestAllOfALogFromItsBeginning(t *testing.T) {
	log := &plainLog{first: 1, frames: []*messages.Frame{{Events: []*messages.Event{post("a", "moon"), post("b", "moon")}}}}
	by := []*messages.Spender{{Api: messages.Api_API_TWITTER}}
	if got, err := replay.Spent(context.Background(), log, rules("moon"), by, 0, 1000); got != 2 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

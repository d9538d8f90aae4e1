package replay_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/birdwire/birdwire/actors/router/replay"
	"github.com/birdwire/birdwire/messages"
)

func TestWhatMayHaveBeenDeliveredSince(t *testing.T) {
	log := &plainLog{first: 10}
	for i := range 100 {
		log.frames = append(log.frames, &messages.Frame{Events: []*messages.Event{
			post(fmt.Sprint("a", i), "rates are up"), post(fmt.Sprint("b", i), "nothing"),
			{Id: fmt.Sprint("c", i), Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{}}}},
		}})
	}
	queries := []*messages.Query{{K: 1, Want: &messages.Query_Rule{Rule: "rates"}}}
	for _, c := range []struct {
		name          string
		queries       []*messages.Query
		from          messages.Position
		most          int64
		posts, others int64
		whole         bool
	}{
		{"the last ten frames", queries, messages.EndOf(99), 1000, 10, 10, true},
		{"from within a frame", queries, messages.At(109, 0), 1000, 0, 1, true},
		{"no queries", nil, messages.EndOf(99), 1000, 0, 10, true},
		{"the end", queries, messages.EndOf(109), 1000, 0, 0, true},
		{"more than asked for", queries, messages.EndOf(9), 5, 100, 5, false},
		{"before what is held", queries, messages.EndOf(3), 1000, 0, 0, false},
	} {
		posts, others, whole, err := replay.Since(context.Background(), log, c.queries, c.from, c.most)
		if err != nil || whole != c.whole || whole && (posts != c.posts || others != c.others) {
			t.Errorf("%s: %d posts, %d others, whole %v, %v", c.name, posts, others, whole, err)
		}
	}
	log.frames[95] = nil
	if _, _, whole, err := replay.Since(context.Background(), log, queries, messages.EndOf(99), 1000); whole || err != nil {
		t.Errorf("with a gap: whole %v, %v", whole, err)
	}
	for range 5000 {
		log.frames = append(log.frames, &messages.Frame{})
	}
	if _, _, whole, err := replay.Since(context.Background(), log, queries, messages.EndOf(99), 1000); whole || err != nil {
		t.Errorf("a long log: whole %v, %v", whole, err)
	}
}

package assembly

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/birdwire/birdwire/cluster/store"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
)

// readings counts the readings of a log, and calls then after each.
type readings struct {
	store.Journal
	n    int
	then func(n int)
}

func (r *readings) Read(ctx context.Context, from uint64) (store.Cursor, error) {
	c, err := r.Journal.Read(ctx, from)
	r.n++
	r.then(r.n)
	return c, err
}

// What is found of the record of deliveries is the newest, also where there is
// no time to look for all of it.
func TestTheNewestDeliveriesAreFound(t *testing.T) {
	const frames = historyFrames + 300
	s := memory.New(memory.Config{})
	var moons []messages.Position
	for i := range uint64(frames) {
		f := &messages.Frame{Node: "n", Incarnation: 1, Number: i + 1}
		for j, word := range []string{"moon", "stars"} {
			if word == "stars" && i%1000 != 999 {
				word = "nothing"
			}
			f.Events = append(f.Events, &messages.Event{
				Id:   fmt.Sprint(i, "/", j),
				Body: &messages.Event_Post{Post: &messages.Post{Id: fmt.Sprint(i, "/", j), Text: word, Author: &messages.Author{Id: "1", Username: "ada"}}},
			})
		}
		if _, err := s.Journal().Append(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		moons = append(moons, messages.At(i+1, 0))
	}
	queries := []*messages.Query{
		{K: 1, Want: &messages.Query_Rule{Rule: "moon"}},
		{K: 2, Want: &messages.Query_Rule{Rule: "stars"}},
	}
	find := func(queries []*messages.Query, most, endsAfter int) (byK [3][]messages.Position, read int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		log := &readings{Journal: s.Journal(), then: func(n int) {
			if n == endsAfter {
				cancel()
			}
		}}
		found, err := older{Log{log}}.Newest(ctx, queries, most)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			byK[f.K] = append(byK[f.K], f.Entry.Position)
		}
		return byK, log.n
	}
	want := func(got []messages.Position, all []messages.Position) {
		t.Helper()
		if !slices.Equal(got, all) {
			t.Errorf("found %d deliveries, want %d, the newest in the order of the log", len(got), len(all))
		}
	}
	stars := []messages.Position{messages.At(1000, 1), messages.At(2000, 1), messages.At(3000, 1), messages.At(4000, 1)}

	found, _ := find(queries, 100, 0)
	want(found[1], moons[frames-100:])
	want(found[2], stars)
	found, _ = find(queries, 10_000, 0)
	want(found[1], moons[frames-historyFrames:])
	found, _ = find(queries, 2, 0)
	want(found[2], stars[2:])
	if found, read := find(queries[:1], 100, 0); len(found[1]) != 100 || read > 2 {
		t.Errorf("%d deliveries were found in %d readings of a piece each", len(found[1]), read)
	}
	found, _ = find(queries, 10_000, 3) // the third piece is not read to its end
	want(found[1], moons[frames-2*historyPiece:])
}

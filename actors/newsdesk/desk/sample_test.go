package desk_test

import (
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/actors/source/item"
	"github.com/birdwire/birdwire/actors/source/push"
	"github.com/birdwire/birdwire/actors/source/sample"
)

// Whoever starts a server with the bundled sample sees a story break within the
// first minute, and not before there was time to connect.
func TestSampleBreaksInItsFirstMinute(t *testing.T) {
	for _, second := range []int{0, 13, 31, 47, 58} { // of the minute in which the server starts
		began := time.UnixMilli(begins).Add(time.Duration(second) * time.Second)
		now := began
		s, err := sample.New(sample.Config{
			Files: sample.Bundled(), Post: push.ParsePost, Article: push.ParseArticle,
			Now: func() time.Time { return now }, Rand: func(below uint64) uint64 { return below / 2 },
		})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorld(t, desk.Config{})
		w.desk.Begin()
		var mark []byte
		for now.Sub(began) < time.Minute {
			drafts, next, after, err := s.Poll(t.Context(), mark)
			if err != nil {
				t.Fatal(err)
			}
			mark = next
			for _, e := range item.Decide(drafts, nil, item.Rules{Source: "sample", NowMs: now.UnixMilli()}).Events {
				if e.GetPost() == nil {
					w.log = append(w.log, e)
				}
			}
			w.run(len(w.log))
			now = now.Add(after)
		}
		n := kinds(w.desk.Pending())
		var broke []time.Duration
		for _, e := range w.desk.Pending() {
			if e.GetStoryPriority().GetNewPriority() == "breaking" {
				broke = append(broke, time.UnixMilli(e.GetDetectedMs()).Sub(began))
			}
		}
		if len(broke) != 1 || broke[0] < 15*time.Second || n["ticker"] == 0 || n["ranked"] == 0 {
			t.Errorf("started at second %d: breaking after %v; %v", second, broke, n)
		}
	}
}

package sim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// Whatever happens to the node that has the newsdesk, it goes on at another, and
// no event about a story is missing, comes twice, or differs from what one that
// never failed would have said.
func TestStoriesGoOnElsewhere(t *testing.T) {
	for what, kinds := range map[string][]sim.Fault{
		"in peace": nil, "crash": {sim.Crash}, "freeze": {sim.Freeze}, "store down": {sim.StoreDown}, "cut": {sim.Cut}, "drain": {sim.Drain},
	} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				s := sim.NewScene(k, 3, 1, "moon")
				swarm := s.Swarm(kinds...)
				for i := range 28 {
					swarm.Step()
					s.Report(fmt.Sprint("n", 1+i%3), report(i))
					s.Advance(20 * time.Second)
				}
				swarm.Heal()
				s.Until(60*time.Second, "all articles are in the log", s.Reported)
				s.Advance(3 * time.Minute)
				told := s.CheckStories()
				if told["cluster_change"] < 2 || told["story_priority"] == 0 {
					t.Errorf("told %v: the test does not look where it should", told)
				}
				t.Logf("%v\n%v", swarm, told)
			})
		})
	}
}

// report is an article of one of four events, in words of its own.
func report(i int) *messages.Article {
	words := strings.Fields("fire furnaces workers output control smoke shift steel plant insurers trade prices")
	w := func(n int) string { return words[(i*n+n)%len(words)] }
	of := []string{"Harbor Brenford", "Quartz Tolmar", "Vellum Kestrel", "Orvin Marlow"}[i%4]
	return &messages.Article{
		Id: fmt.Sprint("a", i), Url: fmt.Sprintf("https://s%d.example/%d", i%7, i), SourceId: fmt.Sprint("s", i%7), SourceName: fmt.Sprint("S", i%7),
		Category: "business", Title: fmt.Sprintf("%s: %s and %s", of, w(1), w(5)), Description: fmt.Sprintf("What the %s of %s says about %s and %s", w(2), of, w(3), w(7)),
	}
}

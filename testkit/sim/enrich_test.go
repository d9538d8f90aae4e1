package sim_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/testkit"
	"github.com/birdwire/birdwire/testkit/sim"
)

// slowReader takes its time with each article, as a page's host does.
type slowReader struct{ turns map[uint64]int }

func (r slowReader) Read(_ context.Context, t enricher.Task) enricher.Outcome {
	n := t.Article.GetNumber()
	if r.turns[n]++; r.turns[n]%3 != 0 {
		return enricher.Outcome{Again: 400 * time.Millisecond}
	}
	return enricher.Outcome{Article: t.Article}
}

// Articles are enriched by the nodes together, each by the one whose lane it is in,
// and every one of them whatever happens to nodes, links and the store.
func TestArticlesAreEnrichedWhateverHappens(t *testing.T) {
	for what, kinds := range map[string][]sim.Fault{
		"in peace": nil, "crash": {sim.Crash}, "freeze": {sim.Freeze}, "store down": {sim.StoreDown}, "slow store": {sim.SlowStore}, "lost leader": {sim.LostLeader}, "cut": {sim.Cut}, "drain": {sim.Drain},
	} {
		t.Run(what, func(t *testing.T) {
			testkit.RunSeeds(t, seeds(t, 1), func(t *testing.T, k *testkit.Kit) {
				c := sim.NewEnriching(k, 3, slowReader{map[uint64]int{}})
				swarm := c.Swarm(kinds...)
				const articles = 60
				for i := range articles {
					swarm.Step()
					c.PublishArticle(fmt.Sprint("n", i%3+1), fmt.Sprint("a", i), "Landed")
					c.Advance(700 * time.Millisecond)
				}
				swarm.Heal()
				c.Until(5*time.Minute, "every article is enriched", func() bool {
					all, enriched := c.Enriched()
					return len(all) == articles && len(enriched) == articles
				})
			})
		})
	}
}

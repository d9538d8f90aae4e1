package assembly_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/cluster/store/memory"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

func newEnriching(t *testing.T, k *testkit.Kit, reader enricher.Reader) *node {
	n := &node{Kit: k, t: t, disk: memory.NewDisk(memory.Config{Now: k.Clock.Now}), enrich: reader}
	n.start()
	return n
}

// What is pushed comes twice: at once as it is, and enriched.
func TestArticlesAreEnriched(t *testing.T) {
	testkit.RunSeeds(t, 10, func(t *testing.T, k *testkit.Kit) {
		n := newEnriching(t, k, enricher.Reading{})
		n.makeKey("business")
		newsrank, kite := n.connect(messages.Api_API_NEWSRANK), n.connect(messages.Api_API_KITE)
		n.Tell(newsrank.pid, &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}})
		n.Advance(100 * time.Millisecond)
		newsrank.want("subscribed")
		n.article("a", "Landed on the moon")
		n.Advance(time.Second)
		newsrank.want("a", "a enriched")
		kite.want("connected", "a", "a enriched")
		if a := n.row("wire|id|a"); a.GetHeadlineSummary() != "Landed on the moon" || len(a.GetEmbedding()) != 1536 {
			t.Errorf("the item table has %v", a)
		}
		n.stop()
	})
}

// row is the article in the item table.
func (n *node) row(identity string) *messages.Article {
	n.t.Helper()
	states, err := n.store.Items().Get(n.t.Context(), []string{identity})
	if err != nil {
		n.t.Fatal(err)
	}
	return states[0].Item.GetArticle()
}

// slowly reads an article after its first tries failed.
type slowly struct {
	enricher.Reading
	fails map[uint64]int // by the article's number: tries so far
	most  int
}

func (s slowly) Read(ctx context.Context, t enricher.Task) enricher.Outcome {
	if n := t.Article.GetNumber(); s.fails[n] < s.most {
		if s.fails[n]++; s.fails[n]%2 == 0 {
			panic("cannot be read")
		}
		return enricher.Outcome{Again: time.Second}
	}
	return s.Reading.Read(ctx, t)
}

// Whatever fails, and whichever process dies when: every article is enriched
// once, and goes out at once all the same.
func TestEnrichmentLosesAndRepeatsNothing(t *testing.T) {
	testkit.RunSeeds(t, 20, func(t *testing.T, k *testkit.Kit) {
		random := k.Rand
		n := newEnriching(t, k, slowly{fails: map[uint64]int{}, most: int(random.Uint64N(6))})
		n.makeKey("business")
		seen := map[string]int{}
		look := func(s *socket) {
			for _, shown := range s.shown {
				seen[shown]++
			}
			s.shown = nil
		}
		kite := n.connect(messages.Api_API_KITE)
		const articles = 12
		for i := range articles {
			n.article(fmt.Sprint("a", i), "Landed")
			if look(kite); seen[fmt.Sprint("a", i)] != 1 {
				t.Fatalf("article %d was not shown at once", i)
			}
			switch random.Uint64N(4) {
			case 0:
				n.fail("node/enricher")
			case 1:
				n.fail("node/router")
			}
			n.Advance(time.Duration(random.Uint64N(3000)) * time.Millisecond)
		}
		n.Advance(2 * time.Minute)
		look(kite)
		for i := range articles {
			if got := seen[fmt.Sprintf("a%d enriched", i)]; got != 1 {
				t.Errorf("article %d was enriched %d times", i, got)
			}
		}
		n.stop()
	})
}

// A process that dies leaves nothing unenriched: the next one begins at the marks.
func TestEnrichmentGoesOnAfterADeath(t *testing.T) {
	testkit.RunSeeds(t, 10, func(t *testing.T, k *testkit.Kit) {
		n := newEnriching(t, k, slowly{fails: map[uint64]int{}, most: 1 << 30})
		n.makeKey("business")
		for i := range 5 {
			n.article(fmt.Sprint("a", i), "Landed")
			n.Advance(2 * time.Second)
		}
		testkit.Run(t, func(k *testkit.Kit) { // the one before is not stopped: it is dead
			n := &node{Kit: k, t: t, disk: n.disk, starts: 1, enrich: enricher.Reading{}}
			n.start()
			n.Advance(time.Minute)
			for i := range 5 {
				if a := n.row(fmt.Sprint("wire|id|a", i)); a.GetHeadlineSummary() == "" {
					t.Errorf("article %d was not enriched", i)
				}
			}
			n.stop()
		})
	})
}

package assembly_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// raw pushes an article that no parser has looked at.
func (n *node) raw(a *messages.Article) (taken bool) {
	n.t.Helper()
	var got proto.Message
	e := &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: a}}}
	n.actors.Ask(n.actors.Push(), &messages.Offer{Id: 1, Events: []*messages.Event{e}}, 30*time.Second, func(m proto.Message, err error) { got = m })
	n.Advance(2 * time.Second)
	appended, ok := got.(*messages.Appended)
	return ok && len(appended.GetDuplicates()) == 0
}

// Articles without a date, of 1970 and of 2090, without words, with as many as a
// frame holds: each is enriched, none stops the others, and the log takes all.
func TestOddArticlesAreEnriched(t *testing.T) {
	year := func(y int) int64 { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() }
	for name, a := range map[string]*messages.Article{
		"no date":            {Title: "Fed signals a cut"},
		"of 1970":            {Title: "Fed signals a cut", PublishedMs: 1},
		"of 2090":            {Title: "Fed signals a cut", PublishedMs: year(2090)},
		"no words":           {Title: "…"},
		"a long title":       {Title: strings.Repeat("word ", 40_000)},
		"as long as it may":  {Title: "x", Content: strings.Repeat("größer ", 26_000)},
		"one word, no space": {Title: strings.Repeat("ü", 90_000)},
		"a thousand names":   {Title: "x", Content: strings.Repeat("Jane Doe met John Roe and the Bank of England. ", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(k *testkit.Kit) {
				n := newEnriching(t, k, enricher.Reading{})
				n.makeKey("business")
				kite := n.connect(messages.Api_API_KITE)
				a.Id, a.SourceId, a.Url = "odd", "wire", "https://example.com/odd"
				if !n.raw(a) {
					t.Fatal("it was not taken")
				}
				n.article("after", "Landed")
				n.Advance(5 * time.Second)
				seen := strings.Join(kite.shown, ", ")
				for _, want := range []string{"odd enriched", "after enriched"} {
					if !strings.Contains(seen, want) {
						t.Errorf("%s is missing in %s", want, seen)
					}
				}
				row := n.row("wire|id|odd")
				if row.GetPublishedMs() != a.GetPublishedMs() || row.GetTitle() != a.GetTitle() || row.GetContentStatus() == "" {
					t.Errorf("%.200v", row)
				}
				n.stop()
			})
		})
	}
}

// gate lets articles through once it is open.
type gate struct {
	enricher.Reading
	open *int
	held map[uint64]bool // those that came while it was not
}

func (g gate) Read(ctx context.Context, t enricher.Task) enricher.Outcome {
	if *g.open == 0 {
		g.held[t.Article.GetNumber()] = true
		return enricher.Outcome{Again: time.Second}
	}
	return g.Reading.Read(ctx, t)
}

// More articles than an enricher may hold wait in the log: item.new is out at
// once, memory is bounded, and all are enriched when the way is free.
func TestTheLogIsTheQueue(t *testing.T) {
	testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
		open := 0
		held := map[uint64]bool{}
		n := newEnriching(t, k, gate{open: &open, held: held})
		n.makeKey("business")
		kite := n.connect(messages.Api_API_KITE)
		const articles = 400
		for i := range articles {
			a := &messages.Article{Id: fmt.Sprint("a", i), SourceId: "wire", Url: "https://example.com/", Title: "Landed", Content: strings.Repeat("word ", 25_000)}
			if !n.raw(a) {
				t.Fatal("an article was not taken")
			}
		}
		if len(kite.shown) != articles+1 {
			t.Fatalf("%d of %d were shown at once", len(kite.shown)-1, articles)
		}
		if len(held) < 100 || len(held) > 300 { // of 125 KB each, 32 MiB in all
			t.Errorf("%d articles were held", len(held))
		}
		open = 1
		n.Advance(2 * time.Minute)
		if enriched := len(kite.shown) - articles - 1; enriched != articles {
			t.Errorf("%d of %d are enriched", enriched, articles)
		}
		n.stop()
	})
}

// An edit or a withdrawal while an article is read: what was read is dropped, or
// comes before, and the last word is the source's.
func TestChangesWhileAnArticleIsRead(t *testing.T) {
	testkit.RunSeeds(t, 10, func(t *testing.T, k *testkit.Kit) {
		open := 0
		held := map[uint64]bool{}
		n := newEnriching(t, k, gate{open: &open, held: held})
		n.makeKey("business")
		kite := n.connect(messages.Api_API_KITE)
		n.article("a", "Fed signals a cut")
		n.article("b", "Storm hits coast")
		n.raw(&messages.Article{Id: "a", SourceId: "wire", SourceName: "Wire", Category: "business", Url: "https://example.com/a", Title: "Fed signals a rise"})
		e := &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: messages.ArticleAction_ARTICLE_DELETED, Article: &messages.Article{Id: "b", SourceId: "wire"},
		}}}
		n.offer(e)
		open = 1
		n.Advance(10 * time.Second)
		kite.want("connected", "a", "b", "a", "b", "a enriched")
		if a := n.row("wire|id|a"); a.GetHeadlineSummary() != "Fed signals a rise" {
			t.Errorf("%v", a)
		}
		n.stop()
	})
}

// A withdrawal carries what was found out: who filters by a ticker hears of it.
func TestAWithdrawalCarriesTheEnrichedArticle(t *testing.T) {
	testkit.Run(t, func(k *testkit.Kit) {
		n := newEnriching(t, k, enricher.Reading{})
		n.makeKey("business")
		kite := n.connect(messages.Api_API_KITE)
		n.Tell(kite.pid, &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Kite{Kite: &messages.KiteFilters{Tickers: []string{"MSFT"}}}})
		n.Advance(time.Second)
		n.article("a", "Microsoft sues")
		n.Advance(5 * time.Second)
		n.offer(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
			Action: messages.ArticleAction_ARTICLE_DELETED, Article: &messages.Article{Id: "a", SourceId: "wire"},
		}}})
		kite.want("connected", "subscribed", "a enriched", "a")
		n.stop()
	})
}

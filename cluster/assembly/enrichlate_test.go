package assembly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// late holds back offers of enriched articles on their way to the journal, as a
// journal does that has much to do.
type late struct {
	n     *node
	hold  bool
	held  []*messages.Offer
	atOne bool // they arrive with the next withdrawal, before its source has written it to the table
}

func delayed(n *node) *late {
	l := &late{n: n}
	n.drop = func(to string, m any) bool {
		if frame, ok := m.(*messages.FrameAppended); ok && l.atOne && frame.GetFrame().GetEvents()[0].GetArticle().GetAction() == messages.ArticleAction_ARTICLE_DELETED {
			l.atOne = false
			l.arrives()
		}
		offer, ok := m.(*messages.Offer)
		if !ok || !l.hold || to != n.actors.Journal().GetId() || offer.GetEvents()[0].GetSource() != "enricher" {
			return false
		}
		l.held = append(l.held, offer)
		return true
	}
	return l
}

func (l *late) arrives() {
	l.hold = false
	for _, offer := range l.held {
		l.n.System.Root.Send(l.n.actors.Journal(), offer)
	}
	l.held = nil
}

// withdraw has the source take the article back.
func (n *node) withdraw(id string) {
	n.offer(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{
		Action: messages.ArticleAction_ARTICLE_DELETED, Article: &messages.Article{Id: id, SourceId: "wire"},
	}}})
}

// about is an article about the one event that there is.
func (n *node) about(id, says string) {
	n.t.Helper()
	if !n.raw(&messages.Article{
		Id: id, SourceId: "wire", SourceName: "Wire", Category: "business", Url: "https://wire.example/" + id,
		Title:       "Harbor Steel furnaces on fire at Brenford plant, " + says,
		Description: "Workers left Harbor Steel's Brenford plant when furnaces caught fire; insurers and unions wait for " + says,
	}) {
		n.t.Fatal("an article was not taken")
	}
}

// last is the newest that the client had of the article.
func (s *socket) last(id string) string {
	said := ""
	for _, e := range s.had {
		if a := e.GetArticle(); a.GetArticle().GetId() == id {
			_, says, _ := strings.Cut(a.GetArticle().GetTitle(), ", ")
			action := strings.ToLower(strings.TrimPrefix(a.GetAction().String(), "ARTICLE_"))
			said = fmt.Sprint(action, " ", a.GetRevision(), " ", says)
		}
	}
	return said
}

// tells is what the articles of the one story say.
func (n *node) tells() (titles []string) {
	n.t.Helper()
	ask := func(q proto.Message) (got proto.Message) {
		n.actors.Ask(n.actors.Newsdesk(), q, time.Minute, func(m proto.Message, err error) { got = m })
		n.Advance(time.Second)
		return got
	}
	listed, ok := ask(&messages.ListStories{Limit: 10}).(*messages.StoriesListed)
	if !ok || len(listed.GetStories()) != 1 {
		n.t.Fatalf("want one story: %v", listed)
	}
	described, ok := ask(&messages.GetStory{Id: listed.GetStories()[0].GetId()}).(*messages.StoryDescribed)
	if !ok {
		n.t.Fatal("the story does not answer")
	}
	for _, a := range described.GetStory().GetKept() {
		_, says, _ := strings.Cut(a.GetTitle(), ", ")
		titles = append(titles, says)
	}
	return titles
}

// An enrichment that comes when its article is withdrawn, or says something
// else, is not the last that anybody hears: a client hears again what is true,
// and the story has what is true.
func TestALateEnrichmentIsSetRight(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(n *node, l *late)
		last  string
		story []string
	}{
		"withdrawn": {func(n *node, l *late) {
			n.withdraw("a")
		}, "deleted 2 one", []string{"two", "three"}},
		"withdrawn at that moment": {func(n *node, l *late) {
			l.atOne = true
			n.withdraw("a")
		}, "deleted 2 one", []string{"two", "three"}},
		"withdrawn and shown again": {func(n *node, l *late) {
			n.withdraw("a")
			l.hold = false
			n.about("a", "again")
			n.Advance(2 * time.Second)
		}, "enriched 3 again", []string{"two", "three", "again"}},
		"withdrawn, shown again and withdrawn": {func(n *node, l *late) {
			n.withdraw("a")
			n.about("a", "again")
			n.withdraw("a")
		}, "deleted 4 again", []string{"two", "three"}},
		"changed": {func(n *node, l *late) {
			n.about("a", "changed")
		}, "enriched 2 changed", []string{"two", "three", "changed"}},
		"changed and enriched": {func(n *node, l *late) {
			l.hold = false
			n.about("a", "changed")
			n.Advance(2 * time.Second)
		}, "enriched 2 changed", []string{"two", "three", "changed"}},
		"the enricher fails": {func(n *node, l *late) {
			n.withdraw("a")
			n.fail("node/enricher")
		}, "deleted 2 one", []string{"two", "three"}},
		"the newsdesk fails": {func(n *node, l *late) {
			n.withdraw("a")
			n.fail("node/newsdesk")
		}, "deleted 2 one", []string{"two", "three"}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
				n := newEnriching(t, k, enricher.Reading{})
				n.makeKey("business")
				kite := n.connect(messages.Api_API_KITE)
				l := delayed(n)
				n.about("b", "two")
				n.about("c", "three")
				n.Advance(2 * time.Second)
				l.hold = true
				n.about("a", "one")
				if len(l.held) != 1 {
					t.Fatalf("%d enrichments are held", len(l.held))
				}
				first := l.held
				c.then(n, l)
				l.arrives()
				switch k.Rand.Uint64N(3) { // and is set right whoever fails then
				case 0:
					n.System.Root.Send(n.actors.Journal(), first[0])
				case 1:
					n.fail("node/enricher")
				}
				n.Advance(2 * time.Minute)
				if got := kite.last("a"); got != c.last {
					t.Errorf("the last that a client heard is %q, want %q", got, c.last)
				}
				if got := n.tells(); fmt.Sprint(got) != fmt.Sprint(c.story) {
					t.Errorf("the story has %q, want %q", got, c.story)
				}
				n.stop()
			})
		})
	}
}

package assembly_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/birdwire/birdwire/actors/newsdesk/desk"
	"github.com/birdwire/birdwire/messages"
	"github.com/birdwire/birdwire/testkit"
)

// report is an article of a wire that several outlets tell in words of their own.
func (n *node) report(i int) {
	n.t.Helper()
	words := strings.Fields("fire furnaces workers output control smoke shift steel plant insurers trade prices")
	w := func(k int) string { return words[(i*k+k)%len(words)] }
	n.offer(&messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Article: &messages.Article{
		Id: fmt.Sprint("h", i), Url: fmt.Sprintf("https://s%d.example/%d", i%7, i), SourceId: fmt.Sprint("s", i%7), SourceName: fmt.Sprint("S", i%7), Category: "business",
		Title:       fmt.Sprintf("Harbor Steel %s: Brenford plant %s", w(1), w(5)),
		Description: fmt.Sprintf("Harbor Steel's Brenford plant: %s and %s, and what the %s say", w(3), w(7), w(2)),
	}}}})
}

// other is an article of nothing else.
func (n *node) other(i int) {
	n.t.Helper()
	n.article(fmt.Sprint("o", i), fmt.Sprintf("Quartz%d opens Vellum%d near Tolmar%d", i, i*7, i*13))
}

func storyKinds(events []*messages.Event) (kinds []string) {
	for _, e := range events {
		switch {
		case e.GetClusterChange() != nil:
			kinds = append(kinds, e.GetClusterChange().GetAction())
		case e.GetStoryPriority() != nil:
			kinds = append(kinds, e.GetStoryPriority().GetNewPriority())
		case e.GetClustersRanked() != nil:
			kinds = append(kinds, "ranked")
		}
	}
	return kinds
}

// Articles that are pushed make a story, and a client hears of it: that it
// began, where it stands, that it is urgent.
func TestArticlesMakeAStory(t *testing.T) {
	testkit.RunSeeds(t, 2, func(t *testing.T, k *testkit.Kit) {
		n := newNode(t, k)
		n.makeKey("business")
		r := n.read()
		for i := range 12 {
			n.report(i)
			n.other(i)
			n.Advance(2 * time.Minute)
		}
		n.Advance(2 * time.Minute)
		kinds := storyKinds(r.had)
		for _, k := range []string{"create", "ranked", "developing", "breaking"} {
			if !slices.Contains(kinds, k) {
				t.Errorf("no %s among %v", k, kinds)
			}
		}
		if first := kinds[0]; first != "create" {
			t.Errorf("the first that is heard of the story is %s", first)
		}
		n.Advance(3 * time.Hour) // nothing comes, and the story calms down
		if kinds := storyKinds(r.had); slices.Index(kinds[slices.Index(kinds, "breaking"):], "developing") < 0 {
			t.Errorf("after three quiet hours: %v", kinds)
		}
		n.stop()
	})
}

// read connects a reader of everything.
func (n *node) read() *socket {
	n.t.Helper()
	s := n.connect(messages.Api_API_NEWSRANK)
	n.Tell(s.pid, &messages.ClientSubscribed{Filters: &messages.ClientSubscribed_Newsrank{Newsrank: &messages.NewsrankFilters{}}})
	n.Advance(100 * time.Millisecond)
	return s
}

// told are the newsdesk's events among what a client had, by id; one that it
// had twice is an error.
func (s *socket) told() map[string]*messages.Event {
	s.n.t.Helper()
	all := map[string]*messages.Event{}
	for _, e := range s.had {
		if e.GetSource() != desk.Source {
			continue
		}
		if all[e.GetId()] != nil {
			s.n.t.Errorf("%s came twice", e.GetId())
		}
		all[e.GetId()] = e
	}
	return all
}

// Whatever fails, the newsdesk, one of its stories or what they depend on, and
// when: a client hears all that it would have heard, and nothing twice.
func TestAFailureRepeatsAndSkipsNoEvent(t *testing.T) {
	run := func(t *testing.T, k *testkit.Kit, disturb func(n *node, i int)) map[string]*messages.Event {
		n := newNode(t, k)
		n.makeKey("business")
		r := n.read()
		for i := range 12 {
			n.report(i)
			disturb(n, i)
			n.other(i)
			n.Advance(20 * time.Second)
		}
		n.Advance(3 * time.Minute)
		told := r.told()
		n.stop()
		return told
	}
	quiet := func(*node, int) {}
	for name, disturb := range map[string]func(n *node, i int){
		"the newsdesk": func(n *node, i int) { n.fail("node/newsdesk") },
		"a story":      func(n *node, i int) { n.fail("node/newsdesk/story-") },
		"the journal":  func(n *node, i int) { n.fail("node/journal") },
		"the router":   func(n *node, i int) { n.fail("node/router") },
		"now and then": func(n *node, i int) {
			if i%3 == 1 {
				n.fail("node/newsdesk")
				n.Advance(time.Duration(i*37) * time.Millisecond)
				n.fail("node/newsdesk")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.RunSeeds(t, 3, func(t *testing.T, k *testkit.Kit) {
				got := run(t, k, disturb)
				var want map[string]*messages.Event
				testkit.Run(t, func(k *testkit.Kit) { want = run(t, k, quiet) })
				compareTold(t, want, got)
			})
		})
	}
}

// compareTold compares all but rankings: of those of a time that is past the
// last one alone is told. Times differ by what a failure delays.
func compareTold(t *testing.T, want, got map[string]*messages.Event) {
	t.Helper()
	plain := func(all map[string]*messages.Event) (out []string) {
		for _, e := range all {
			if e.GetClustersRanked() == nil {
				out = append(out, storyKinds([]*messages.Event{e})...)
			}
		}
		slices.Sort(out)
		return out
	}
	if w, g := plain(want), plain(got); len(w) < 3 || !slices.Equal(w, g) {
		t.Errorf("told %v, want %v", g, w)
	}
}

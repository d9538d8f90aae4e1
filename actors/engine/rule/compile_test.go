package rule_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/birdwire/birdwire/actors/engine/rule"
	"github.com/birdwire/birdwire/messages"
)

func article(action messages.ArticleAction, a *messages.Article) *messages.Event {
	return &messages.Event{Body: &messages.Event_Article{Article: &messages.ArticleChange{Action: action, Article: a}}}
}

func axis(i int, also ...float32) []float32 {
	v := make([]float32, 1536)
	v[i] = 1
	for j, x := range also {
		v[i+1+j] = x
	}
	return v
}

// One of each kind of event, all about the same.
func newsEvents() map[string]*messages.Event {
	item := &messages.Article{
		Title: "Fed Signals Rate Cut, AI stocks up", Description: "Apple and Tesla rise as inflation slows",
		SourceId: "reuters", SourceName: "Reuters Business", Category: "business",
		Tags: []string{"federal reserve", "rates"}, Tickers: []string{"SPY", "AAPL"},
		EntityIds: []int64{42, 7}, Embedding: axis(0), EmbeddingModel: "m1",
	}
	return map[string]*messages.Event{
		"item.new":      article(messages.ArticleAction_ARTICLE_CREATED, item),
		"item.enriched": article(messages.ArticleAction_ARTICLE_ENRICHED, item),
		"item.updated":  article(messages.ArticleAction_ARTICLE_UPDATED, item),
		"item.deleted":  article(messages.ArticleAction_ARTICLE_DELETED, item),
		"story.development": {Body: &messages.Event_StoryDevelopment{StoryDevelopment: &messages.StoryDevelopment{
			Title: "Fed chair confirms cut", Headline: "Fed Signals Rate Cut", Category: "business", EntityIds: []int64{42}, Centroid: axis(0), EmbeddingModel: "m1",
		}}},
		"story.priority_changed": {Body: &messages.Event_StoryPriority{StoryPriority: &messages.StoryPriority{
			Headline: "Fed Signals Rate Cut", Category: "business", EntityIds: []int64{42}, Centroid: axis(0), EmbeddingModel: "m1",
		}}},
		"cluster.event": {Body: &messages.Event_ClusterChange{ClusterChange: &messages.ClusterChange{
			Action: "merge", Title: "Fed Signals Rate Cut", Category: "business", EntityIds: []int64{42}, Centroid: axis(0), EmbeddingModel: "m1",
		}}},
		"ticker.news": {Body: &messages.Event_TickerNews{TickerNews: &messages.TickerNews{
			Headline: "Fed Signals Rate Cut", Category: "business", Tickers: []*messages.TickerImpact{{Symbol: "SPY"}},
		}}},
	}
}

const newsOrder = "item.new item.enriched item.updated item.deleted clusters.ranked story.development story.priority_changed cluster.event ticker.news post"

// matching are the kinds of events that a query wants, in newsOrder.
func matching(t *testing.T, q *messages.Query) string {
	t.Helper()
	c, err := rule.Compile(q)
	if err != nil {
		t.Fatal(err)
	}
	events, d := newsEvents(), rule.Doc{}
	var out []string
	for _, kind := range strings.Fields(newsOrder) {
		switch kind {
		case "clusters.ranked":
			d.ResetRanked(&messages.RankedCluster{Title: "Fed Signals Rate Cut", Category: "business", TopSource: "Reuters"})
		case "post":
			d.Reset(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "Fed Signals Rate Cut"}}})
		default:
			d.Reset(events[kind])
		}
		if c.Match(&d) {
			out = append(out, kind)
		}
	}
	return strings.Join(out, " ")
}

// The contract's table of which filter restrains which event, row by row.
func TestNewsrank(t *testing.T) {
	const (
		items   = "item.new item.enriched"
		stories = "story.development story.priority_changed cluster.event"
		all     = items + " clusters.ranked " + stories + " ticker.news"
	)
	near := &messages.EmbeddingFilter{Embedding: axis(0), Threshold: 0.75, EmbeddingModel: "m1"}
	far := &messages.EmbeddingFilter{Embedding: axis(9), Threshold: 0.75, EmbeddingModel: "m1"}
	for _, c := range []struct {
		name string
		f    *messages.NewsrankFilters
		want string
	}{
		{"nothing asked", &messages.NewsrankFilters{}, all},
		{"articles", &messages.NewsrankFilters{Topics: []string{"articles"}}, items},
		{"stories", &messages.NewsrankFilters{Topics: []string{"stories"}}, "clusters.ranked " + stories},
		{"tickers", &messages.NewsrankFilters{Topics: []string{"tickers"}}, "ticker.news"},
		{"two topics", &messages.NewsrankFilters{Topics: []string{"tickers", "articles"}}, items + " ticker.news"},
		{"category", &messages.NewsrankFilters{Categories: []string{"Business", "sport"}}, all},
		{"another category", &messages.NewsrankFilters{Categories: []string{"sport"}}, ""},
		{"source", &messages.NewsrankFilters{Sources: []string{"bbc", "REUTERS"}}, all},
		{"another source restrains items alone", &messages.NewsrankFilters{Sources: []string{"bbc"}}, "clusters.ranked " + stories + " ticker.news"},
		{"the source's name is not its id", &messages.NewsrankFilters{Sources: []string{"Reuters Business"}, Topics: []string{"articles"}}, ""},
		{"keyword", &messages.NewsrankFilters{Keywords: []string{"climate", "fed"}}, all},
		{"phrase", &messages.NewsrankFilters{Keywords: []string{"rate cut"}}, all},
		{"phrase in another order", &messages.NewsrankFilters{Keywords: []string{"cut rate"}}, ""},
		{"part of a word", &messages.NewsrankFilters{Keywords: []string{"sign"}}, ""},
		{"AI does not hit said", &messages.NewsrankFilters{Keywords: []string{"AI"}}, items},
		{"keyword of the description", &messages.NewsrankFilters{Keywords: []string{"inflation"}}, ""},
		{"keyword of the development's title", &messages.NewsrankFilters{Keywords: []string{"chair"}}, "story.development"},
		{"entity", &messages.NewsrankFilters{Entities: []int64{42, 108}}, all},
		{"another entity never blocks item.new", &messages.NewsrankFilters{Entities: []int64{108}}, "item.new clusters.ranked ticker.news"},
		{"entity of the item alone", &messages.NewsrankFilters{Entities: []int64{7}}, items + " clusters.ranked ticker.news"},
		{"ticker", &messages.NewsrankFilters{Tickers: []string{"SPY"}}, all},
		{"another ticker restrains ticker.news alone", &messages.NewsrankFilters{Tickers: []string{"TSLA"}}, items + " clusters.ranked " + stories},
		{"near", &messages.NewsrankFilters{EmbeddingFilters: []*messages.EmbeddingFilter{far, near}}, all},
		{"far", &messages.NewsrankFilters{EmbeddingFilters: []*messages.EmbeddingFilter{far}}, "clusters.ranked ticker.news"},
		{"of the events' model", &messages.NewsrankFilters{EmbeddingFilters: []*messages.EmbeddingFilter{
			{Embedding: axis(0), Threshold: 1, EmbeddingModel: "m1"},
		}}, all},
		{"of another model", &messages.NewsrankFilters{Topics: []string{"articles"}, EmbeddingFilters: []*messages.EmbeddingFilter{
			{Embedding: axis(0), Threshold: 0.5, EmbeddingModel: "m2"},
		}}, ""},
		{"of no model", &messages.NewsrankFilters{Topics: []string{"articles"}, EmbeddingFilters: []*messages.EmbeddingFilter{
			{Embedding: axis(0), Threshold: 0.5},
		}}, ""},
		{"all of them", &messages.NewsrankFilters{
			Categories: []string{"business"}, Sources: []string{"reuters"}, Keywords: []string{"fed"}, Entities: []int64{42},
			Tickers: []string{"$spy"}, EmbeddingFilters: []*messages.EmbeddingFilter{near},
		}, all},
		{"AND between the fields", &messages.NewsrankFilters{Topics: []string{"articles"}, Sources: []string{"reuters"}, Keywords: []string{"sport"}}, ""},
		{"blanks are not there", &messages.NewsrankFilters{Keywords: []string{"", " "}, Categories: []string{""}}, all},
	} {
		if got := matching(t, &messages.Query{Want: &messages.Query_Newsrank{Newsrank: c.f}}); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestKite(t *testing.T) {
	const all = "item.new item.enriched item.updated item.deleted"
	for _, c := range []struct {
		name string
		f    *messages.KiteFilters
		want string
	}{
		{"nothing asked", &messages.KiteFilters{}, all},
		{"source by name", &messages.KiteFilters{Sources: []string{"BBC News", "reuters business"}}, all},
		{"not by id", &messages.KiteFilters{Sources: []string{"reuters"}}, ""},
		{"category", &messages.KiteFilters{Categories: []string{"BUSINESS"}}, all},
		{"another", &messages.KiteFilters{Categories: []string{"central_banks"}}, ""},
		{"keyword of the title", &messages.KiteFilters{Keywords: []string{"Gold", "Fed"}}, all},
		{"of the description", &messages.KiteFilters{Keywords: []string{"inflation"}}, all},
		{"of a ticker", &messages.KiteFilters{Keywords: []string{"aapl"}}, all},
		{"of a tag", &messages.KiteFilters{Keywords: []string{"Federal Reserve"}}, all},
		{"not over two tags", &messages.KiteFilters{Keywords: []string{"reserve rates"}}, ""},
		{"not over title and description", &messages.KiteFilters{Keywords: []string{"up apple"}}, ""},
		{"part of a word", &messages.KiteFilters{Keywords: []string{"infla"}}, ""},
		{"ticker", &messages.KiteFilters{Tickers: []string{"BTC", "SPY"}}, all},
		{"ticker as people write it", &messages.KiteFilters{Tickers: []string{"$spy"}}, all},
		{"another ticker", &messages.KiteFilters{Tickers: []string{"BTC"}}, ""},
		{"company in the description", &messages.KiteFilters{Companies: []string{"Tesla"}}, all},
		{"a tag is no company", &messages.KiteFilters{Companies: []string{"federal reserve"}}, ""},
		{"AND between the groups", &messages.KiteFilters{Companies: []string{"Tesla"}, Keywords: []string{"gold"}}, ""},
		{"both", &messages.KiteFilters{Companies: []string{"Tesla"}, Keywords: []string{"fed"}, Tickers: []string{"SPY"}}, all},
		{"given but empty", &messages.KiteFilters{Sources: []string{}, Supplied: []string{"sources"}}, all},
	} {
		if got := matching(t, &messages.Query{Want: &messages.Query_Kite{Kite: c.f}}); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestMonitor(t *testing.T) {
	post := func(a *messages.Author) *messages.Event {
		return &messages.Event{Body: &messages.Event_Post{Post: &messages.Post{Text: "hi", Author: a}}}
	}
	c, err := rule.Compile(&messages.Query{Want: &messages.Query_Monitor{Monitor: &messages.MonitorQuery{
		Usernames: []string{"elonmusk", "NASA", "@esa"}, AuthorIds: []string{"44196397"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Class != rule.ClassPost || c.Sample != 100 {
		t.Errorf("class %v, sample %d", c.Class, c.Sample)
	}
	for _, x := range []struct {
		author *messages.Author
		want   bool
	}{
		{&messages.Author{Username: "ElonMusk", Id: "44196397"}, true},
		{&messages.Author{Username: "renamed", Id: "44196397"}, true},
		{&messages.Author{Username: "nasa"}, true},
		{&messages.Author{Username: "ESA", Id: "5"}, true},
		{&messages.Author{Username: "elonmusk2", Id: "6"}, false},
		{nil, false},
	} {
		var d rule.Doc
		d.Reset(post(x.author))
		if c.Match(&d) != x.want {
			t.Errorf("%v: want %v", x.author, x.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	filter := func(v []float32, threshold float64) *messages.Query {
		return &messages.Query{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{
			EmbeddingFilters: []*messages.EmbeddingFilter{{Embedding: v, Threshold: threshold}},
		}}}
	}
	bad := axis(0)
	bad[77] = float32(math.NaN())
	infinite := axis(0)
	infinite[77] = float32(math.Inf(-1))
	for _, c := range []struct {
		name, want string
		q          *messages.Query
	}{
		{"nothing", "asks for nothing", &messages.Query{}},
		{"no query", "asks for nothing", nil},
		{"monitor of nobody", "without accounts", &messages.Query{Want: &messages.Query_Monitor{Monitor: &messages.MonitorQuery{Usernames: []string{" ", "@"}}}}},
		{"topic", `"sports" is none of`, &messages.Query{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{Topics: []string{"sports"}}}}},
		{"keyword of signs", `keywords: "!!"`, &messages.Query{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{Keywords: []string{"!!"}}}}},
		{"company of signs", `companies: "&"`, &messages.Query{Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Companies: []string{"&"}}}}},
		{"kite keyword of signs", `keywords: "…"`, &messages.Query{Want: &messages.Query_Kite{Kite: &messages.KiteFilters{Keywords: []string{"…"}}}}},
		{"short vector", "has 3 numbers, want 1536", filter([]float32{1, 2, 3}, 0.75)},
		{"NaN", "embedding[77] is not a finite number", filter(bad, 0.75)},
		{"infinity", "embedding[77] is not a finite number", filter(infinite, 0.75)},
		{"zeros", "all zeros", filter(make([]float32, 1536), 0.75)},
		{"low threshold", "threshold is 0.4", filter(axis(0), 0.4)},
		{"high threshold", "threshold is 1.1", filter(axis(0), 1.1)},
		{"no threshold", "threshold is NaN", filter(axis(0), math.NaN())},
		{"eleven filters", "11 of them, at most 10", &messages.Query{Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{
			EmbeddingFilters: make([]*messages.EmbeddingFilter, 11),
		}}}},
	} {
		_, err := rule.Compile(c.q)
		if !errors.Is(err, rule.ErrQuery) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want …%s…", c.name, err, c.want)
		}
	}
	_, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: "cat OR"}})
	var syntax *messages.SyntaxError
	if !errors.As(err, &syntax) || syntax.Position != 6 {
		t.Errorf("a rule: %v", err)
	}
	if _, err := rule.Compile(&messages.Query{Want: &messages.Query_Rule{Rule: strings.Repeat("a", 2000)}}); err != nil {
		t.Errorf("a rule that a larger limit let in stays valid: %v", err)
	}
}

func TestSimilarity(t *testing.T) {
	v := axis(0, 1) // 45° from axis 0
	f := func(threshold float64) []*messages.EmbeddingFilter {
		return []*messages.EmbeddingFilter{{Embedding: axis(9), Threshold: 0.5}, {Embedding: axis(0), Threshold: threshold}, {Embedding: v, Threshold: 1}}
	}
	cos := 1 / math.Sqrt2
	if s, ok := rule.Similarity(f(0.5), axis(0), ""); !ok || s != 1 {
		t.Errorf("with itself: %v %v", s, ok)
	}
	got, ok := rule.Similarity(f(0.5)[:2], v, "")
	if !ok || math.Abs(got-cos) > 1e-12 {
		t.Errorf("45°: %v %v", got, ok)
	}
	if _, ok := rule.Similarity(f(got)[:2], v, ""); !ok {
		t.Error("the threshold itself is enough")
	}
	if _, ok := rule.Similarity(f(math.Nextafter(got, 1))[:2], v, ""); ok {
		t.Error("one step above it is not")
	}
	if _, ok := rule.Similarity(f(0.5), nil, ""); ok {
		t.Error("an event without a vector passes no filter")
	}
	if _, ok := rule.Similarity(f(0.5), make([]float32, 1536), ""); ok {
		t.Error("a vector of zeros is near nothing")
	}
}

// An event of each kind has its classes, and those without a document none.
func TestClasses(t *testing.T) {
	var d rule.Doc
	for kind, e := range newsEvents() {
		want := rule.ClassNewsrank
		if strings.HasPrefix(kind, "item.") {
			want |= rule.ClassKite
		}
		if d.Reset(e); d.Classes != want || d.Type != kind {
			t.Errorf("%s: type %s, classes %b", kind, d.Type, d.Classes)
		}
	}
	for _, e := range []*messages.Event{nil, {}, {Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{}}}} {
		if d.Reset(e); d.Classes != 0 {
			t.Errorf("%v: classes %b", e, d.Classes)
		}
	}
	for _, e := range []*messages.Event{
		{Body: &messages.Event_Post{}},
		{Body: &messages.Event_Article{}},
		{Body: &messages.Event_StoryDevelopment{}},
		{Body: &messages.Event_StoryPriority{}},
		{Body: &messages.Event_ClusterChange{}},
		{Body: &messages.Event_TickerNews{}},
	} {
		d.Reset(e) // a hollow event must not stop a router
	}
}

// The newsdesk reads all that is no post, and its word of the time and a model's
// verdicts, which no client is shown.
func TestNewsdeskReadsAllButPosts(t *testing.T) {
	q := &messages.Query{Want: &messages.Query_Newsdesk{Newsdesk: &messages.NewsdeskQuery{}}}
	if got, want := matching(t, q), strings.TrimSuffix(newsOrder, " post"); got != want {
		t.Errorf("the newsdesk reads %s, want %s", got, want)
	}
	for reader, q := range map[string]*messages.Query{
		"newsdesk": q,
		"newsrank": {Want: &messages.Query_Newsrank{Newsrank: &messages.NewsrankFilters{}}},
		"kite":     {Want: &messages.Query_Kite{Kite: &messages.KiteFilters{}}},
	} {
		c, err := rule.Compile(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range []*messages.Event{
			{Body: &messages.Event_DeskTime{DeskTime: &messages.DeskTime{AtMs: 7}}},
			{Body: &messages.Event_StoryVerdict{StoryVerdict: &messages.StoryVerdict{Article: 7, Significance: "minor"}}},
		} {
			var d rule.Doc
			d.Reset(e)
			if got, want := c.Match(&d), reader == "newsdesk"; got != want {
				t.Errorf("%s is shown %v: %v, want %v", reader, e, got, want)
			}
		}
	}
}

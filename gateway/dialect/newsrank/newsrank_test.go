package newsrank_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/gateway/dialect"
	"github.com/birdwire/birdwire/gateway/dialect/newsrank"
	"github.com/birdwire/birdwire/messages"
)

var codec = newsrank.Codec{Model: "birdwire-hash-1"}

// golden is a sample of the published document, compacted.
func golden(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func article() *messages.Article {
	return &messages.Article{
		Number: 98201, UrlHash: "a1b2c3...", Title: "Fed Signals Rate Cut in March Meeting Minutes", Url: "https://reuters.com/...",
		SourceId: "reuters", SourceName: "Reuters", Category: "business", PublishedMs: 1708789800000, DiscoveredMs: 1708789810000,
		Excerpt: "Federal Reserve meeting minutes revealed...", EntityIds: []int64{42, 108},
	}
}

func item(action messages.ArticleAction, a *messages.Article) *messages.Delivery {
	return &messages.Delivery{Event: &messages.Event{Body: &messages.Event_Article{
		Article: &messages.ArticleChange{Action: action, Article: a},
	}}}
}

func frame(d *messages.Delivery, form dialect.Form) string { return string(codec.Event(nil, d, form)) }

func event(e *messages.Event) *messages.Delivery { return &messages.Delivery{Event: e} }

func TestFramesAreTheDocumentsOwn(t *testing.T) {
	enriched := article()
	enriched.HeadlineSummary = "Fed minutes show consensus for March cut"
	development := &messages.StoryDevelopment{
		ClusterId: 1042, Title: "Fed Chair confirms March rate cut",
		Description:  "Jerome Powell confirmed in testimony that the March rate cut is 'highly likely', shifting from previous cautious language.",
		Significance: "major", Headline: "Federal Reserve Signals March Rate Cut", Category: "business",
		PreviousHeadline: "Fed Officials Discuss Possible Rate Adjustment", NewHeadline: "Federal Reserve Signals March Rate Cut",
		CreatedMs: 1708858412000, EnrichmentSeq: 3,
	}
	priority := &messages.StoryPriority{
		ClusterId: 1042, Headline: "Federal Reserve Signals March Rate Cut", Category: "business",
		PreviousPriority: "developing", NewPriority: "breaking", OverallScore: 87.5, AccelerationScore: 80,
	}
	merge := &messages.ClusterChange{Action: "merge", ClusterId: 1042, MergedFrom: 1038, MemberCount: 15}
	for name, d := range map[string]*messages.Delivery{
		"item_new":               item(messages.ArticleAction_ARTICLE_CREATED, article()),
		"item_enriched":          item(messages.ArticleAction_ARTICLE_ENRICHED, enriched),
		"story_development":      event(&messages.Event{Body: &messages.Event_StoryDevelopment{StoryDevelopment: development}}),
		"story_priority_changed": event(&messages.Event{Body: &messages.Event_StoryPriority{StoryPriority: priority}}),
		"cluster_event":          event(&messages.Event{Body: &messages.Event_ClusterChange{ClusterChange: merge}}),
	} {
		want := golden(t, name)
		if got := frame(d, dialect.Form{}); got != want {
			t.Errorf("%s\n got %s\nwant %s", name, got, want)
		}
		if got := frame(d, dialect.Form{Cursor: "abcdefgh-1.0"}); got != strings.TrimSuffix(want, "}")+`,"cursor":"abcdefgh-1.0"}` {
			t.Errorf("%s with cursor: %s", name, got)
		}
	}
}

// The document's entry, with our additions at its end.
func TestClustersRanked(t *testing.T) {
	d := event(&messages.Event{Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{Clusters: []*messages.RankedCluster{{
		Id: 1042, Title: "Federal Reserve Signals March Rate Cut", ArticleCount: 12, Category: "business", TopSource: "Reuters",
		Rank: 1, OverallScore: 87.5, Velocity: 3.25, AccelerationScore: 80, Priority: "breaking",
	}}}}})
	want := strings.Replace(golden(t, "clusters_ranked"), `"top_source":"Reuters"`,
		`"top_source":"Reuters","rank":1,"overall_score":87.5,"velocity":3.25,"acceleration_score":80,"priority":"breaking"`, 1)
	if got := frame(d, dialect.Form{}); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestTickerNews(t *testing.T) {
	d := event(&messages.Event{Body: &messages.Event_TickerNews{TickerNews: &messages.TickerNews{
		ClusterId: 7, Headline: "h", Category: "business", Tickers: []*messages.TickerImpact{{
			Symbol: "AAPL", AssetClass: "equity", Sentiment: "positive", SentimentScore: 0.5, Impact: "high", ImpactScore: 0.75, Rationale: "r", Confidence: 0.9,
		}},
	}}})
	want := `{"type":"ticker.news","data":{"cluster_id":7,"headline":"h","category":"business","tickers":[{"symbol":"AAPL","asset_class":"equity",` +
		`"sentiment":"positive","sentiment_score":0.5,"impact":"high","impact_score":0.75,"rationale":"r","confidence":0.9}]}}`
	if got := frame(d, dialect.Form{}); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestOptionalFieldsAndAdditionsComeInOrder(t *testing.T) {
	a := article()
	a.HeadlineSummary, a.Slug, a.SourceLanguage, a.ImageUrl, a.VideoUrl, a.ContentStatus = "hs", "sl", "en", "i", "v", "full"
	a.PublishedMs = 0
	a.Embedding, a.EmbeddingModel = []float32{0.1, -0.25}, "birdwire-hash-1"
	d := item(messages.ArticleAction_ARTICLE_ENRICHED, a)
	d.Similarity = 0.875
	got := frame(d, dialect.Form{Embeddings: true, Cursor: "abcdefgh-1.0"})
	if !strings.Contains(got, `"published_at":0,`) {
		t.Errorf("unknown date: %s", got)
	}
	want := `,"headline_summary":"hs","slug":"sl","source_language":"en","image_url":"i","video_url":"v","content_status":"full"},` +
		`"entity_ids":[42,108],"similarity":0.875,"embedding":[0.1,-0.25],"embedding_model":"birdwire-hash-1","cursor":"abcdefgh-1.0"}`
	if !strings.HasSuffix(got, want) {
		t.Errorf("got %s\nwant at its end %s", got, want)
	}
	if got := frame(d, dialect.Form{}); strings.Contains(got, "embedding") {
		t.Errorf("embedding that nobody asked for: %s", got)
	}
}

func TestNotShown(t *testing.T) {
	for _, d := range []*messages.Delivery{
		item(messages.ArticleAction_ARTICLE_UPDATED, article()),
		item(messages.ArticleAction_ARTICLE_DELETED, article()),
		event(&messages.Event{Body: &messages.Event_Post{Post: &messages.Post{}}}),
		event(&messages.Event{}),
	} {
		if got := frame(d, dialect.Form{Cursor: "abcdefgh-1.0"}); got != "" {
			t.Errorf("%v made %s", d, got)
		}
	}
}

// No event makes a frame that a client library would refuse to read.
func TestNoFrameIsLongerThanClientsRead(t *testing.T) {
	huge := strings.Repeat("\x01", 6_000) // six bytes each in JSON
	wide := strings.Repeat("日本語 ", 4_000)
	long := article()
	long.Title, long.Excerpt, long.Url, long.Slug, long.HeadlineSummary = wide, huge, wide, huge, huge
	long.SourceId, long.SourceName, long.Category, long.UrlHash, long.ImageUrl, long.VideoUrl = huge, huge, huge, huge, huge, huge
	long.SourceLanguage, long.ContentStatus = huge, huge
	long.EntityIds = slices.Repeat([]int64{math.MinInt64}, 5000)
	cluster := &messages.RankedCluster{Id: 1 << 52, Title: wide, Category: huge, TopSource: huge, Priority: huge, Velocity: math.Pi}
	ticker := &messages.TickerImpact{Symbol: huge, AssetClass: huge, Sentiment: huge, Impact: huge, Rationale: wide, Confidence: math.Pi}
	for name, d := range map[string]*messages.Delivery{
		"item":    item(messages.ArticleAction_ARTICLE_ENRICHED, long),
		"ranked":  event(&messages.Event{Body: &messages.Event_ClustersRanked{ClustersRanked: &messages.ClustersRanked{Clusters: slices.Repeat([]*messages.RankedCluster{cluster}, 50)}}}),
		"tickers": event(&messages.Event{Body: &messages.Event_TickerNews{TickerNews: &messages.TickerNews{Headline: wide, Tickers: slices.Repeat([]*messages.TickerImpact{ticker}, 50)}}}),
		"story": event(&messages.Event{Body: &messages.Event_StoryDevelopment{StoryDevelopment: &messages.StoryDevelopment{
			Title: wide, Description: huge, Significance: huge, Headline: huge, Category: huge, PreviousHeadline: huge, NewHeadline: huge,
		}}}),
	} {
		d.Similarity = math.Pi / 4
		got := frame(d, dialect.Form{Cursor: string(dialect.AppendCursor(nil, messages.Cursor{Epoch: strings.Repeat("e", 32), Position: math.MaxUint64, K: math.MaxUint32}))})
		if len(got) > 32<<10 || len(got) < 1<<10 || !json.Valid([]byte(got)) {
			t.Errorf("%s: %d bytes, valid %v", name, len(got), json.Valid([]byte(got)))
		}
	}
}

func TestDocumentedSubscribeDecodes(t *testing.T) {
	m, err := codec.Decode([]byte(golden(t, "subscribe")), false)
	if err != nil {
		t.Fatal(err)
	}
	want := &messages.NewsrankFilters{
		Topics: []string{"articles", "stories"}, Categories: []string{"politics", "business"}, Sources: []string{"reuters", "bbc"},
		Keywords: []string{"climate", "AI"}, Entities: []int64{42, 108},
	}
	s, ok := m.(*messages.ClientSubscribed)
	if !ok || !proto.Equal(s.GetNewsrank(), want) {
		t.Errorf("subscribe is %v, want %v", m, want)
	}
	if got := string(codec.Subscribed(nil, s)); got != `{"type":"subscribed"}` {
		t.Errorf("answer %s", got)
	}
}

func vector(first string) string { return "[" + first + strings.Repeat(",0.5", 1535) + "]" }

func subscribe(filters string) []byte {
	return []byte(`{"type":"subscribe","filters":{` + filters + `}}`)
}

func TestEmbeddingFilters(t *testing.T) {
	text := subscribe(`"include_embeddings":true,"embedding_filters":[{"embedding":` + vector("0.25") + `,"label":"climate-news"},` +
		`{"embedding":` + vector("1e-3") + `,"threshold":0.9,"embedding_model":"birdwire-hash-1"}]`)
	m, err := codec.Decode(text, true)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := m.(*messages.ClientSubscribed)
	if !ok {
		t.Fatal(m)
	}
	f := s.GetNewsrank().GetEmbeddingFilters()
	if len(f) != 2 || f[0].GetThreshold() != 0.75 || f[1].GetThreshold() != 0.9 || f[0].GetEmbedding()[0] != 0.25 || len(f[1].GetEmbedding()) != 1536 {
		t.Errorf("filters %d, thresholds %v %v", len(f), f[0].GetThreshold(), f[1].GetThreshold())
	}
	if got, want := string(codec.Subscribed(nil, s)), `{"type":"subscribed","embedding_filters":2,"embedding_model":"birdwire-hash-1"}`; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
	if f[0].GetEmbeddingModel() != codec.Model || f[1].GetEmbeddingModel() != codec.Model {
		t.Errorf("of the models %q and %q, want the server's", f[0].GetEmbeddingModel(), f[1].GetEmbeddingModel())
	}
	f[1].NamesModel = false
	if got, want := string(codec.Subscribed(nil, s)), `{"type":"subscribed","embedding_filters":2}`; got != want {
		t.Errorf("answer %s, want %s", got, want)
	}
}

func TestNormalisation(t *testing.T) {
	m, err := codec.Decode(subscribe(`"keyword":"Fed","keywords":[" AI ","AI"],"entities":[108,42,42.0,4.2e1],"tickers":["$aapl"],"topics":[],"sources":null`), true)
	if err != nil {
		t.Fatal(err)
	}
	want := &messages.NewsrankFilters{Keywords: []string{"AI", "Fed"}, Entities: []int64{42, 108}, Tickers: []string{"AAPL"}}
	if s, ok := m.(*messages.ClientSubscribed); !ok || !proto.Equal(s.GetNewsrank(), want) {
		t.Errorf("got %v, want %v", m, want)
	}
}

func TestInvalidMessages(t *testing.T) {
	one := func(filter string) string { return `"embedding_filters":[` + filter + `]` }
	for _, c := range []struct {
		filters string
		pro     bool
		want    string
	}{
		{`"topics":["articles","weather"]`, true, `"weather"`},
		{`"topics":"articles"`, true, "topics: expected an array"},
		{`"categories":[1]`, true, "categories: expected"},
		{`"keyword":["a"]`, true, "keyword: expected a string"},
		{`"entities":["42"]`, true, "entities: expected an array of integers"},
		{`"entities":[1.5]`, true, "entities"},
		{`"entities":[null]`, true, "entities"},
		{`"entities":[9007199254740992]`, true, "entities"},
		{`"entities":[1e999]`, true, "entities"},
		{`"tickers":["AAPL"]`, false, "tickers: needs the Pro"},
		{`"include_embeddings":true`, false, "include_embeddings: needs the Pro"},
		{`"include_embeddings":"yes"`, true, "include_embeddings: expected true"},
		{one(`{"embedding":` + vector("1") + `}`), false, "embedding_filters: needs the Pro"},
		{one(`7`), true, "embedding_filters[0]: expected an object"},
		{`"embedding_filters":{}`, true, "embedding_filters: expected an array"},
		{one(`{}`), true, "embedding_filters[0]: embedding"},
		{one(`{"embedding":[0.023,-0.041,"...1536 dimensions"]}`), true, "embedding: expected an array of 1536 finite numbers"},
		{one(`{"embedding":[0.5]}`), true, "1 numbers, exactly 1536"},
		{one(`{"embedding":` + vector("null") + `}`), true, "finite numbers"},
		{one(`{"embedding":` + vector("1e999") + `}`), true, "finite numbers"},
		{one(`{"embedding":` + vector("1e300") + `}`), true, "not finite as a 32-bit float"},
		{one(`{"embedding":[0` + strings.Repeat(",0", 1535) + `]}`), true, "all numbers are zero"},
		{one(`{"embedding":` + vector("1") + `,"threshold":0.49}`), true, "threshold"},
		{one(`{"embedding":` + vector("1") + `,"threshold":"high"}`), true, "threshold"},
		{one(`{"embedding":` + vector("1") + `,"label":5}`), true, "label"},
		{one(`{"embedding":` + vector("1") + `,"embedding_model":"` + strings.Repeat("m", 129) + `"}`), true, `embedding_model: at most 128 bytes`},
		{one(`{"embedding":` + vector("1") + `,"treshold":0.9}`), true, "embedding_filters[0]: treshold: unknown, expected embedding, threshold, label or embedding_model"},
		{`"category":["business"]`, true, "category: unknown, expected topics, categories, sources"},
		{`"topics":["articles"],"entity_ids":[42]`, true, "entity_ids: unknown"},
		{`"keywords":[""]`, true, "keywords: holds only empty values"},
		{`"keyword":" "`, true, "keyword: is empty"},
		{`"topics":[" "]`, true, "topics: holds only empty values"},
		{`"tickers":["$"]`, true, "tickers: holds only empty values"},
		{`"embedding_filters":[` + strings.TrimSuffix(strings.Repeat(`{},`, 11), ",") + `]`, true, "at most 10"},
	} {
		m, err := codec.Decode(subscribe(c.filters), c.pro)
		if err != nil {
			t.Fatal(err)
		}
		if i, ok := m.(*messages.ClientInvalid); !ok || !strings.Contains(i.GetError(), c.want) {
			t.Errorf("%.60s (pro %v) is %.200s, want an error with %q", c.filters, c.pro, fmt.Sprint(m), c.want)
		}
	}
	for text, want := range map[string]string{
		`{`: "invalid JSON", `[]`: "expected a JSON object", `{"type":"unsubscribe"}`: "unsubscribe",
		`{"type":"subscribe","topics":["articles"]}`:           `topics: not a field of this message, expected inside "filters"`,
		`{"type":"subscribe","keyword":"AI","filters":{}}`:     "keyword: not a field of this message",
		`{"type":"subscribe","filter":{"topics":["stories"]}}`: "filter: not a field of this message",
		`{"type":"subscribe","channels":["articles"]}`:         "channels: not a field of this message",
	} {
		m, _ := codec.Decode([]byte(text), true)
		if i, ok := m.(*messages.ClientInvalid); !ok || !strings.Contains(i.GetError(), want) {
			t.Errorf("%s is %v", text, m)
		}
	}
	deep := `{"type":"subscribe","filters":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`
	if _, err := codec.Decode([]byte(deep), true); !errors.Is(err, dialect.ErrTooDeep) {
		t.Errorf("33 levels: %v", err)
	}
}

func TestDenyAndEnd(t *testing.T) {
	for refusal, status := range map[messages.Refusal]int{
		messages.Refusal_REFUSAL_UNSPECIFIED: 401, messages.Refusal_REFUSAL_UNKNOWN_KEY: 401, messages.Refusal_REFUSAL_REVOKED: 403,
		messages.Refusal_REFUSAL_SCOPE: 403, messages.Refusal_REFUSAL_PLAN: 403, messages.Refusal_REFUSAL_CONNECTIONS: 429,
		messages.Refusal_REFUSAL_CREDITS: 403, messages.Refusal_REFUSAL_OVERLOAD: 503,
	} {
		if d := codec.Deny(refusal, ""); d.Ending != nil || d.Status != status || d.Error == "" || d.Detail == "" {
			t.Errorf("%v: %+v, want %d", refusal, d, status)
		}
	}
	for reason, code := range map[messages.EndReason]uint16{
		messages.EndReason_END_REVOKED: 4403, messages.EndReason_END_SLOW: 1013, messages.EndReason_END_DRAIN: 1012,
		messages.EndReason_END_CREDITS: 4402, messages.EndReason_END_ABUSE: 1008, messages.EndReason_END_INTERNAL: 1011,
	} {
		if e := codec.End(reason, ""); e.Code != code || e.Reason == "" {
			t.Errorf("%v: %+v, want close %d", reason, e, code)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(golden(f, "subscribe")), true)
	f.Add([]byte(golden(f, "subscribe_embedding")), false)
	f.Add(subscribe(`"embedding_filters":[{"embedding":`+vector("0.25")+`,"threshold":0.5}],"keyword":"a","entities":[1]`), true)
	f.Fuzz(func(t *testing.T, text []byte, pro bool) {
		m, err := codec.Decode(text, pro)
		if err != nil {
			if !errors.Is(err, dialect.ErrTooDeep) || m != nil {
				t.Fatalf("%v, %v", m, err)
			}
			return
		}
		if _, err := proto.Marshal(m); err != nil {
			t.Fatalf("%v cannot be sent: %v", m, err)
		}
		s, ok := m.(*messages.ClientSubscribed)
		if !ok {
			if m.(*messages.ClientInvalid).GetError() == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		n := s.GetNewsrank()
		if !pro && (len(n.GetTickers()) > 0 || n.GetIncludeEmbeddings() || len(n.GetEmbeddingFilters()) > 0) {
			t.Fatalf("%v without the plan for it", n)
		}
		for _, e := range n.GetEmbeddingFilters() {
			if len(e.GetEmbedding()) != 1536 || !(e.GetThreshold() >= 0.5 && e.GetThreshold() <= 1) {
				t.Fatalf("filter with %d numbers, threshold %v", len(e.GetEmbedding()), e.GetThreshold())
			}
		}
	})
}

func BenchmarkEvent(b *testing.B) {
	d := item(messages.ArticleAction_ARTICLE_CREATED, article())
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = codec.Event(buf[:0], d, dialect.Form{Cursor: "abcdefgh-123456.0"})
	}
}

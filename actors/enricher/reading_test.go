package enricher_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/enricher"
	"github.com/birdwire/birdwire/messages"
)

// world answers for the pages and the model.
type world struct {
	doc    enricher.Document
	err    error
	vector []float32
	line   string
	asked  int
}

func (w *world) Page(context.Context, string, time.Time) (enricher.Document, error) {
	w.asked++
	return w.doc, w.err
}

func (w *world) Embed(context.Context, string) ([]float32, string, error) {
	w.asked++
	return w.vector, "m", w.err
}

func (w *world) Summarize(context.Context, string, string) (string, error) {
	w.asked++
	return w.line, w.err
}

func pushed() *messages.Article {
	return &messages.Article{
		Number: 7, Title: "Microsoft sues", Description: "Microsoft Corp went to court on Monday, its lawyers said.", Url: "https://post.example/1", SourceId: "post",
	}
}

// What an article's source has said is never replaced.
func TestWhatTheSourceSaidStays(t *testing.T) {
	a := pushed()
	a.Embedding, a.EmbeddingModel = slices.Repeat([]float32{1}, 1536), "theirs"
	a.HeadlineSummary, a.Language, a.ContentStatus, a.Tickers, a.EntityIds = "said", "fr", "theirs", []string{"ZZ"}, []int64{42}
	before := proto.CloneOf(a)
	w := &world{vector: slices.Repeat([]float32{2}, 1536), line: "another"}
	out := enricher.Reading{Embedder: w, Summarizer: w}.Read(t.Context(), enricher.Task{Article: a})
	got := out.Article
	if got.GetEmbeddingModel() != "theirs" || got.GetHeadlineSummary() != "said" || got.GetLanguage() != "fr" || got.GetContentStatus() != "theirs" ||
		got.GetTickers()[0] != "ZZ" || got.GetEntityIds()[0] != 42 || !slices.Contains(got.GetTickers(), "MSFT") || len(got.GetEntityIds()) != 2 || w.asked != 0 {
		t.Errorf("%s %s %s %v %v, asked %d times", got.GetEmbeddingModel(), got.GetHeadlineSummary(), got.GetLanguage(), got.GetTickers(), got.GetEntityIds(), w.asked)
	}
	if !proto.Equal(a, before) {
		t.Error("the article that was given has changed")
	}
}

// Whatever the world does, the article comes back whole.
func TestTheWorldMayFail(t *testing.T) {
	good := slices.Repeat([]float32{0.5}, 1536)
	for name, c := range map[string]struct {
		world                 world
		task                  enricher.Task
		page, vector, summary string
		asked                 int
	}{
		"all is well":      {world{vector: good, line: "A line."}, enricher.Task{}, "unreadable", "model", "model", 3},
		"all fails":        {world{err: errors.New("x")}, enricher.Task{}, "failed", "degraded", "degraded", 3},
		"a short vector":   {world{vector: good[:8], line: "A line."}, enricher.Task{}, "unreadable", "degraded", "model", 3},
		"an empty line":    {world{vector: good, line: " \n "}, enricher.Task{}, "unreadable", "model", "degraded", 3},
		"it waited enough": {world{vector: good, line: "x", doc: enricher.Document{Again: time.Second}}, enricher.Task{Late: true}, "late", "model", "model", 3},
		"alone":            {world{vector: good, line: "x"}, enricher.Task{Alone: true}, "none", "offline", "offline", 0},
	} {
		c.task.Article = pushed()
		out := enricher.Reading{Pages: &c.world, Embedder: &c.world, Summarizer: &c.world}.Read(t.Context(), c.task)
		if out.Page != c.page || out.Vector != c.vector || out.Summary != c.summary || c.world.asked != c.asked {
			t.Errorf("%s: %s %s %s, asked %d times", name, out.Page, out.Vector, out.Summary, c.world.asked)
		}
		a := out.Article
		if len(a.GetEmbedding()) != 1536 || a.GetHeadlineSummary() == "" || a.GetContentStatus() != "partial" || a.GetSimhash() == 0 {
			t.Errorf("%s: %q %s, %d numbers", name, a.GetHeadlineSummary(), a.GetContentStatus(), len(a.GetEmbedding()))
		}
	}
	w := &world{doc: enricher.Document{Again: 3 * time.Second, Turn: time.Unix(5, 0)}}
	if out := (enricher.Reading{Pages: w}).Read(t.Context(), enricher.Task{Article: pushed()}); out.Article != nil || out.Again != 3*time.Second || !out.Turn.Equal(time.Unix(5, 0)) {
		t.Errorf("a host that wants to wait: %+v", out)
	}
}

func BenchmarkRead(b *testing.B) {
	a := pushed()
	a.Content = strings.Repeat("Officials of the Federal Reserve agreed that interest rates are likely to be cut in March, minutes of their meeting show. ", 15)
	for b.Loop() {
		enricher.Reading{}.Read(b.Context(), enricher.Task{Article: a})
	}
}

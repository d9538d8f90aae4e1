package enricher

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/nearcopy"
	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/actors/enricher/gazetteer"
	"github.com/birdwire/birdwire/actors/enricher/hashvector"
	"github.com/birdwire/birdwire/actors/enricher/language"
	"github.com/birdwire/birdwire/actors/enricher/readable"
	"github.com/birdwire/birdwire/actors/enricher/summary"
	"github.com/birdwire/birdwire/actors/enricher/syndication"
	"github.com/birdwire/birdwire/messages"
)

// Pages fetches articles' pages. It asks no host more often than it should.
type Pages interface {
	// Page: where it is not the host's turn, Document.Again says when it is, and
	// nothing was asked. turn is what it returned before, zero at first.
	Page(ctx context.Context, address string, turn time.Time) (Document, error)
}

// Document is a page as it came.
type Document struct {
	URL         string // after redirects
	ContentType string
	Body        []byte
	Robots      []string // of X-Robots-Tag
	Again       time.Duration
	Turn        time.Time
}

// Embedder asks a model for a vector.
type Embedder interface {
	// Embed returns hashvector.Size numbers and the model's name.
	Embed(ctx context.Context, text string) (vector []float32, model string, err error)
}

// Summarizer asks a model for one line about an article.
type Summarizer interface {
	Summarize(ctx context.Context, title, text string) (string, error)
}

// Reading is the Reader of a node. What the article's source has said itself is
// never replaced. nil: nobody is asked.
type Reading struct {
	Pages      Pages
	Embedder   Embedder
	Summarizer Summarizer
	// Gazetteer is the one in force; nil: what is bundled.
	Gazetteer func() *gazetteer.Gazetteer
}

const (
	contentLeast = 600      // bytes; an article with less has its page read
	contentMost  = 64 << 10 // bytes that are kept of a page's text
	summaryMost  = 400      // bytes of a model's line
)

// Read is Reader.
func (r Reading) Read(ctx context.Context, t Task) Outcome {
	a := proto.CloneOf(t.Article)
	out := Outcome{Article: a, Page: "none", Vector: "given", Summary: "given"}
	host, original := hostOf(a.GetUrl()), ""
	if r.Pages != nil && !t.Alone && a.GetUrl() != "" && len(a.GetContent()) < contentLeast {
		var page readable.Page
		page, out.Page, out.Again, out.Turn = r.page(ctx, t)
		if out.Page == "" {
			return Outcome{Again: out.Again, Turn: out.Turn}
		}
		take(a, page)
		host, original = hostOf(page.URL), hostOf(page.Canonical)
	}
	body := joined(a.GetDescription(), a.GetContent())
	if a.GetLanguage() == "" {
		a.Language = language.Of(a.GetTitle() + "\n" + body)
	}
	if a.GetContentStatus() == "" {
		a.ContentStatus = contentStatus(a)
	}
	r.name(a, body)
	a.SyndicatedFrom = syndication.From(syndication.Article{
		SourceID: a.GetSourceId(), SourceName: a.GetSourceName(), Author: a.GetAuthor(), Body: body, Host: host, Original: original,
	})
	a.Simhash = nearcopy.Hash(a.GetTitle(), body)
	if a.GetHeadlineSummary() == "" {
		a.HeadlineSummary, out.Summary = r.line(ctx, t, body)
	}
	if len(a.GetEmbedding()) == 0 {
		a.Embedding, a.EmbeddingModel, out.Vector = r.vector(ctx, t, a, body)
	}
	return out
}

// page reads the article's page; outcome "" means that its host is to be asked
// later.
func (r Reading) page(ctx context.Context, t Task) (page readable.Page, outcome string, again time.Duration, turn time.Time) {
	doc, err := r.Pages.Page(ctx, t.Article.GetUrl(), t.Turn)
	switch {
	case err != nil:
		return page, reason(err), 0, time.Time{}
	case doc.Again > 0 && t.Late:
		return page, "late", 0, time.Time{}
	case doc.Again > 0:
		return page, "", doc.Again, doc.Turn
	}
	page, err = readable.Read(doc.Body, doc.ContentType, doc.URL, doc.Robots)
	if errors.Is(err, readable.ErrReserved) {
		return page, "reserved", 0, time.Time{}
	}
	if err != nil {
		return page, "unreadable", 0, time.Time{}
	}
	return page, "ok", 0, time.Time{}
}

// reason is a short word for why a page or a model could not be had.
func reason(err error) string {
	for e := err; e != nil; {
		if r, ok := e.(interface{ Reason() string }); ok {
			return r.Reason()
		}
		u, ok := e.(interface{ Unwrap() error })
		if !ok {
			break
		}
		e = u.Unwrap()
	}
	return "failed"
}

// take fills in from the page what the source has left out.
func take(a *messages.Article, page readable.Page) {
	if text := text.Clip(page.Text, contentMost); len(text) > len(a.GetContent()) {
		a.Content = text
	}
	if a.GetExcerpt() == "" {
		a.Excerpt = page.Excerpt
	}
	if a.GetImageUrl() == "" {
		a.ImageUrl = page.Image
	}
	if a.GetAuthor() == "" {
		a.Author = page.Byline
	}
	if a.GetLanguage() == "" {
		a.Language = page.Language
	}
}

// contentStatus is full, partial where there is a description, or title.
func contentStatus(a *messages.Article) string {
	switch {
	case len(a.GetContent()) >= contentLeast:
		return "full"
	case a.GetContent() != "" || a.GetDescription() != "":
		return "partial"
	}
	return "title"
}

// name finds whom the article names. Ids and tickers that its source gave stay,
// and come first.
func (r Reading) name(a *messages.Article, body string) {
	g := gazetteer.Bundled()
	if r.Gazetteer != nil {
		g = r.Gazetteer()
	}
	found, tickers := g.Find(a.GetTitle(), body)
	a.Entities = nil
	for _, f := range found {
		a.Entities = append(a.Entities, &messages.Entity{Id: f.ID, Name: f.Name, Kind: f.Kind, Ticker: f.Ticker, Mentions: uint32(f.Mentions)})
		if !slices.Contains(a.GetEntityIds(), f.ID) {
			a.EntityIds = append(a.EntityIds, f.ID)
		}
	}
	for _, t := range tickers {
		if !slices.Contains(a.GetTickers(), t) {
			a.Tickers = append(a.Tickers, t)
		}
	}
}

func (r Reading) line(ctx context.Context, t Task, body string) (line, outcome string) {
	outcome = "offline"
	if r.Summarizer != nil && !t.Alone && body != "" {
		said, err := r.Summarizer.Summarize(ctx, t.Article.GetTitle(), body)
		if said = text.Clip(strings.Join(strings.Fields(said), " "), summaryMost); err == nil && said != "" && utf8.ValidString(said) {
			return said, "model"
		}
		outcome = "degraded"
	}
	return summary.Line(t.Article.GetTitle(), body), outcome
}

func (r Reading) vector(ctx context.Context, t Task, a *messages.Article, body string) (vector []float32, model, outcome string) {
	outcome = "offline"
	if r.Embedder != nil && !t.Alone {
		vector, model, err := r.Embedder.Embed(ctx, joined(a.GetTitle(), body))
		if err == nil && usable(vector) && model != "" {
			return vector, model, "model"
		}
		outcome = "degraded"
	}
	names := make([]string, len(a.GetEntities()))
	for i, e := range a.GetEntities() {
		names[i] = e.GetName()
	}
	if vector = hashvector.Of(hashvector.Article{Title: a.GetTitle(), Body: body, Entities: names}); vector == nil {
		return nil, "", outcome
	}
	return vector, hashvector.Model, outcome
}

// usable says whether the numbers are a vector that others can be compared with.
func usable(v []float32) bool {
	some := false
	for _, x := range v {
		if x-x != 0 { // not finite
			return false
		}
		some = some || x != 0
	}
	return len(v) == hashvector.Size && some
}

func joined(a, b string) string {
	switch {
	case b == "":
		return a
	case a == "", strings.HasPrefix(b, a): // many feeds give the beginning as the description
		return b
	}
	return a + "\n" + b
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

package push

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/messages"
)

// EmbeddingSize is how many numbers an article's embedding has.
const EmbeddingSize = 1536

// ParseArticle reads one article, as the bodies of push ingest have them.
func ParseArticle(data []byte) (*messages.Article, error) {
	d := newDecoder()
	defer d.release()
	return d.article(data)
}

// validSource keeps source ids usable as words of identities and filters.
var validSource = regexp.MustCompile(`^[\pL\pN][\pL\pN._:-]*$`)

func (d *decoder) article(data []byte) (*messages.Article, error) {
	a := &messages.Article{}
	if err := d.object(data, func(d *jx.Decoder, key []byte) error { return articleField(d, a, key) }); err != nil {
		return nil, err
	}
	switch {
	case a.GetUrl() == "":
		return nil, wrong("url", "missing")
	case a.GetTitle() == "":
		return nil, wrong("title", "missing")
	case a.GetSourceId() == "":
		return nil, wrong("source.id", "missing")
	case !validSource.MatchString(a.GetSourceId()):
		return nil, wrong("source.id", "want letters, digits, '.', '_', ':' and '-', got %q", a.GetSourceId())
	}
	if n := proto.Size(a); n > maxEvent {
		return nil, wrong("content", "the article has %d bytes, at most %d fit", n, maxEvent)
	}
	return a, nil
}

func articleField(d *jx.Decoder, a *messages.Article, key []byte) (err error) {
	switch string(key) {
	case "id":
		a.Id, err = id(d, "id", maxID)
	case "url":
		a.Url, err = link(d, "url")
	case "title":
		a.Title, err = headline(d, "title", 1000)
	case "description":
		a.Description, err = prose(d, "description", 10_000)
	case "content":
		a.Content, err = prose(d, "content", 100_000)
	case "published_at":
		a.PublishedMs, err = instant(d, "published_at")
	case "source":
		err = source(d, a)
	case "category":
		a.Category, err = label(d, "category", 64)
	case "language":
		a.Language, err = label(d, "language", 35)
	case "source_language":
		a.SourceLanguage, err = label(d, "source_language", 35)
	case "author":
		a.Author, err = label(d, "author", 300)
	case "tags":
		a.Tags, err = labels(d, "tags", 64, 128, asIs)
	case "tickers":
		a.Tickers, err = labels(d, "tickers", 64, 16, ticker)
	case "entities":
		a.EntityIds, err = entityIDs(d)
	case "image_url":
		a.ImageUrl, err = link(d, "image_url")
	case "video_url":
		a.VideoUrl, err = link(d, "video_url")
	case "embedding":
		a.Embedding, err = embedding(d)
	case "embedding_model":
		a.EmbeddingModel, err = label(d, "embedding_model", 128)
	default:
		err = rareField(d, a, string(key))
	}
	return err
}

// rareField holds the fields of speeches, rates and finished texts.
func rareField(d *jx.Decoder, a *messages.Article, key string) (err error) {
	var to *string
	most := 300
	switch key {
	case "article_type":
		to, most = &a.ArticleType, 64
	case "speaker":
		to = &a.Speaker
	case "speaker_title":
		to = &a.SpeakerTitle
	case "institution":
		to = &a.Institution
	case "event_location":
		to = &a.EventLocation
	case "base_currency":
		to, most = &a.BaseCurrency, 16
	case "target_currency":
		to, most = &a.TargetCurrency, 16
	case "exchange_rate":
		a.ExchangeRate, err = rate(d)
		return err
	case "slug":
		to = &a.Slug
	case "content_status":
		to, most = &a.ContentStatus, 64
	case "headline_summary":
		to, most = &a.HeadlineSummary, 2000
	default:
		return d.Skip()
	}
	*to, err = label(d, key, most)
	return err
}

// headline is one line, whatever it was pushed as.
func headline(d *jx.Decoder, field string, most int) (string, error) {
	s, err := prose(d, field, most)
	return strings.Join(strings.Fields(s), " "), err
}

func ticker(s string) string { return text.Upper(strings.TrimLeft(s, "$＄")) }

// rate keeps the digits as they were sent: a rate's trailing zeros say how
// exact it is.
func rate(d *jx.Decoder) (string, error) {
	if d.Next() == jx.Number {
		n, err := d.Num()
		return n.String(), err
	}
	return label(d, "exchange_rate", 32)
}

func source(d *jx.Decoder, a *messages.Article) error {
	_, err := sub(d, "source", func(d *jx.Decoder, key []byte) (err error) {
		switch string(key) {
		case "id":
			a.SourceId, err = id(d, "source.id", 64)
		case "name":
			a.SourceName, err = label(d, "source.name", maxName)
		default:
			err = d.Skip()
		}
		return err
	})
	return err
}

func entityIDs(d *jx.Decoder) ([]int64, error) {
	var ids []int64
	err := list(d, "entities", 256, func(d *jx.Decoder) error {
		if kind := d.Next(); kind != jx.Number {
			return wrong("entities", "want a whole number, got %s", named(kind))
		}
		n, err := count(d, "entities")
		if err == nil && n >= 1<<53 {
			err = wrong("entities", "%d is not below 2^53", n)
		}
		ids = append(ids, n)
		return err
	})
	return ids, err
}

func embedding(d *jx.Decoder) ([]float32, error) {
	var e []float32
	nonzero := false
	err := list(d, "embedding", EmbeddingSize, func(d *jx.Decoder) error {
		if kind := d.Next(); kind != jx.Number {
			return wrong("embedding", "want a number, got %s", named(kind))
		}
		v, err := d.Float64()
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return wrong("embedding", "is no number as JSON writes them")
		case err != nil || v > math.MaxFloat32 || v < -math.MaxFloat32:
			return wrong("embedding", "is not finite as a float32")
		}
		nonzero = nonzero || float32(v) != 0
		if e == nil {
			e = make([]float32, 0, EmbeddingSize)
		}
		e = append(e, float32(v))
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(e) != 0 && len(e) != EmbeddingSize:
		return nil, wrong("embedding", "%d numbers, want exactly %d", len(e), EmbeddingSize)
	case len(e) != 0 && !nonzero:
		return nil, wrong("embedding", "all numbers are zero")
	}
	return e, nil
}

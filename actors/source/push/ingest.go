// Package push is what other programs push: JSON bodies of posts and articles,
// read as they arrive, checked, and offered to the node's push source. It is
// called by the goroutines of HTTP handlers; it keeps nothing between calls.
//
// A body is one JSON object, an array of them, or one a line (NDJSON). A bad
// one is named by its line and the rest is taken. What is reported as accepted
// is durable: events are answered for only once the log holds them.
//
// Bounds: one value at most MaxValue bytes, MaxBody bytes a body, InFlight
// offers of at most 256 events unanswered a call: past that the body is read
// no further, which is the back-pressure that the client's socket feels. Once a
// part of a body is durable the rest of it waits for room instead of being
// refused; where that takes too long, or the node stops, the call ends with what
// was taken up to then, and the line to go on from.
//
// The package never opens a socket, and never decides what is new: the log and
// the item table do.
package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/birdwire/birdwire/messages"
)

// Intake is the push source of this node.
type Intake interface {
	// Offer sends the offer at once, in the order of the calls, and returns
	// what waits for its answer: *messages.Appended or *messages.OfferRefused.
	// An error means that there will be none.
	Offer(ctx context.Context, offer *messages.Offer) (answer func() (proto.Message, error))
}

// Config is what an Ingest takes from its node.
type Config struct {
	Intake   Intake
	Now      func() time.Time // stamps detected_at; required
	MaxBody  int64            // bytes after decompression, default 16 MiB
	InFlight int              // offers, default 4
	Model    string           // of embeddings that name none; required
}

func (c Config) withDefaults() Config {
	if c.MaxBody == 0 {
		c.MaxBody = 16 << 20
	}
	if c.InFlight == 0 {
		c.InFlight = 4
	}
	return c
}

// Bounds of one call.
const (
	Source      = "push" // of every event; the same on all nodes, so that ids are
	maxOffer    = 256    // events
	MaxValue    = 256 << 10
	maxEvent    = 200 << 10 // bytes of one event; a frame takes 256 KiB
	maxRejected = 1000      // listed one by one; the rest as a number
)

// Rejection says why one value was not taken. Line is that of the body for
// NDJSON and single objects, the number of the element for an array.
type Rejection struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

// Result is what became of a body.
type Result struct {
	Accepted   int         `json:"accepted"`   // durable, duplicates not counted
	Duplicates int         `json:"duplicates"` // the log or the item table held them already
	Rejected   []Rejection `json:"rejected"`   // the first 1,000; never nil
	Unlisted   int         `json:"unlisted"`   // rejected past them
	// Next is the line, or the element of an array, from which to send again
	// where not all was taken: what comes before it is accepted, a duplicate or
	// rejected. 0 where all of the body was seen.
	Next int `json:"next_line"`
}

// ErrTooLarge: the body is longer than allowed. What came before is in the Result.
var ErrTooLarge = errors.New("body too large")

// Backpressure ends a call: Result says what was done, and from where to send
// again. Sending everything again is safe for as long as the log knows that it
// has it, which is for the 131,072 events before.
type Backpressure struct {
	Status     int // 429: too fast, and nothing was taken; 503: the server cannot go on
	RetryAfter time.Duration
	Detail     string
	Result     Result
}

func (b *Backpressure) Error() string {
	return fmt.Sprintf("ingest refused (%d): %s: retry in %v", b.Status, b.Detail, b.RetryAfter)
}

// Ingest reads pushed bodies. It is safe for any number of goroutines.
type Ingest struct {
	cfg   Config
	calls atomic.Uint64
}

// New returns an Ingest.
func New(cfg Config) *Ingest { return &Ingest{cfg: cfg.withDefaults()} }

// Posts takes a body of posts. Errors: *Backpressure, ErrTooLarge, or what
// reading the body failed with; the Result is right with each of them.
func (i *Ingest) Posts(ctx context.Context, body io.Reader) (Result, error) {
	return i.run(ctx, body, func(d *decoder, value []byte) (*messages.Event, error) {
		post, err := d.post(value)
		if err != nil {
			return nil, err
		}
		return &messages.Event{
			Id: Source + ":post:" + post.GetId() + ":1", Source: Source, DetectedMs: i.cfg.Now().UnixMilli(),
			Body: &messages.Event_Post{Post: post},
		}, nil
	})
}

// Articles takes a body of articles, as Posts does.
func (i *Ingest) Articles(ctx context.Context, body io.Reader) (Result, error) {
	return i.run(ctx, body, func(d *decoder, value []byte) (*messages.Event, error) {
		article, err := d.article(value)
		if err != nil {
			return nil, err
		}
		if len(article.GetEmbedding()) > 0 && article.GetEmbeddingModel() == "" {
			article.EmbeddingModel = i.cfg.Model
		}
		return articleDraft(messages.ArticleAction_ARTICLE_ACTION_UNSPECIFIED, article), nil
	})
}

// DeleteArticle withdraws what was pushed under an id. Without a source it is
// the newest article pushed under that id. Errors: ErrNotFound, *Backpressure.
func (i *Ingest) DeleteArticle(ctx context.Context, sourceID, id string) error {
	call := &call{ingest: i}
	call.add(articleDraft(messages.ArticleAction_ARTICLE_DELETED, &messages.Article{SourceId: sourceID, Id: id}), 0, 1)
	call.flush(ctx)
	call.settle(0)
	switch {
	case call.refused != nil:
		return call.refused
	case call.result.Accepted == 0:
		return fmt.Errorf("delete article %q: %w", id, messages.ErrNotFound)
	}
	return nil
}

func articleDraft(action messages.ArticleAction, a *messages.Article) *messages.Event {
	return &messages.Event{Source: Source, Body: &messages.Event_Article{
		Article: &messages.ArticleChange{Action: action, Article: a},
	}}
}

func (i *Ingest) run(ctx context.Context, body io.Reader, decode func(*decoder, []byte) (*messages.Event, error)) (Result, error) {
	call := &call{ingest: i, id: i.calls.Add(1), result: Result{Rejected: []Rejection{}}}
	split := splitter{r: body, max: i.cfg.MaxBody}
	dec := newDecoder()
	defer dec.release()
	var failed error
	next := 0
	for call.refused == nil {
		value, line, err := split.next()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *badValue
		if errors.As(err, &bad) {
			call.reject(line, bad.text)
			continue
		}
		if err != nil {
			failed, next = err, line
			break
		}
		event, err := decode(dec, value)
		if err != nil {
			call.reject(line, err.Error())
			continue
		}
		call.add(event, len(value), line)
		if call.full() {
			call.flush(ctx)
			call.settle(i.cfg.InFlight - 1)
		}
	}
	if call.refused == nil {
		call.flush(ctx)
	}
	call.settle(0)
	if call.refused != nil {
		call.refused.Result = call.result
		return call.result, call.refused
	}
	if failed != nil {
		call.result.Next = next
	}
	return call.result, failed
}

package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Pushed is what became of pushed events.
type Pushed struct {
	Accepted   int        `json:"accepted"`   // new and durable
	Duplicates int        `json:"duplicates"` // held already
	Rejected   []Rejected `json:"rejected"`
	// Unlisted are rejected events past the first 1,000, which are only counted.
	Unlisted int `json:"rejected_unlisted,omitempty"`
}

// Rejected is one event that was not taken.
type Rejected struct {
	Line  int    `json:"line"` // from 1; in an array, the element's number
	Error string `json:"error"`
}

// Kind is what is pushed.
type Kind string

// The kinds there are.
const (
	Posts    Kind = "posts"
	Articles Kind = "articles"
)

const (
	maxListed = 1000            // rejected events that a sum names
	pushTime  = 3 * time.Minute // for one body to go out and be durable
)

// Push sends one body as it is: a JSON object, an array, or NDJSON, at most 16
// MiB. An *Error with it says in Pushed what was done.
func (c *Client) Push(ctx context.Context, kind Kind, body io.Reader) (*Pushed, error) {
	header := http.Header{"Content-Type": {"application/x-ndjson"}}
	var text bytes.Buffer
	if err := c.caller.pack(&text, header, body); err != nil {
		return nil, fmt.Errorf("push %s: read the body: %w", kind, err)
	}
	ctx, cancel := context.WithTimeout(ctx, pushTime)
	defer cancel()
	out := new(Pushed)
	if err := c.caller.send(ctx, http.MethodPost, "/v1/ingest/"+string(kind), nil, header, bytes.NewReader(text.Bytes()), out); err != nil {
		return nil, err
	}
	return out, nil
}

// pack compresses what leaves the machine; on it, that only costs.
func (c *caller) pack(to *bytes.Buffer, header http.Header, body io.Reader) error {
	host := c.base.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		_, err := to.ReadFrom(body)
		return err
	}
	header.Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(to)
	_, err := io.Copy(z, body)
	return errors.Join(err, z.Close())
}

// DeleteArticle withdraws the article pushed under id; source is that it was
// pushed with, "" where it had none.
func (c *Client) DeleteArticle(ctx context.Context, id, source string) error {
	q := url.Values{}
	put(q, "source", source)
	return c.caller.call(ctx, http.MethodDelete, "/v1/ingest/articles/"+url.PathEscape(id), q, nil, nil)
}

// Publish sends everything in r, however much: NDJSON, an array, or one
// object. It goes in batches, and where the server is busy (429, 503) it waits
// as told and sends the batch again, as long as ctx lasts; what was taken the
// first time is not counted as a duplicate. Lines in Rejected are those of r.
// progress is told the sum after each batch; it may be nil. With an error,
// Pushed is what was done before it.
func (c *Client) Publish(ctx context.Context, kind Kind, r io.Reader, progress func(Pushed)) (Pushed, error) {
	var sum Pushed
	err := split(r, func(b batch) error {
		done, err := c.publishBatch(ctx, kind, b)
		sum.add(done, b.first)
		if err == nil && progress != nil {
			progress(sum)
		}
		return err
	})
	if err != nil {
		return sum, fmt.Errorf("publish %s: %w", kind, err)
	}
	return sum, nil
}

func (p *Pushed) add(b Pushed, first int) {
	p.Accepted += b.Accepted
	p.Duplicates += b.Duplicates
	p.Unlisted += b.Unlisted
	for _, r := range b.Rejected {
		if len(p.Rejected) == maxListed {
			p.Unlisted++
			continue
		}
		r.Line += first - 1
		p.Rejected = append(p.Rejected, r)
	}
}

// publishBatch sends one until it is taken whole.
func (c *Client) publishBatch(ctx context.Context, kind Kind, b batch) (Pushed, error) {
	mine := 0 // accepted by attempts that failed later: the next finds duplicates
	backoff := newBackoff(c.first)
	for broken := 0; ; {
		done, err := c.Push(ctx, kind, bytes.NewReader(b.text))
		if err == nil {
			again := min(mine, done.Duplicates)
			done.Accepted, done.Duplicates = done.Accepted+mine, done.Duplicates-again
			return *done, nil
		}
		wait := backoff.next()
		var e *Error
		switch {
		case errors.As(err, &e) && e.Pushed != nil:
			mine += e.Pushed.Accepted
		case !errors.As(err, &e): // the network: not for ever
			broken++
		}
		if e != nil && !errors.Is(e, ErrTooMany) && e.Status != http.StatusServiceUnavailable || broken == 5 {
			return Pushed{Accepted: mine}, err
		}
		if e != nil {
			wait = max(wait, e.RetryAfter)
		}
		if err := sleep(ctx, wait); err != nil {
			return Pushed{Accepted: mine}, err
		}
	}
}

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
	// Next is, with an error, the line (in an array, the element) from which to
	// send again: what comes before it is accepted, a duplicate or rejected.
	Next int `json:"next_line,omitempty"`
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
// MiB. An *Error says in Pushed what was done, and where the rest begins. Where
// every event is rejected that is an error too (422, ErrInvalid).
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
	if id == "." || id == ".." { // in a path they would mean something else
		put(q, "id", id)
		return c.caller.call(ctx, http.MethodDelete, "/v1/ingest/articles", q, nil, nil)
	}
	return c.caller.call(ctx, http.MethodDelete, "/v1/ingest/articles/"+url.PathEscape(id), q, nil, nil)
}

// PublishOptions are told what happens in a Publish; each may be nil, and none
// may block.
type PublishOptions struct {
	// Progress is told the sum after each batch.
	Progress func(Pushed)
	// Retrying is told why and for how long Publish waits before it sends again.
	Retrying func(why error, wait time.Duration)
}

// Publish sends everything in r, however much: NDJSON, an array, or one
// object. It goes in batches, and where the server is busy (429, 503) it waits
// as told and sends what was not taken, as long as ctx lasts; nothing is sent
// again that the server says it has. A network that fails is tried five times,
// or for three minutes; an *Unreachable that is Lasting ends it at once. Lines
// in Rejected are those of r; events that are rejected are no error, even if all
// are. With an error, Pushed is what was done before it.
func (c *Client) Publish(ctx context.Context, kind Kind, r io.Reader, o PublishOptions) (Pushed, error) {
	var sum Pushed
	err := split(r, func(b batch) error {
		done, err := c.publishBatch(ctx, kind, b, o.Retrying)
		sum.add(done, b.first)
		if err == nil && o.Progress != nil {
			o.Progress(sum)
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
func (c *Client) publishBatch(ctx context.Context, kind Kind, b batch, retrying func(error, time.Duration)) (Pushed, error) {
	var sum Pushed
	mine := 0    // accepted, and sent again all the same: they come back as duplicates
	settled := 0 // lines of the batch that are not sent again
	backoff := newBackoff(c.first)
	well := time.Now() // the network, the last time that it was
	for broken := 0; ; {
		rest := b.after(settled)
		done, err := c.Push(ctx, kind, bytes.NewReader(rest))
		var e *Error
		if errors.As(err, &e) && e.Pushed != nil {
			done = e.Pushed
		}
		if err == nil || done != nil && (done.Next > 0 || e.Status == http.StatusUnprocessableEntity) {
			later := beyond(*done, rest)
			again := min(mine, done.Duplicates)
			mine, done.Duplicates = mine-again+later, done.Duplicates-again
			sum.add(*done, settled+1)
		}
		switch {
		case err == nil, done != nil && e.Status == http.StatusUnprocessableEntity: // every line is rejected
			return sum, nil
		case done != nil && done.Next > 0:
			if settled += done.Next - 1; done.Next > 1 { // it goes on, however slowly
				broken, well, backoff = 0, time.Now(), newBackoff(c.first)
			}
		case done != nil: // a server that does not say where to go on
			sum.Accepted, mine = sum.Accepted+done.Accepted, mine+done.Accepted
		}
		wait := backoff.next()
		switch {
		case lasting(err):
			return sum, err
		case e == nil, e.Status == http.StatusRequestTimeout: // the network: not for ever
			broken++
		case errors.Is(e, ErrTooMany), e.Status == http.StatusServiceUnavailable:
			wait = max(wait, e.RetryAfter)
			well = time.Now()
		default:
			return sum, err
		}
		if broken == 5 || time.Since(well) >= pushTime {
			return sum, err
		}
		if retrying != nil {
			retrying(err, wait)
		}
		if err := sleep(ctx, wait); err != nil {
			return sum, err
		}
	}
}

// lasting: sending again will not help.
func lasting(err error) bool {
	var u *Unreachable
	return errors.As(err, &u) && u.Lasting
}

// beyond is how many events the server took of the lines from which it asks to
// send again: those that it says it has, less the lines before. 0 where it asks
// for none.
func beyond(done Pushed, sent []byte) int {
	if done.Next == 0 {
		return 0
	}
	before, next := 0, done.Next
	for line := range bytes.Lines(sent) {
		if next--; next <= 0 {
			break
		}
		if len(bytes.TrimSpace(line)) > 0 {
			before++
		}
	}
	return max(0, min(done.Accepted, done.Accepted+done.Duplicates+len(done.Rejected)+done.Unlisted-before))
}

// after is the batch without its first n lines.
func (b batch) after(n int) []byte {
	rest := b.text
	for ; n > 0; n-- {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return nil
		}
		rest = rest[end+1:]
	}
	return rest
}

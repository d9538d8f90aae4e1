package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

// Tried is what an address holds now.
type Tried struct {
	URL     string // of the feed; another than was given where that is a page that names it
	Title   string
	Format  string // "RSS 2.0"
	Items   int
	Warning string // see Warning
}

// ErrNamesNoFeed: the address is of an HTML page without a feed of its own.
var ErrNamesNoFeed = errors.New("this is an HTML page, and it names no feed")

// Try reads an address once, for an operator who is about to make a feed of it.
// It keeps nothing. The same bounds hold as for a poll, except for the host's
// pace: somebody waits for the answer.
func (r *Reader) Try(ctx context.Context, address string) (Tried, error) {
	t, resp, err := r.try(ctx, address)
	if err == nil || resp == nil || !errors.Is(err, errFormat) {
		return t, err
	}
	named := discover(resp.body, resp.header.Get("Content-Type"), resp.url)
	if named == nil {
		if errors.Is(err, errPage) {
			return t, ErrNamesNoFeed
		}
		return t, err
	}
	t, _, err = r.try(ctx, named.String())
	if err != nil {
		return t, fmt.Errorf("this is an HTML page that names the feed %s: %w", named.Redacted(), err)
	}
	return t, nil
}

// try reads a feed. With an error the response is what it was made of, if any
// came.
func (r *Reader) try(ctx context.Context, address string) (Tried, *response, error) {
	room := r.memory.hold()
	defer room.release()
	if done, _ := r.hosts.Take(hostOf(address), r.cfg.Now()); done != nil {
		defer done()
	}
	resp, err := r.fetch(ctx, address, mark{}, room)
	if err != nil {
		return Tried{}, nil, err
	}
	if resp.status != http.StatusOK {
		return Tried{}, nil, statusError(resp.status)
	}
	doc, _, err := (&Feed{}).parse(resp, resp.body, &identities{})
	if err != nil {
		return Tried{}, resp, err
	}
	return Tried{
		URL: address, Title: doc.title.line(maxTitle), Format: doc.format, Items: len(doc.entries), Warning: resp.warning(doc.warning()),
	}, resp, nil
}

// Address is a feed's address as it is kept: one that can be asked for. The
// error wraps ErrURL.
func Address(raw string) (string, error) {
	u, err := weburl.Link(raw)
	if err != nil || len(u) > maxURL {
		return "", fmt.Errorf("feed URL: %w", ErrURL)
	}
	return u, nil
}

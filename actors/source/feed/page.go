package feed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

// Page is an article's page as it came.
type Page struct {
	URL         string // after redirects
	ContentType string
	Body        []byte
	Robots      []string // what the host says about its use: the values of X-Robots-Tag
	// Again is how long its host wants to be left alone first; nothing else is
	// set then but Turn, which is to be given back.
	Again time.Duration
	Turn  time.Time
}

const (
	acceptPage = "text/html, application/xhtml+xml;q=0.9"
	pageMost   = 3 << 20
	busyMost   = 2 * time.Minute // past it a host that is busy is not waited for
)

// PageError is why a page cannot be had.
type PageError struct {
	reason string
	err    error
}

func (e *PageError) Error() string { return "page: " + e.reason + ": " + e.err.Error() }

// Unwrap is what happened.
func (e *PageError) Unwrap() error { return e.err }

// Reason is one word: address, robots, private, timeout, status, large, busy or
// failed.
func (e *PageError) Reason() string { return e.reason }

var errRobots = errors.New("the host's robots.txt does not allow it")

// elsewhere is a redirect to another host, which has a pace and a robots.txt of
// its own.
type elsewhere struct{ to *weburl.URL }

func (e *elsewhere) Error() string { return "redirected to another host" }

// Page fetches an article's page if it is its host's turn; turn is what it
// returned before for the same page, zero at first. The error is a PageError.
func (r *Reader) Page(ctx context.Context, address string, turn time.Time) (Page, error) {
	to, err := weburl.Parse(address)
	if err != nil || !to.IsWeb() {
		return Page{}, &PageError{"address", ErrURL}
	}
	first := to.String()
	if moved := r.asked.moved(first); moved != nil {
		to = moved
	}
	for range maxRedirects + 1 {
		page, err := r.pageOf(ctx, to, turn)
		var other *elsewhere
		if !errors.As(err, &other) {
			if page.Again == 0 {
				r.asked.move(first, nil)
			}
			return page, err
		}
		r.asked.move(first, other.to)
		to, turn = other.to, time.Time{}
	}
	r.asked.move(first, nil)
	return Page{}, &PageError{"failed", fmt.Errorf("more than %d hosts", maxRedirects)}
}

// pageOf is Page of one host.
func (r *Reader) pageOf(ctx context.Context, to *weburl.URL, turn time.Time) (Page, error) {
	host, now := to.Host(), r.cfg.Now()
	done, again := r.hosts.Take(host, turn)
	if done == nil {
		return Page{Again: max(again.Sub(now), time.Millisecond), Turn: again}, nil
	}
	defer done()
	said, asked := r.robots(ctx, to)
	rules := said.rules
	switch {
	case errors.Is(said.failure, ErrPrivateNetwork):
		return Page{}, &PageError{"private", said.failure}
	case said.failure != nil:
		return Page{}, &PageError{"robots", said.failure}
	case !rules.Allowed(pathOf(to)):
		return Page{}, &PageError{"robots", errRobots}
	}
	if wait := max(r.cfg.HostGap, rules.Delay); asked && wait > 0 { // that was this turn's request
		return Page{Again: wait}, nil
	}
	if rules.Delay > 0 {
		defer func() { r.hosts.Block(host, r.cfg.Now().Add(rules.Delay)) }()
	}
	return r.fetchPage(ctx, to)
}

func (r *Reader) fetchPage(ctx context.Context, to *weburl.URL) (Page, error) {
	room := r.memory.hold()
	defer room.release()
	resp, err := r.get(ctx, to.String(), mark{}, room, wanted{accept: acceptPage, most: pageMost, follow: func(from, to *weburl.URL) error {
		if from.Host() != to.Host() {
			return &elsewhere{to}
		}
		return nil
	}})
	var other *elsewhere
	switch {
	case errors.As(err, &other):
		return Page{}, other
	case errors.Is(err, errBusy):
		return Page{Again: busyHost}, nil
	case err != nil:
		return Page{}, &PageError{reasonOf(ctx, err), err}
	case resp.status == http.StatusTooManyRequests || resp.status == http.StatusServiceUnavailable:
		return r.busy(to, resp)
	case resp.status != http.StatusOK:
		return Page{}, &PageError{"status", statusError(resp.status)}
	case resp.cut != nil:
		return Page{}, &PageError{"failed", resp.cut}
	}
	return Page{URL: resp.url.String(), ContentType: resp.header.Get("Content-Type"), Body: []byte(resp.body), Robots: reservations(resp.header)}, nil
}

// reservations are what the page's header says about its use. That of TDMRep is
// told as one more word.
func reservations(h http.Header) []string {
	said := h.Values("X-Robots-Tag")
	if strings.TrimSpace(h.Get("Tdm-Reservation")) == "1" {
		said = append(slices.Clip(said), "tdm-reservation")
	}
	return said
}

// busy leaves the host alone for as long as it asks.
func (r *Reader) busy(to *weburl.URL, resp *response) (Page, error) {
	now := r.cfg.Now()
	after := max(retryAfter(resp.header, now), 5*time.Second)
	r.hosts.Block(to.Host(), now.Add(after))
	if after > busyMost {
		return Page{}, &PageError{"busy", statusError(resp.status)}
	}
	return Page{Again: after}, nil
}

func reasonOf(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, ErrPrivateNetwork):
		return "private"
	case errors.Is(err, errTooLarge):
		return "large"
	case ctx.Err() != nil, overdue(err):
		return "timeout"
	}
	return "failed"
}

// pathOf is what robots.txt speaks of.
func pathOf(u *weburl.URL) string {
	if q := u.Query(); q != "" {
		return u.Path() + "?" + q
	}
	return u.Path()
}

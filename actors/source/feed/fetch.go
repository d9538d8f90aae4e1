package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const (
	maxRedirects = 10
	accept       = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, " +
		"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)

// hops collects the redirects of one request.
type hops struct {
	permanent bool   // all of them so far
	moved     string // where the permanent ones lead to
}

type hopsKey struct{}

// checkRedirect follows where it may, and notes what is permanent. A permanent
// redirect behind a temporary one is none: it is the temporary target's.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return fmt.Errorf("redirect to a %s URL", req.URL.Scheme)
	}
	h, _ := req.Context().Value(hopsKey{}).(*hops)
	if h == nil || req.Response == nil {
		return nil
	}
	switch req.Response.StatusCode {
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		if h.permanent {
			h.moved = req.URL.String()
		}
	default:
		h.permanent = false
	}
	return nil
}

// response is a document, or that it has not changed.
type response struct {
	status int
	header http.Header
	url    *url.URL // of the document, behind redirects
	moved  string   // where the feed permanently went, "" where it did not
	body   []byte   // of a 200 only
}

var (
	errTooLarge = errors.New("document too large")
	errStatus   = errors.New("unexpected status")
)

// fetch makes one request. Errors never carry the URL: its query may be a key.
func (r *Reader) fetch(ctx context.Context, target string, m mark) (*response, error) {
	h := &hops{permanent: true}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, hopsKey{}, h), http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", bare(err))
	}
	req.Header.Set("User-Agent", r.cfg.UserAgent)
	req.Header.Set("Accept", accept)
	m.condition(req.Header)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", bare(err))
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost with it
	out := &response{status: resp.StatusCode, header: resp.Header, url: resp.Request.URL, moved: h.moved}
	if resp.StatusCode != http.StatusOK {
		// A little is read so that the connection can be used again.
		_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
		return out, nil
	}
	out.body, err = readBody(resp.Body, r.cfg.MaxBody)
	if err != nil {
		return out, fmt.Errorf("read document: %w", bare(err))
	}
	return out, nil
}

// readBody reads at most most bytes. The transport has undone gzip where the
// server said so; a file that was stored compressed is told by its first bytes.
func readBody(body io.Reader, most int64) ([]byte, error) {
	br := bufio.NewReader(body)
	var r io.Reader = br
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		r = z
	}
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	switch {
	case int64(len(data)) > most:
		return nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
	case err != nil:
		return nil, err
	}
	return data, nil
}

// bare unwraps what net/http wraps errors in: the method and the whole URL.
func bare(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("timed out")
		}
		err = u.Err
	}
	return err
}

// hostOf is the name that requests are paced by.
func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

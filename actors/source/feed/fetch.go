package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	neturl "net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/birdwire/birdwire/actors/engine/weburl"
)

const (
	maxRedirects = 10
	accept       = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, " +
		"application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)

// response is a document, or that it has not changed.
type response struct {
	status int
	header http.Header
	url    *weburl.URL // of the document, after redirects
	moved  string      // where the feed permanently went, "" where it did not
	body   string      // of a 200 only
	cut    error       // why the body ended before its end, or may be damaged; nil: it did not
}

var (
	errTooLarge = errors.New("document too large")
	errStatus   = errors.New("unexpected status")
)

// wanted is what is asked for.
type wanted struct {
	accept string
	most   int64                            // bytes of it
	follow func(from, to *weburl.URL) error // whether a redirect may be followed; nil: any
}

// fetch asks for a feed.
func (r *Reader) fetch(ctx context.Context, target string, m mark, room *hold) (*response, error) {
	return r.get(ctx, target, m, room, wanted{accept: accept, most: r.cfg.MaxBody})
}

// get makes one request and follows where it is sent. It does so itself, not
// net/http: that refuses addresses which browsers open. Cookies live as long as
// the request does; some sites send a reader around in a circle without them.
// Errors never carry the address: its query may be a key.
func (r *Reader) get(ctx context.Context, target string, m mark, room *hold, want wanted) (*response, error) {
	to, err := weburl.Parse(target)
	if err != nil || !to.IsWeb() {
		return nil, fmt.Errorf("make request: %w", ErrURL)
	}
	jar, err := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	permanent, moved := true, ""
	for range maxRedirects + 1 {
		resp, err := r.ask(ctx, jar, to, m, want.accept)
		if err != nil {
			return nil, fmt.Errorf("fetch: %w", bare(err))
		}
		next, err := redirected(resp, to)
		if err != nil {
			discard(resp)
			return nil, fmt.Errorf("fetch: %w", err)
		}
		if next == nil {
			return r.take(resp, to, moved, room, want.most)
		}
		discard(resp)
		if want.follow != nil {
			if err := want.follow(to, next); err != nil {
				return nil, err
			}
		}
		// A permanent redirect after a temporary one is none: it is the temporary
		// target's.
		permanent = permanent && (resp.StatusCode == http.StatusMovedPermanently || resp.StatusCode == http.StatusPermanentRedirect)
		if permanent {
			moved = next.String()
		}
		to = next
	}
	return nil, fmt.Errorf("fetch: more than %d redirects", maxRedirects)
}

// ask makes one request. It does without http.Client, which refuses every
// response that leads to an address it cannot parse.
func (r *Reader) ask(ctx context.Context, jar http.CookieJar, to *weburl.URL, m mark, accept string) (*http.Response, error) {
	req := (&http.Request{Method: http.MethodGet, URL: to.Request(), Header: http.Header{}}).WithContext(ctx)
	req.Header.Set("User-Agent", r.cfg.UserAgent)
	req.Header.Set("Accept", accept)
	m.condition(req.Header)
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	for _, c := range jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	jar.SetCookies(req.URL, resp.Cookies())
	return resp, nil
}

// redirected is where the response sends its reader; nil for nowhere.
func redirected(resp *http.Response, from *weburl.URL) (*weburl.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, nil
	}
	to, err := from.Resolve(escapeBytes(location))
	if err != nil {
		return nil, errors.New("redirect to what is no URL")
	}
	if !to.IsWeb() {
		return nil, fmt.Errorf("redirect to a %s URL", line(to.Scheme(), 20))
	}
	return to, nil
}

// escapeBytes keeps the bytes of a header, of whatever encoding, as they are:
// browsers send back the very bytes that they were sent.
func escapeBytes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] < 0x80 {
			b.WriteByte(s[i])
			continue
		}
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// discard reads a little of a response, so that its connection can be used again.
func discard(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 16<<10)
	_ = resp.Body.Close() // nothing is lost with it
}

// take reads the response that is the answer.
func (r *Reader) take(resp *http.Response, from *weburl.URL, moved string, room *hold, most int64) (*response, error) {
	out := &response{status: resp.StatusCode, header: resp.Header, url: from, moved: moved}
	if resp.StatusCode != http.StatusOK {
		discard(resp)
		return out, nil
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is lost with it
	var err error
	if out.body, out.cut, err = readBody(resp.Body, most, room); err != nil {
		return out, fmt.Errorf("read document: %w", bare(err))
	}
	return out, nil
}

// readBody reads at most most bytes. The transport has undone gzip where the
// server said so; a file that was stored compressed is told by its first bytes.
// What came before the transfer broke is no error: cut says that it did.
func readBody(body io.Reader, most int64, room *hold) (whole string, cut, err error) {
	br := bufio.NewReader(body)
	var r io.Reader = br
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(br)
		if err != nil {
			return "", nil, fmt.Errorf("gzip: %w", err)
		}
		r = z
	}
	// In pieces: a slice that grows leaves several times its size to the collector.
	var pieces [][]byte
	size, chunk := 0, 16<<10
	for {
		piece, err := fill(r, make([]byte, chunk))
		if size += len(piece); int64(size) > most {
			return "", nil, fmt.Errorf("%w: more than %d bytes", errTooLarge, most)
		}
		if busy := room.grow(size); busy != nil {
			return "", nil, busy
		}
		pieces = append(pieces, piece)
		switch {
		case err == io.EOF:
			return joinedPieces(pieces, size), nil, nil
		case err != nil && size > 0 && !overdue(err):
			return joinedPieces(pieces, size), bare(err), nil
		case err != nil:
			return "", nil, err
		}
		chunk = min(2*chunk, 1<<20)
	}
}

// fill reads until the piece is full or there is no more. io.ReadFull would
// make one error of the end and of a connection that broke.
func fill(r io.Reader, piece []byte) ([]byte, error) {
	n := 0
	for n < len(piece) {
		m, err := r.Read(piece[n:])
		n += m
		if err != nil {
			return piece[:n], err
		}
	}
	return piece, nil
}

func joinedPieces(pieces [][]byte, size int) string {
	var b strings.Builder
	b.Grow(size)
	for _, p := range pieces {
		b.Write(p)
	}
	return b.String()
}

// sumOf is the SHA-256 of a document, without a copy of it.
func sumOf(s string) []byte {
	h := sha256.New()
	for len(s) > 0 {
		n := min(len(s), 64<<10)
		h.Write([]byte(s[:n])) // a hash's Write never fails
		s = s[n:]
	}
	return h.Sum(nil)
}

// bare says in plain words that time was up, and unwraps what would show an
// address.
func bare(err error) error {
	var u *neturl.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	if overdue(err) {
		return errors.New("timed out")
	}
	return err
}

// overdue: we gave up, and the server may still be at it.
func overdue(err error) bool {
	var timed net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &timed) && timed.Timeout()
}

// hostOf is the name that requests are paced by.
func hostOf(address string) string {
	u, err := weburl.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host()
}

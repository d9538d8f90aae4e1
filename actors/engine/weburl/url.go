package weburl

import (
	"errors"
	"fmt"
	neturl "net/url"
	"strings"

	whatwg "github.com/nlnwa/whatwg-url/url"
)

// MaxInput bounds what is read as an address, in bytes. Browsers take more, but
// no page needs it, and what the parser costs grows faster than its input.
const MaxInput = 8 << 10

// The parser copies a name and password again for each of their letters, and a
// path for each of its segments: both have a bound of their own.
const (
	maxLogin    = 512 // bytes
	maxSegments = 512
)

var (
	// ErrURL: no browser would take it for an address.
	ErrURL = errors.New("not a URL")
	// ErrNotWeb: an address, but not one of http or https with a host.
	ErrNotWeb = errors.New("not an http or https URL")
)

// parser follows the standard of today: since 2024 a '^' in a path is encoded.
var parser = whatwg.NewParser(whatwg.WithPathPercentEncodeSet(whatwg.PathPercentEncodeSet.Set('^')))

// URL is an absolute address. It is never changed; the zero value is not one.
type URL struct {
	of   *whatwg.Url
	text string
}

// Parse reads an absolute address. The error wraps ErrURL.
func Parse(s string) (*URL, error) { return parse(nil, s) }

// Resolve reads ref as a page at u would mean it. The error wraps ErrURL.
func (u *URL) Resolve(ref string) (*URL, error) { return parse(u, ref) }

// parse turns a panic of the library into an error of this address: the library
// keeps no state, so nothing is left half done.
func parse(base *URL, s string) (u *URL, err error) {
	if len(s) > MaxInput {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrURL, MaxInput)
	}
	s = breaks.Replace(s)
	switch {
	case login(s) > maxLogin:
		return nil, fmt.Errorf("%w: a name and password of more than %d bytes", ErrURL, maxLogin)
	case strings.Count(s, "/")+strings.Count(s, `\`) > maxSegments:
		return nil, fmt.Errorf("%w: a path of more than %d segments", ErrURL, maxSegments)
	}
	defer func() {
		if r := recover(); r != nil {
			u, err = nil, fmt.Errorf("%w: %v", ErrURL, r)
		}
	}()
	var of *whatwg.Url
	if base == nil {
		of, err = parser.Parse(s)
	} else {
		of, err = base.of.Parse(s)
	}
	if err != nil || of == nil {
		return nil, ErrURL // the library's error carries the address, and that may carry a key
	}
	return &URL{of: of, text: of.Href(false)}, nil
}

// breaks are taken out wherever they are.
var breaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// login is how many bytes, at most, may be read as a name and a password: all up
// to the last '@' that no path comes before.
func login(s string) int {
	end := strings.LastIndexByte(s, '@')
	if end <= maxLogin {
		return 0
	}
	from := strings.IndexByte(s, ':') + 1
	for from < len(s) && (s[from] == '/' || s[from] == '\\') {
		from++
	}
	if path := strings.IndexAny(s[from:], `/?#\`); path >= 0 {
		end = strings.LastIndexByte(s[from:from+path], '@')
		return end + 1
	}
	return end - from
}

// String is the address as browsers write it, all ASCII.
func (u *URL) String() string { return u.text }

// Scheme is lower-case, without its colon.
func (u *URL) Scheme() string { return u.of.Scheme() }

// Host is lower-case and ASCII, with a port that is not the scheme's own.
func (u *URL) Host() string { return u.of.Host() }

// Port is "" where it is the scheme's own.
func (u *URL) Port() string { return u.of.Port() }

// Path begins with a slash in every address of the web.
func (u *URL) Path() string { return u.of.Pathname() }

// Query is without its question mark.
func (u *URL) Query() string { return u.of.Query() }

// IsWeb says whether it is of http or https.
func (u *URL) IsWeb() bool {
	return (u.of.Scheme() == "http" || u.of.Scheme() == "https") && u.of.Hostname() != ""
}

// Redacted is the address with neither password nor query, for logs and lists.
func (u *URL) Redacted() string {
	s := u.of.Scheme() + "://"
	if u.of.Username() != "" || u.of.Password() != "" {
		s += u.of.Username() + ":xxxxx@"
	}
	return s + u.of.Host() + u.of.Pathname()
}

// Request is the address for net/http, which then sends the very bytes that a
// browser sends. Go's own parser refuses some of them, and writes others in
// another way; those go through as an opaque request target.
func (u *URL) Request() *neturl.URL {
	path, query := u.of.Pathname(), u.of.Query()
	target := path
	if query != "" {
		target += "?" + query
	}
	whole := u.of.Href(true)
	empty := strings.HasSuffix(whole, "?") && query == ""
	if empty {
		target += "?"
	}
	if out, err := neturl.Parse(whole); err == nil && out.RequestURI() == target {
		return out
	}
	out := &neturl.URL{Scheme: u.of.Scheme(), Host: u.of.Host(), Path: decode(path), RawQuery: query, ForceQuery: empty}
	if u.of.Username() != "" || u.of.Password() != "" {
		out.User = neturl.UserPassword(decode(u.of.Username()), decode(u.of.Password()))
	}
	if !strings.HasPrefix(path, "//") { // those would be read as a host
		out.Opaque = path
	}
	return out
}

// decode undoes percent-encoding where it is one, and leaves a bare '%' alone.
func decode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b.WriteByte(unhex(s[i+1])<<4 | unhex(s[i+2]))
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

package feed

import (
	"context"
	"net"

	"github.com/birdwire/birdwire/actors/engine/weburl"
	"github.com/birdwire/birdwire/messages"
)

// Other is another feed of the same reader.
func (f *Feed) Other(cfg Config) *Feed { return f.reader.Feed(cfg) }

// NewReaderWithException refuses private networks but for one address: a test
// has no public host to begin from.
func NewReaderWithException(cfg ReaderConfig, address string) *Reader {
	r := NewReader(cfg)
	strict := dialer(false)
	r.transport.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == address {
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}
		return strict(ctx, network, to)
	}
	return r
}

var (
	ReadHTML = func(s string) (text, image string) { p := readHTML(s); return p.text, p.image.text }
	IsPublic = isPublic
)

// Discover is the feed that a page at https://site.example/a/ names.
func Discover(page string) string {
	at, err := weburl.Parse("https://site.example/a/")
	if err != nil {
		return err.Error()
	}
	if u := discover(page, "", at); u != nil {
		return u.String()
	}
	return ""
}

// ErrPanic is what a panic of the parser is reported as.
var ErrPanic = errPanic

// Drafts parses a document as one of a feed at https://feed.example/.
func Drafts(body []byte, contentType string) ([]*messages.Event, error) {
	drafts, _, err := DraftsWarned(body, contentType)
	return drafts, err
}

// DraftsWarned is Drafts with the document's warning.
func DraftsWarned(body []byte, contentType string) ([]*messages.Event, string, error) {
	base, err := weburl.Parse("https://feed.example/")
	if err != nil {
		return nil, "", err
	}
	doc, err := parse(string(body), contentType, base)
	if err != nil {
		return nil, "", err
	}
	f := &Feed{cfg: Config{SourceID: "src", Name: "Source"}}
	drafts := f.drafts(doc, base, &identities{})
	return drafts, doc.warning(), doc.fault(len(drafts))
}

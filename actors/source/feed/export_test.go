package feed

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/birdwire/birdwire/messages"
)

// Beside is another feed of the same reader.
func (f *Feed) Beside(cfg Config) *Feed { return f.reader.Feed(cfg) }

// NewReaderWithException refuses private networks but for one address: a test
// has no public host to begin from.
func NewReaderWithException(cfg ReaderConfig, address string) *Reader {
	r := NewReader(cfg)
	strict := dialer(false)
	r.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == address {
			return (&net.Dialer{}).DialContext(ctx, network, to)
		}
		return strict(ctx, network, to)
	}
	return r
}

var (
	ReadHTML = func(s string) (text, image string) { p := readHTML(s); return p.text, p.image }
	IsPublic = isPublic
)

// ErrPanic is what a panic of the parser is reported as.
var ErrPanic = errPanic

// Drafts parses a document as one of a feed at https://feed.example/.
func Drafts(body []byte, contentType string) ([]*messages.Event, error) {
	doc, err := parse(body, contentType)
	if err != nil {
		return nil, err
	}
	f := &Feed{cfg: Config{SourceID: "src", Name: "Source"}}
	return f.drafts(doc, &url.URL{Scheme: "https", Host: "feed.example", Path: "/"}), nil
}

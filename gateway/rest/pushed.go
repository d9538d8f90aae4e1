package rest

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
)

// errInflated: a gzip body is larger inside than any body may be.
var errInflated = errors.New("inflated past the limit")

// pushed is a body, inflated and bounded on both sides of the inflating. It
// keeps the error that ended it, however the port puts it.
type pushed struct {
	from io.Reader
	zip  bool
	left int64
	err  error // what ended the body, io.EOF excepted
}

func newPushed(w http.ResponseWriter, r *http.Request, body io.ReadCloser, limit int64) *pushed {
	p := &pushed{from: http.MaxBytesReader(w, body, limit), left: limit}
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(p.from)
		if err == io.EOF { // not even a header
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			p.err = err
			return p
		}
		p.from, p.zip = z, true
	}
	return p
}

func (p *pushed) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	if int64(len(b)) > p.left+1 {
		b = b[:p.left+1] // one more than may be: that it comes is how excess is known
	}
	n, err := p.from.Read(b)
	if int64(n) > p.left {
		n, err = int(p.left), errInflated
	}
	p.left -= int64(n)
	if err != nil && err != io.EOF {
		p.err = err
	}
	return n, err
}

// reason is for the client: nothing of our addresses.
func (p *pushed) reason() string {
	switch {
	case errors.Is(p.err, io.ErrUnexpectedEOF):
		return "it ends early"
	case errors.Is(p.err, gzip.ErrHeader), errors.Is(p.err, gzip.ErrChecksum):
		return "it is no gzip"
	case p.zip:
		return "its gzip is damaged"
	}
	return "its connection failed"
}

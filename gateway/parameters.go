package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// How far lists go. The product stays below 2^31.
const (
	pageSize    = 20
	maxPageSize = 1000
	maxPage     = 1_000_000
)

// Parameters reads a query string; the first thing wrong stays in Bad.
type Parameters struct {
	Bad    *Invalid
	values url.Values
}

// ReadParameters reads the request's.
func ReadParameters(r *http.Request) *Parameters {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &Parameters{values: values}
	if err != nil {
		p.fail("query string", "is not well formed")
	}
	return p
}

// Get is the parameter as it is; "" where absent.
func (p *Parameters) Get(name string) string { return p.values.Get(name) }

// OneOf is one of the words; "" where absent.
func (p *Parameters) OneOf(name string, words ...string) string {
	s := p.values.Get(name)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	p.fail(name, "must be one of "+strings.Join(words, ", "))
	return ""
}

// Pages reads page (from 1) and page_size.
func (p *Parameters) Pages() (page, size int) {
	return p.number("page", 1, maxPage, 1), p.number("page_size", 1, maxPageSize, pageSize)
}

// Window reads limit and offset.
func (p *Parameters) Window() (limit, offset int) {
	return p.number("limit", 1, maxPageSize, pageSize), p.number("offset", 0, maxPage*maxPageSize, 0)
}

func (p *Parameters) number(name string, least, most, absent int) int {
	s := p.values.Get(name)
	if s == "" {
		return absent
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail(name, fmt.Sprintf("must be a whole number from %d to %d", least, most))
		return absent
	}
	return n
}

func (p *Parameters) fail(name, reason string) {
	if p.Bad == nil {
		p.Bad = &Invalid{Field: name, Reason: reason}
	}
}

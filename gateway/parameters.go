package gateway

import (
	"fmt"
	"maps"
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

// Takes says whether the request's query string has no other parameters than
// these, and else answers it. One that is misspelt or of another address would
// be as if it were not there: more would be listed, or another article deleted,
// than was meant. Bodies are read as strictly.
func Takes(w http.ResponseWriter, r *http.Request, names ...string) bool {
	p := ReadParameters(r)
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if slices.Contains(names, name) {
			continue
		}
		reason := "is no parameter here; there are none"
		if len(names) > 0 {
			reason = "is no parameter here; there are " + strings.Join(names, ", ")
		}
		p.fail(name, reason)
	}
	if p.Bad != nil {
		WriteInvalid(w, p.Bad)
	}
	return p.Bad == nil
}

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

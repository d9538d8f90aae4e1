package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/birdwire/birdwire/gateway"
)

// maxBody is of the small JSON bodies: 100 usernames and a query of 2,048
// characters, escaped, fit several times.
const maxBody = 64 << 10

// problem is the first thing wrong with a request.
type problem struct {
	short    string // "" is validation_failed
	field    string
	reason   string
	expected string
	position int32
	placed   bool // position means something
}

// body reads the fields of a small JSON object one by one. The first problem
// stays; after it everything reads as absent. Unknown fields are ignored: a
// newer client library may send more than we know.
type body struct {
	fields map[string]json.RawMessage
	bad    *problem
}

// bodyTime is how long a small body may take to arrive.
const bodyTime = 30 * time.Second

// readBody answers the client itself where there is no JSON object to read.
func readBody(w http.ResponseWriter, r *http.Request) (*body, bool) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		gateway.WriteError(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", maxBody))
		return nil, false
	case err != nil:
		gateway.WriteError(w, http.StatusBadRequest, "bad_request", "the body could not be read to its end")
		return nil, false
	}
	b, p := parseBody(data)
	if p != nil {
		writeInvalid(w, p)
		return nil, false
	}
	return b, true
}

func parseBody(data []byte) (*body, *problem) {
	b := &body{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&b.fields); err != nil || b.fields == nil {
		return nil, &problem{field: "body", reason: "must be a JSON object", expected: "object"}
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, &problem{field: "body", reason: "must be one JSON object and nothing after it", expected: "object"}
	}
	return b, nil
}

func (b *body) fail(field, reason, expected string) {
	if b.bad == nil {
		b.bad = &problem{field: field, reason: reason, expected: expected}
	}
}

// has: the field was sent, and not as null.
func (b *body) has(field string) bool {
	raw, ok := b.fields[field]
	return ok && b.bad == nil && !bytes.Equal(raw, []byte("null"))
}

// clears: the field was sent as null.
func (b *body) clears(field string) bool {
	raw, ok := b.fields[field]
	return ok && b.bad == nil && bytes.Equal(raw, []byte("null"))
}

func (b *body) need(fields ...string) {
	for _, f := range fields {
		if !b.has(f) {
			b.fail(f, "is required", "")
		}
	}
}

// text is a string of least to most characters, without NUL.
func (b *body) text(field string, least, most int) string {
	return b.within(field, b.raw(field), least, most)
}

// label is text of 1 to most characters without the white space around it.
func (b *body) label(field string, most int) string {
	return b.within(field, strings.TrimSpace(b.raw(field)), 1, most)
}

func (b *body) raw(field string) (s string) {
	if b.has(field) && json.Unmarshal(b.fields[field], &s) != nil {
		b.fail(field, "must be a string", "string")
	}
	return s
}

func (b *body) within(field, s string, least, most int) string {
	if !b.has(field) {
		return ""
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < least || n > most:
		b.fail(field, fmt.Sprintf("must be %d to %d characters, not %d", least, most, n), "")
		return ""
	case strings.ContainsRune(s, 0):
		b.fail(field, "must not contain NUL", "")
		return ""
	}
	return s
}

// number is a finite one from least to most.
func (b *body) number(field string, least, most, absent float64) float64 {
	if !b.has(field) {
		return absent
	}
	var f float64
	if json.Unmarshal(b.fields[field], &f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		b.fail(field, "must be a number", "number")
		return absent
	}
	if f < least || f > most {
		reason := fmt.Sprintf("must be at least %v", least)
		if most < math.MaxFloat64 {
			reason = fmt.Sprintf("must be from %v to %v", least, most)
		}
		b.fail(field, reason, "")
		return absent
	}
	return f
}

func (b *body) integer(field string, least, most, absent int32) int32 {
	f := b.number(field, float64(least), float64(most), float64(absent))
	if f != math.Trunc(f) {
		b.fail(field, "must be a whole number", "integer")
		return absent
	}
	return int32(f)
}

func (b *body) oneOf(field string, words ...string) string {
	s := b.raw(field)
	if !b.has(field) || slices.Contains(words, s) {
		return s
	}
	b.fail(field, "must be one of "+strings.Join(words, ", "), strings.Join(words, "|"))
	return ""
}

// usernames are stored in lower case without '@', each once, in the order
// given.
func (b *body) usernames(field string) []string {
	if !b.has(field) {
		return nil
	}
	var names []string
	if json.Unmarshal(b.fields[field], &names) != nil {
		b.fail(field, "must be a list of strings", "string[]")
		return nil
	}
	if len(names) < 1 || len(names) > 100 {
		b.fail(field, fmt.Sprintf("must be 1 to 100 usernames, not %d", len(names)), "")
		return nil
	}
	seen := make(map[string]bool, len(names))
	out := make([]string, 0, len(names))
	for i, name := range names {
		name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
		if !isUsername(name) {
			b.fail(field, fmt.Sprintf("number %d is no username: letters, digits and _ . - only, at most 100", i+1), "")
			return nil
		}
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// isUsername is wider than X's own rule, since other networks are sources too.
func isUsername(s string) bool {
	if s == "" || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '.' && c != '-' && (c != '@' || i == 0) {
			return false
		}
	}
	return true
}

// webhook is an https URL; "" clears it.
func (b *body) webhook(field string) string {
	s := b.text(field, 0, 2048)
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		b.fail(field, "must be an https URL", "https://…")
		return ""
	}
	return s
}

// parameters reads the query string; what is wrong becomes a problem.
type parameters struct {
	values url.Values
	bad    *problem
}

func query(r *http.Request) *parameters {
	values, err := url.ParseQuery(r.URL.RawQuery)
	p := &parameters{values: values}
	if err != nil {
		p.bad = &problem{field: "query string", reason: "is not well formed"}
	}
	return p
}

func (p *parameters) number(name string, least, most, absent int) int {
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

func (p *parameters) oneOf(name string, words ...string) string {
	s := p.values.Get(name)
	if s == "" || slices.Contains(words, s) {
		return s
	}
	p.fail(name, "must be one of "+strings.Join(words, ", "))
	return ""
}

func (p *parameters) fail(name, reason string) {
	if p.bad == nil {
		p.bad = &problem{field: name, reason: reason}
	}
}

// How far lists go: a page is at most 1,000, and no list is longer than what
// the pages before the last can skip.
const (
	pageSize    = 20
	maxPageSize = 1000
	maxPage     = 1_000_000
)

// pages reads page and page_size.
func (p *parameters) pages() (page, size int) {
	return p.number("page", 1, maxPage, 1), p.number("page_size", 1, maxPageSize, pageSize)
}

// window reads limit and offset.
func (p *parameters) window() (limit, offset int) {
	return p.number("limit", 1, maxPageSize, pageSize), p.number("offset", 0, maxPage*maxPageSize, 0)
}

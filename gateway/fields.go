package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxFields is of a small JSON body: 100 usernames and a query of 2,048
// characters, escaped, fit several times.
const maxFields = 64 << 10

// fieldsTime is how long a small body may take to arrive.
const fieldsTime = 30 * time.Second

// Invalid is the first thing wrong with what a client sent: the body of a 422
// in the same answer as the Problem.
type Invalid struct {
	Short    string // "" is validation_failed
	Field    string
	Reason   string
	Expected string // what would have been right; may be ""
	Position *int32 // of the error in the field, in characters from 0; nil where that means nothing
}

// WriteInvalid answers 422 with the field and the reason, also as the detail.
func WriteInvalid(w http.ResponseWriter, p *Invalid) {
	body := struct {
		Problem
		Field    string `json:"field"`
		Reason   string `json:"reason"`
		Position *int32 `json:"position,omitempty"`
		Expected string `json:"expected,omitempty"`
	}{
		Problem: Problem{Error: "validation_failed", Detail: p.Reason, Status: http.StatusUnprocessableEntity},
		Field:   p.Field, Reason: p.Reason, Position: p.Position, Expected: p.Expected,
	}
	if p.Short != "" {
		body.Error = p.Short
	}
	if p.Field != "" {
		body.Detail = p.Field + ": " + p.Reason
	}
	WriteJSON(w, body.Status, body)
}

// Fields reads a small JSON object field by field. The first thing wrong stays
// in Bad, and after it everything reads as absent.
type Fields struct {
	Bad *Invalid
	raw map[string]json.RawMessage
}

// ReadFields answers the client itself where there is no JSON object to read.
func ReadFields(w http.ResponseWriter, r *http.Request) (*Fields, bool) {
	// Errors mean that the writer is no connection; the server's own limit holds.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(fieldsTime))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFields))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		WriteError(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("the body is larger than %d bytes", maxFields))
		return nil, false
	case err != nil:
		WriteError(w, http.StatusBadRequest, "bad_body", "the body could not be read to its end")
		return nil, false
	}
	f := ParseFields(data)
	if f.Bad != nil {
		WriteInvalid(w, f.Bad)
		return nil, false
	}
	return f, true
}

// ParseFields reads one JSON object; Bad is set where it is none.
func ParseFields(data []byte) *Fields {
	f := &Fields{}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&f.raw); err != nil || f.raw == nil {
		f.Fail("body", "must be a JSON object", "object")
		return f
	}
	if _, err := d.Token(); err != io.EOF {
		f.Fail("body", "must be one JSON object and nothing after it", "object")
	}
	return f
}

// Fail keeps the first thing wrong.
func (f *Fields) Fail(field, reason, expected string) {
	if f.Bad == nil {
		f.Bad = &Invalid{Field: field, Reason: reason, Expected: expected}
	}
}

// Has: the field was sent, and not as null.
func (f *Fields) Has(field string) bool {
	raw, ok := f.raw[field]
	return ok && f.Bad == nil && !bytes.Equal(raw, []byte("null"))
}

// Given are those of fields that were sent, and not as null.
func (f *Fields) Given(fields ...string) (given []string) {
	for _, field := range fields {
		if f.Has(field) {
			given = append(given, field)
		}
	}
	return given
}

// Only fails for a field that is not one of these: what is not understood must
// not look as if it had been done. of says what they are fields of.
func (f *Fields) Only(of string, fields ...string) {
	for _, field := range slices.Sorted(maps.Keys(f.raw)) {
		if !slices.Contains(fields, field) {
			f.Fail(clip(field), "is not a field of "+of+" that can be set; those are "+strings.Join(fields, ", "), strings.Join(fields, "|"))
		}
	}
}

// clip shortens a client's own word.
func clip(s string) string {
	const most = 64
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Need fails for every field that was not sent.
func (f *Fields) Need(fields ...string) {
	for _, field := range fields {
		if !f.Has(field) {
			f.Fail(field, "is required", "")
		}
	}
}

// Text is a string of least to most characters, without NUL; "" where absent.
func (f *Fields) Text(field string, least, most int) string {
	return f.within(field, f.String(field), least, most)
}

// Label is a Text of 1 to most characters without the white space around it.
func (f *Fields) Label(field string, most int) string {
	return f.within(field, strings.TrimSpace(f.String(field)), 1, most)
}

// String is a string of any length.
func (f *Fields) String(field string) (s string) {
	if f.Has(field) && json.Unmarshal(f.raw[field], &s) != nil {
		f.Fail(field, "must be a string", "string")
	}
	return s
}

// Strings is a list of strings; nil where absent.
func (f *Fields) Strings(field string) (list []string) {
	if f.Has(field) && json.Unmarshal(f.raw[field], &list) != nil {
		f.Fail(field, "must be a list of strings", "string[]")
		return nil
	}
	return list
}

func (f *Fields) within(field, s string, least, most int) string {
	if !f.Has(field) {
		return ""
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n < least || n > most:
		f.Fail(field, fmt.Sprintf("must be %d to %d characters, not %d", least, most, n), "")
		return ""
	case strings.ContainsRune(s, 0):
		f.Fail(field, "must not contain NUL", "")
		return ""
	}
	return s
}

// Number is a finite one from least to most.
func (f *Fields) Number(field string, least, most, absent float64) float64 {
	if !f.Has(field) {
		return absent
	}
	var n float64
	if json.Unmarshal(f.raw[field], &n) != nil {
		f.Fail(field, "must be a number", "number")
		return absent
	}
	if n < least || n > most {
		reason := "must be at least " + plain(least)
		if most < math.MaxFloat64 {
			reason = fmt.Sprintf("must be from %s to %s", plain(least), plain(most))
		}
		if strings.HasSuffix(field, "_seconds") {
			reason += " seconds"
		}
		f.Fail(field, reason, "")
		return absent
	}
	return n
}

// plain writes a number as people do: 7776000 and not 7.776e+06.
func plain(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// Float is any finite number; 0 where absent.
func (f *Fields) Float(field string) float64 {
	return f.Number(field, -math.MaxFloat64, math.MaxFloat64, 0)
}

// Bool is a truth value; false where absent.
func (f *Fields) Bool(field string) (b bool) {
	if f.Has(field) && json.Unmarshal(f.raw[field], &b) != nil {
		f.Fail(field, "must be true or false", "boolean")
		return false
	}
	return b
}

// Integer is a whole Number.
func (f *Fields) Integer(field string, least, most, absent int32) int32 {
	n := f.Number(field, float64(least), float64(most), float64(absent))
	if n != math.Trunc(n) {
		f.Fail(field, "must be a whole number", "integer")
		return absent
	}
	return int32(n)
}

// OneOf is one of the words; "" where absent.
func (f *Fields) OneOf(field string, words ...string) string {
	s := f.String(field)
	if !f.Has(field) || slices.Contains(words, s) {
		return s
	}
	f.Fail(field, "must be one of "+strings.Join(words, ", "), strings.Join(words, "|"))
	return ""
}

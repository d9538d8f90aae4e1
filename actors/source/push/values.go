package push

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-faster/jx"

	"github.com/birdwire/birdwire/actors/engine/text"
	"github.com/birdwire/birdwire/actors/engine/weburl"
)

// prose reads a string of at most max characters.
func prose(d *jx.Decoder, field string, max int) (string, error) {
	s, err := str(d, field)
	if err != nil {
		return "", err
	}
	return bounded(field, s, max)
}

// str reads a text: what a windows-1252 page left in it is made characters.
func str(d *jx.Decoder, field string) (string, error) {
	if ok, err := expect(d, field, jx.String); !ok {
		return "", err
	}
	s, err := d.Str()
	return text.Windows1252(s), err
}

func bounded(field, s string, max int) (string, error) {
	if len(s) > max {
		if n := utf8.RuneCountInString(s); n > max {
			return "", wrong(field, "%d characters, at most %d", n, max)
		}
	}
	return s, nil
}

// escaped is a text as X's API writes it.
func escaped(d *jx.Decoder, field string, max int) (string, error) {
	s, err := str(d, field)
	if err != nil {
		return "", err
	}
	return bounded(field, unescape(s), max)
}

// label is a text of one line: trimmed, with a space for each tab and line
// break in it, and without what cannot be seen.
func label(d *jx.Decoder, field string, max int) (string, error) {
	s, err := str(d, field)
	if err != nil {
		return "", err
	}
	return bounded(field, oneLine(s), max)
}

// escapedLabel is a label as X's API writes it.
func escapedLabel(d *jx.Decoder, field string, max int) (string, error) {
	s, err := str(d, field)
	if err != nil {
		return "", err
	}
	return bounded(field, oneLine(unescape(s)), max)
}

func oneLine(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return strings.TrimSpace(s)
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\u2028', r == '\u2029', unicode.IsControl(r) && unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s))
}

// id reads an identifier, given as a string or as a whole number.
func id(d *jx.Decoder, field string, max int) (string, error) {
	var s string
	switch kind := d.Next(); kind {
	case jx.Number:
		n, err := d.Num()
		if err != nil {
			return "", err
		}
		digits, ok := whole(n.String())
		if !ok || digits[0] == '-' {
			return "", wrong(field, "want a string or a whole number, got %s", n)
		}
		s = digits
	default:
		ok, err := expect(d, field, jx.String)
		if !ok {
			return "", err
		}
		if s, err = d.Str(); err != nil {
			return "", err
		}
	}
	if len(s) > max {
		return "", wrong(field, "%d bytes, at most %d", len(s), max)
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return "", wrong(field, "space or control character at %d", i)
		}
	}
	return s, nil
}

// count reads a whole number that is not negative.
func count(d *jx.Decoder, field string) (int64, error) {
	if ok, err := expect(d, field, jx.Number); !ok {
		return 0, err
	}
	n, err := d.Num()
	if err != nil {
		return 0, err
	}
	v, ok := wholeInt(n.String())
	if !ok || v < 0 {
		return 0, wrong(field, "want a whole number from 0, got %s", n)
	}
	return v, nil
}

func number(d *jx.Decoder, field string, least, most float64) (float64, error) {
	if kind := d.Next(); kind != jx.Number {
		return 0, wrong(field, "want a number, got %s", named(kind))
	}
	n, err := d.Num()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || math.IsNaN(v) || v < least || v > most {
		return 0, wrong(field, "want a number from %g to %g, got %s", least, most, n)
	}
	return v, nil
}

func boolean(d *jx.Decoder, field string) (bool, error) {
	if ok, err := expect(d, field, jx.Bool); !ok {
		return false, err
	}
	return d.Bool()
}

// list reads an array of at most max elements. What is wrong with one of them is
// told of it, by its number from 0 as JSON's paths have it: tags[2].
func list(d *jx.Decoder, field string, max int, element func(d *jx.Decoder) error) error {
	ok, err := expect(d, field, jx.Array)
	if !ok {
		return err
	}
	n := 0
	return d.Arr(func(d *jx.Decoder) error {
		if n++; n > max {
			return wrong(field, "more than %d elements", max)
		}
		err := element(d)
		var bad *fieldError
		if err != nil && errors.As(err, &bad) {
			return &fieldError{fmt.Sprintf("%s[%d]%s", field, n-1, strings.TrimPrefix(bad.field, field)), bad.text}
		}
		return err
	})
}

// labels reads an array of labels; empty ones are left out. The result is
// never nil where there was an array: given and empty is not the same as missing.
func labels(d *jx.Decoder, field string, max, length int, shape func(string) string) ([]string, error) {
	if d.Next() == jx.Null {
		return nil, d.Null()
	}
	all := []string{}
	err := list(d, field, max, func(d *jx.Decoder) error {
		s, err := label(d, field, length)
		if err != nil {
			return err
		}
		if s = shape(s); s != "" {
			all = append(all, s)
		}
		return nil
	})
	return all, err
}

func asIs(s string) string { return s }

// sub reads an object within the value; false: it was null.
func sub(d *jx.Decoder, field string, each func(d *jx.Decoder, key []byte) error) (bool, error) {
	ok, err := expect(d, field, jx.Object)
	if !ok {
		return false, err
	}
	return true, d.ObjBytes(each)
}

const maxURL = 2048

// link reads a URL of the web as browsers do. Where nothing needs to be written
// differently for other programs to open it, it stays as it is.
func link(d *jx.Decoder, field string) (string, error) {
	_, kept, err := readLink(d, field)
	return kept, err
}

func readLink(d *jx.Decoder, field string) (written, kept string, err error) {
	written, err = prose(d, field, maxURL)
	if err != nil || written == "" {
		return "", "", err
	}
	if kept, err = weburl.Link(written); err != nil {
		return "", "", wrong(field, "want an http or https URL, got %.100q", written)
	}
	return written, kept, nil
}

// breaks are what browsers take out of an address.
var breaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// writtenLink is link of an address that is in a text as well: letters of other
// scripts stay, so that it is found there.
func writtenLink(d *jx.Decoder, field string) (string, error) {
	s, kept, err := readLink(d, field)
	if err != nil {
		return "", err
	}
	if kept == s {
		return s, nil
	}
	s = strings.TrimSpace(breaks.Replace(s))
	if strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r) }) >= 0 {
		return kept, nil
	}
	if scheme, _, ok := strings.Cut(s, "://"); !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return kept, nil
	}
	return s, nil
}

const (
	earliest = 100_000_000_000   // Unix milliseconds: 1973. Below it somebody sent seconds
	latest   = 7_258_118_400_000 // 2200
)

// instant reads a time, RFC 3339 or Unix milliseconds. 0 and "" are unknown.
func instant(d *jx.Decoder, field string) (int64, error) {
	if d.Next() == jx.Number {
		n, err := d.Num()
		if err != nil {
			return 0, err
		}
		ms, ok := wholeInt(n.String())
		if !ok {
			return 0, wrong(field, "want whole Unix milliseconds, got %s", n)
		}
		return plausible(field, ms)
	}
	s, err := prose(d, field, 64)
	if err != nil || s == "" {
		return 0, err
	}
	if ms, ok := wholeInt(s); ok {
		return plausible(field, ms)
	}
	t, err := rfc3339(s)
	if err != nil {
		return 0, wrong(field, "want RFC 3339 (2026-03-04T12:00:00Z) or Unix milliseconds, got %q", s)
	}
	ms := t.UnixMilli()
	if ms < 0 || ms > latest {
		return 0, wrong(field, "%s is out of range", s)
	}
	return ms, nil
}

func plausible(field string, ms int64) (int64, error) {
	switch {
	case ms == 0:
		return 0, nil
	case ms < earliest && ms > 0:
		return 0, wrong(field, "%d is in %d as Unix milliseconds: send milliseconds, not seconds", ms, time.UnixMilli(ms).UTC().Year())
	case ms < 0 || ms > latest:
		return 0, wrong(field, "%d is out of range for Unix milliseconds", ms)
	}
	return ms, nil
}

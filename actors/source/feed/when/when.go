// Package when reads the dates that feeds write: RFC 822 and ISO 8601 as they
// are used, what JavaScript and C print, and dates in words in some twenty
// languages.
//
// The answer is the right instant or none. A zone that is not known makes the
// date unknown, never UTC; a day that no calendar has makes it unknown too. A
// date that names no zone at all is taken as UTC, as all feed readers do: its
// publisher had a zone, but nobody can tell which. The machine's own zone and
// its zone files are never looked at, so every node reads the same.
//
// The package knows no clock, and no feed.
package when

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxLength of a date, in bytes. The longest that is meant is JavaScript's with
// its zone in words.
const maxLength = 160

// Parse reads a date; false where it is none or cannot be known.
func Parse(s string) (time.Time, bool) {
	if len(s) > maxLength {
		return time.Time{}, false
	}
	s = fold(s)
	if t, ok := digits(s); ok {
		return t, true
	}
	if t, ok := basic(s); ok {
		return t, true
	}
	return written(s)
}

// fold makes letters small and without marks, digits ASCII, and all kinds of
// spaces, dashes and colons one.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
			continue
		case r == '−' || r == '–' || r == '‐' || r == '‑':
			r = '-'
		case r == '’':
			r = '\''
		case r == 'ı': // Turkish kasım, which others write kasim
			r = 'i'
		case unicode.IsSpace(r):
			r = ' '
		case unicode.Is(unicode.Nd, r) && r > '9':
			r = digit(r)
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.TrimSpace(norm.NFC.String(b.String()))
}

// digit is the ASCII digit of one in another script: each script's ten follow
// one another from its zero.
func digit(r rune) rune {
	n := rune(0)
	for n < 9 && unicode.Is(unicode.Nd, r-n-1) {
		n++
	}
	// Blocks of digits can touch; mathematical ones do, and NFKD has undone those.
	return '0' + n
}

// digits reads what has nothing else: Unix seconds or milliseconds, or a date
// run together. Fewer digits are a year, or a number of the feed's own.
func digits(s string) (time.Time, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' || n < 0 {
		return time.Time{}, false
	}
	if dotted {
		if _, err := strconv.ParseUint(fraction, 10, 64); err != nil {
			return time.Time{}, false
		}
	}
	switch {
	case dotted && len(whole) != 10, len(whole) == 8, len(whole) == 14, len(whole) == 12 && strings.HasPrefix(whole, "20"):
		return time.Time{}, false // dates: basic reads them
	case n >= 100_000_000_000 && n < 100_000_000_000_000:
		return time.UnixMilli(n).UTC(), true
	case n >= 100_000_000 && n < 100_000_000_000:
		return time.Unix(n, nanos(fraction)).UTC(), true
	}
	return time.Time{}, false
}

var basicForm = regexp.MustCompile(`^(\d{4})-?(\d{2})-?(\d{2})(?:[t ]?(\d{2})(\d{2})(\d{2})?(?:[.,](\d{1,9}))?|t(\d{2}))?( ?(?:z|[+-].*))?$`)

// basic reads ISO 8601 without colons in its time.
func basic(s string) (time.Time, bool) {
	m := basicForm.FindStringSubmatch(s)
	if m == nil {
		return time.Time{}, false
	}
	c := clock{hour: number(m[4]) + number(m[8]), minute: number(m[5]), second: number(m[6]), nanos: nanos(m[7])}
	offset, rest, ok := zone(m[9])
	if !ok || rest != "" {
		return time.Time{}, false
	}
	return instant(day{number(m[1]), number(m[2]), number(m[3])}, c, offset)
}

// written reads a date with words or separators, and a time before or after it.
func written(s string) (time.Time, bool) {
	before, c, after, ok := timeOfDay(s)
	if !ok {
		return time.Time{}, false
	}
	if c == nil {
		d, _, after, ok := date(s, false)
		if !ok {
			return time.Time{}, false
		}
		offset, ok := onlyZone(after)
		if !ok {
			return time.Time{}, false
		}
		return instant(d, clock{}, offset)
	}
	offset, rest, ok := zone(after)
	if !ok {
		// "12:00:00, 4 March 2026 JST" has its zone after the date.
		if d, _, tail, found := date(after, c.twelve); found && !hasDigit(before) {
			if offset, ok = onlyZone(tail); ok {
				return instant(d, *c, offset)
			}
		}
		return time.Time{}, false
	}
	if d, left, tail, ok := date(before, c.twelve); ok {
		if hasDigit(left) || hasDigit(tail) || !filler(rest) {
			return time.Time{}, false
		}
		return instant(d, *c, offset)
	}
	// The year after the time, as C prints it, or the whole date after it.
	d, left, tail, ok := date(before+" "+rest, c.twelve)
	if !ok || hasDigit(left) {
		return time.Time{}, false
	}
	if named, ok := onlyZone(tail); ok && rest != "" {
		if strings.TrimSpace(tail) != "" {
			offset = named
		}
		return instant(d, *c, offset)
	}
	return time.Time{}, false
}

// instant is the moment, if there is such a day and such a time.
func instant(d day, c clock, offset int) (time.Time, bool) {
	if d.month < 1 || d.month > 12 || d.day < 1 || d.year < 1 || d.year > 9999 || d.day > daysIn(d.year, d.month) || !c.exists() {
		return time.Time{}, false
	}
	t := time.Date(d.year, time.Month(d.month), d.day, c.hour, c.minute, c.second, int(c.nanos), time.UTC)
	return t.Add(-time.Duration(offset) * time.Second), true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

func number(s string) int {
	n, _ := strconv.Atoi(s) // digits of a pattern, or empty: 0
	return n
}

// nanos is a fraction of a second of any number of digits.
func nanos(fraction string) int64 {
	if len(fraction) > 9 {
		fraction = fraction[:9]
	}
	n, _ := strconv.ParseInt(fraction+strings.Repeat("0", 9-len(fraction)), 10, 64)
	return n
}

func hasDigit(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return '0' <= r && r <= '9' })
}

package push

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// wholeInt is the whole number that s is, however it is written: many programs
// know one kind of number and send 1200.0 or 1.2e3.
func wholeInt(s string) (int64, bool) {
	digits, ok := whole(s)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// maxWhole is how many digits a whole number may have; more are no count, id or
// time of anybody's.
const maxWhole = 40

// whole is s, a JSON number, as plain digits with '-' before them where it is
// negative. False where it is no whole number, or too long.
func whole(s string) (string, bool) {
	if len(s) < maxWhole && isDigits(s) && (s[0] != '0' || len(s) == 1) {
		return s, true // as nearly all are
	}
	rest, negative := strings.CutPrefix(s, "-")
	mantissa, exponent := rest, 0
	if e := strings.IndexAny(rest, "eE"); e >= 0 {
		n, err := strconv.Atoi(rest[e+1:])
		if err != nil || n > 1000 || n < -1000 {
			return "", false
		}
		mantissa, exponent = rest[:e], n
	}
	before, after, _ := strings.Cut(mantissa, ".")
	digits := before + after
	if before == "" || !isDigits(digits) {
		return "", false
	}
	point := len(before) + exponent
	if point < len(digits) {
		fraction := digits[max(point, 0):]
		if strings.Trim(fraction, "0") != "" {
			return "", false
		}
		digits = digits[:max(point, 0)]
	}
	digits = strings.TrimLeft(digits, "0")
	switch zeros := point - len(before) - len(after); {
	case digits == "":
		return "0", true
	case len(digits)+max(zeros, 0) > maxWhole:
		return "", false
	case zeros > 0:
		digits += strings.Repeat("0", zeros)
	}
	if negative {
		return "-" + digits, true
	}
	return digits, true
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

var errTime = errors.New("not RFC 3339")

// rfc3339 reads all that RFC 3339 allows, of which Go's parser knows no small
// letters, no space between the parts, and no leap second. A leap second is
// the instant after it, as in Unix time.
func rfc3339(s string) (time.Time, error) {
	const date = len("2006-01-02")
	const second = len("2006-01-02T15:04:")
	if n := len(s) - len("+00:00"); n > second && (s[n] == '+' || s[n] == '-') && s[n+1:] >= "24" {
		return time.Time{}, errTime // a day and more from UTC, which Go's parser takes
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil || len(s) <= second+2 {
		return t, err
	}
	b := []byte(s)
	if b[date] == 't' || b[date] == ' ' {
		b[date] = 'T'
	}
	if last := len(b) - 1; b[last] == 'z' {
		b[last] = 'Z'
	}
	leap := string(b[second:second+2]) == "60"
	if leap {
		b[second], b[second+1] = '5', '9'
	}
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil || !leap {
		return t, err
	}
	next := t.Add(time.Second).Truncate(time.Second).UTC()
	if next.Day() != 1 || next.Hour() != 0 || next.Minute() != 0 || next.Second() != 0 {
		return time.Time{}, errTime // only a month's last second has one after it
	}
	return t.Add(time.Second), nil
}

package markup

import (
	"html"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// maxReference is longer than every reference there is, with '&' and ';'.
const maxReference = 40

// Unescape replaces references by their characters, once: those of XML, of
// HTML, and numbers. A reference ends with ';': "?a=1&copy=2" has none. What is
// no reference stays. Characters that may not be in a document are left out,
// whether they are there or only referred to.
func Unescape(s string) string {
	if !strings.ContainsRune(s, '&') {
		return Clean(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		at := strings.IndexByte(s, '&')
		if at < 0 {
			break
		}
		b.WriteString(s[:at])
		text, size := reference(s[at:])
		b.WriteString(text)
		s = s[at+size:]
	}
	b.WriteString(s)
	return Clean(b.String())
}

// reference is what the beginning of s, a '&', means, and how long it is.
func reference(s string) (text string, size int) {
	end := strings.IndexByte(s[:min(len(s), maxReference)], ';')
	if end < 2 {
		return "&", 1
	}
	whole := s[:end+1]
	if s[1] == '#' {
		r, ok := numbered(s[2:end])
		if !ok {
			return "&", 1
		}
		if low, size := lowHalf(r, s[end+1:]); size > 0 {
			return string(low), end + 1 + size
		}
		if r < 0 {
			return "", end + 1
		}
		return string(r), end + 1
	}
	// Where the ';' makes no difference, HTML has read only a beginning.
	text = html.UnescapeString(whole)
	if text == whole || text == html.UnescapeString(whole[:end])+";" {
		return "&", 1
	}
	return text, end + 1
}

const (
	highSurrogates = 0xd800
	lowSurrogates  = 0xdc00
	endSurrogates  = 0xe000
)

// numbered is the character of a numeric reference's digits; negative for one
// that may not be there, and for half of a pair its number.
func numbered(digits string) (rune, bool) {
	base := 10
	if digits == "" {
		return 0, false
	}
	if digits[0]|0x20 == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	switch {
	case err != nil:
		return 0, false
	case n >= highSurrogates && n < endSurrogates:
		return -rune(n), true
	case n > utf8.MaxRune:
		return -1, true
	}
	return rune(n), true
}

// lowHalf completes a character that was written as the two halves that UTF-16
// has of it.
func lowHalf(high rune, rest string) (rune, int) {
	if high = -high; high < highSurrogates || high >= lowSurrogates || !strings.HasPrefix(rest, "&#") {
		return 0, 0
	}
	end := strings.IndexByte(rest[:min(len(rest), maxReference)], ';')
	if end < 3 {
		return 0, 0
	}
	low, ok := numbered(rest[2:end])
	if low = -low; !ok || low < lowSurrogates || low >= endSurrogates {
		return 0, 0
	}
	return (high-highSurrogates)<<10 + (low - lowSurrogates) + 0x10000, end + 1
}

// Clean leaves out the characters that XML forbids, and takes the controls from
// U+0080 to U+009F for windows-1252: no text has those controls.
func Clean(s string) string {
	s = text.Windows1252(s)
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if odd(r) {
			return -1
		}
		return r
	}, s)
}

func odd(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

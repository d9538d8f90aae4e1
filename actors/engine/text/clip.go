package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clip is s, cut to at most n bytes, between characters.
func Clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Shorten is s, cut between words to at most n characters, the last of them an
// ellipsis where something was cut.
func Shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	end, space, runes := 0, 0, 0
	for i, r := range s {
		if runes == n-1 {
			end = i
			break
		}
		if unicode.IsSpace(r) {
			space = i
		}
		runes++
	}
	if space > end*2/3 { // scripts without spaces are cut where they are
		end = space
	}
	return strings.TrimRightFunc(s[:end], func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsPunct(r)
	}) + "…"
}

package item

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// excerptRunes is how long an excerpt may be.
const excerptRunes = 300

// Excerpt is the beginning of a plain text, cut between words.
func Excerpt(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= excerptRunes {
		return text
	}
	end, space, runes := 0, 0, 0
	for i, r := range text {
		if runes == excerptRunes-1 {
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
	return strings.TrimRightFunc(text[:end], func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsPunct(r)
	}) + "…"
}

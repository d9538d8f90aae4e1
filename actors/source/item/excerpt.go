package item

import (
	"strings"

	"github.com/birdwire/birdwire/actors/engine/text"
)

// excerptRunes is how long an excerpt may be.
const excerptRunes = 300

// Excerpt is the beginning of a plain text, cut between words.
func Excerpt(plain string) string {
	return text.Shorten(strings.Join(strings.Fields(plain), " "), excerptRunes)
}

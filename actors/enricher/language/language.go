// Package language says in which language a text is written, as a BCP 47 tag
// with one part: "en", "pt", "zh". It says nothing where it is unsure: a wrong
// language does more harm than none.
package language

import (
	"strings"
	"unicode"

	"github.com/RadhiFadlillah/whatlanggo"

	"github.com/birdwire/birdwire/actors/engine/text"
)

const (
	textBytes    = 1 << 10 // of a text that are read
	lettersLeast = 24      // of a script that several languages share
	aloneLeast   = 4       // of one that a language has to itself
	// sureLatin and sureAtLeast are from how sure the library must be; in trials it
	// took a short English text for French at 0.52.
	sureLatin   = 0.6
	sureAtLeast = 0.4
)

// Of is the language of s, "" where it cannot be told.
func Of(s string) string {
	s = text.Clip(s, textBytes)
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if letters < aloneLeast {
		return ""
	}
	if plainlyEnglish(s) {
		return "en"
	}
	info := whatlanggo.Detect(s)
	least := lettersLeast
	switch info.Script {
	case unicode.Latin:
		if info.Confidence < sureLatin {
			return ""
		}
	case unicode.Cyrillic, unicode.Arabic, unicode.Devanagari, unicode.Hebrew:
		if info.Confidence < sureAtLeast {
			return ""
		}
	case nil:
		return ""
	default:
		least = aloneLeast
	}
	if letters < least {
		return ""
	}
	return info.Lang.Iso6391()
}

// englishOnly are words that no other language's texts are full of.
var englishOnly = func() map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields("the of and to that with for has have from by it this are were been their which would said") {
		set[w] = true
	}
	return set
}()

// plainlyEnglish says whether a fifth of the words, and five different ones of
// them, are englishOnly. To compare a text with fifty languages is half of what
// an article costs, and most articles need none of that.
func plainlyEnglish(s string) bool {
	words, english := 0, 0
	seen := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		if words++; englishOnly[w] {
			english++
			seen[w] = true
		}
	}
	return len(seen) >= 5 && english*5 >= words
}
